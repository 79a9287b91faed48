//! From decisions to classic BPF: for each architecture a binary search among the ranges of
//! numbers, its leaves being verdicts or comparisons of arguments.
//!
//! The program is written from its end to its beginning. So the target of every jump, which can only
//! be forwards, has its place already, and how far it is needs no second pass.

use super::check::{Condition, Error, Operator};
use super::decide::{Case, Decision, Decisions, Range};
use super::verdict::Verdict;
use sys::seccomp::Instruction;

/// The most instructions that the kernel takes, `BPF_MAXINSNS`.
const LARGEST: usize = 4096;

/// `BPF_LD | BPF_W | BPF_ABS`: load a word of `struct seccomp_data`.
const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`.
const AND: u16 = 0x54;
/// `BPF_JMP | BPF_JA`.
const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const IF_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`.
const IF_GREATER: u16 = 0x25;
/// `BPF_JMP | BPF_JGE | BPF_K`.
const IF_GREATER_OR_EQUAL: u16 = 0x35;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

// Where `struct seccomp_data` has what.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Writes the program.
pub(super) fn assemble(all: &[Decisions]) -> Result<Vec<Instruction>, Error> {
    let mut program = Assembler { backwards: Vec::with_capacity(512), verdicts: Vec::new() };
    let mut start = program.verdict(Verdict::KILL_THREAD);
    for decisions in all.iter().rev() {
        program.search(&decisions.ranges, decisions.default);
        let matched = program.push(LOAD, NUMBER);
        start = program.branch(IF_EQUAL, decisions.audit, matched, start);
    }
    program.push(LOAD, ARCHITECTURE);
    let instructions = program.backwards.len();
    if instructions > LARGEST {
        return Err(Error::TooLarge { instructions, largest: LARGEST });
    }
    program.backwards.reverse();
    Ok(program.backwards)
}

/// The place of an instruction, counted from the end of the program.
type Place = usize;

struct Assembler {
    /// The last instruction first.
    backwards: Vec<Instruction>,
    /// Where each verdict was returned most recently.
    verdicts: Vec<(Verdict, Place)>,
}

impl Assembler {
    /// Puts an instruction before all others. What it goes on with is what was the first.
    fn push(&mut self, code: u16, k: u32) -> Place {
        self.backwards.push(Instruction { code, when_true: 0, when_false: 0, k });
        self.backwards.len() - 1
    }

    /// Finds what happens on the number in the accumulator. The result is the first instruction.
    fn search(&mut self, ranges: &[Range], default: Verdict) -> Place {
        let place = self.subtree(ranges, &weights_before(ranges), default);
        if place + 1 == self.backwards.len() {
            return place;
        }
        // A verdict that was already there.
        self.push_jump(place)
    }

    /// Like [`search`](Assembler::search), but the result may be anywhere. `before` says for each range
    /// how much those before it weigh.
    fn subtree(&mut self, ranges: &[Range], before: &[u32], default: Verdict) -> Place {
        match ranges {
            [] => self.verdict(default),
            [only] => self.decision(&only.decision, default),
            // One number that differs from those around it is one comparison, not two.
            [before, one, after]
                if before.decision == after.decision && after.first - one.first == 1 =>
            {
                let otherwise = self.decision(&before.decision, default);
                let matched = self.decision(&one.decision, default);
                self.branch(IF_EQUAL, one.first, matched, otherwise)
            }
            _ => {
                let split = middle(ranges, before);
                let (below, above) = ranges.split_at(split);
                let upper = self.subtree(above, &before[split..], default);
                let lower = self.subtree(below, &before[..split], default);
                self.branch(IF_GREATER_OR_EQUAL, above[0].first, upper, lower)
            }
        }
    }

    fn decision(&mut self, decision: &Decision, default: Verdict) -> Place {
        match decision {
            Decision::Always(verdict) => self.verdict(*verdict),
            Decision::ByArguments(cases) => {
                let otherwise = self.verdict(default);
                cases.iter().rev().fold(otherwise, |next, case| self.case(case, next))
            }
        }
    }

    /// Returns a verdict. One that is near is used again.
    fn verdict(&mut self, verdict: Verdict) -> Place {
        /// Near enough for what comes before to reach it as well.
        const NEAR: usize = 100;
        let length = self.backwards.len();
        let known = self.verdicts.iter().position(|(known, _)| *known == verdict);
        if let Some(index) = known
            && length - self.verdicts[index].1 <= NEAR
        {
            return self.verdicts[index].1;
        }
        let place = self.push(RETURN, verdict.0);
        match known {
            Some(index) => self.verdicts[index].1 = place,
            None => self.verdicts.push((verdict, place)),
        }
        place
    }

    /// The verdict of a case when its conditions hold, else on with `otherwise`.
    fn case(&mut self, case: &Case, otherwise: Place) -> Place {
        let matched = self.verdict(case.verdict);
        case.conditions.iter().rev().fold(matched, |matched, condition| {
            self.condition(condition, case.narrow, matched, otherwise)
        })
    }

    fn condition(&mut self, it: &Condition, narrow: bool, yes: Place, no: Place) -> Place {
        match it.operator {
            Operator::Equal | Operator::MaskedEqual => self.equal(it, narrow, yes, no),
            Operator::NotEqual => self.equal(it, narrow, no, yes),
            Operator::Greater => self.greater(IF_GREATER, it, narrow, yes, no),
            Operator::GreaterOrEqual => self.greater(IF_GREATER_OR_EQUAL, it, narrow, yes, no),
            Operator::Less => self.greater(IF_GREATER_OR_EQUAL, it, narrow, no, yes),
            Operator::LessOrEqual => self.greater(IF_GREATER, it, narrow, no, yes),
        }
    }

    fn equal(&mut self, it: &Condition, narrow: bool, yes: Place, no: Place) -> Place {
        let mut yes = yes;
        for half in [Half::lower(it), Half::upper(it)] {
            if half.mask != 0 && !(narrow && half.is_upper) {
                self.branch(IF_EQUAL, half.value, yes, no);
                if half.mask != u32::MAX {
                    self.push(AND, half.mask);
                }
                yes = self.push(LOAD, half.offset);
            }
        }
        yes
    }

    fn greater(&mut self, code: u16, it: &Condition, narrow: bool, yes: Place, no: Place) -> Place {
        let (lower, upper) = (Half::lower(it), Half::upper(it));
        self.branch(code, lower.value, yes, no);
        let place = self.push(LOAD, lower.offset);
        if narrow {
            return place;
        }
        let place = self.branch(IF_EQUAL, upper.value, place, no);
        self.branch(IF_GREATER, upper.value, yes, place);
        self.push(LOAD, upper.offset)
    }

    /// Puts a conditional jump before all others.
    fn branch(&mut self, code: u16, k: u32, when_true: Place, when_false: Place) -> Place {
        let when_true = self.near(when_true);
        let when_false = self.near(when_false);
        let place = self.backwards.len();
        let distance = |target: Place| u8::try_from(place - target - 1);
        let (Ok(when_true), Ok(when_false)) = (distance(when_true), distance(when_false)) else {
            unreachable!("near() has brought both within reach");
        };
        self.backwards.push(Instruction { code, when_true, when_false, k });
        place
    }

    /// The place itself, or one that leads there and is within the 255 instructions that a
    /// conditional jump reaches.
    fn near(&mut self, place: Place) -> Place {
        /// One less, as the other target of the jump may need an instruction of its own.
        const REACH: usize = 254;
        let distance = self.backwards.len() - place - 1;
        if distance <= REACH {
            return place;
        }
        match self.backwards[place] {
            Instruction { code: RETURN, k, .. } => self.verdict(Verdict(k)),
            _ => self.push_jump(place),
        }
    }

    /// Puts an unconditional jump, which reaches everything, before all others.
    fn push_jump(&mut self, place: Place) -> Place {
        let distance = self.backwards.len() - place - 1;
        self.push(JUMP, u32::try_from(distance).unwrap_or(u32::MAX))
    }
}

/// Where to split, so that about as many system calls are below as above: a call is then found the
/// sooner the more there are around it with the same verdict, and those are the usual ones.
fn middle(ranges: &[Range], before: &[u32]) -> usize {
    let last = ranges.len() - 1;
    let total = before[last] - before[0] + weight(u32::MAX - ranges[last].first);
    // The first range alone, and then as many as come nearer to the half.
    let is_nearer = |split: &usize| before[*split] + before[split + 1] < 2 * before[0] + total;
    (1..last).find(|split| !is_nearer(split)).unwrap_or(last)
}

/// For each range how much those before it weigh.
fn weights_before(ranges: &[Range]) -> Vec<u32> {
    let mut sum = 0;
    let ends = ranges.iter().skip(1).map(|next| next.first).chain([u32::MAX]);
    let before = |(range, end): (&Range, u32)| {
        let before = sum;
        sum += weight(end - range.first);
        before
    };
    ranges.iter().zip(ends).map(before).collect()
}

/// So many numbers in a row count as so many calls, but as one where nobody can use them all.
fn weight(length: u32) -> u32 {
    /// More than there are calls in the longest range, and less than there are numbers that nobody
    /// uses.
    const LONGEST: u32 = 256;
    if length > LONGEST { 1 } else { length }
}

/// One of the two words of an argument.
struct Half {
    is_upper: bool,
    /// Where it is in `struct seccomp_data`.
    offset: u32,
    mask: u32,
    value: u32,
}

impl Half {
    fn lower(it: &Condition) -> Half {
        let offset = ARGUMENTS + 8 * u32::from(it.index);
        Half { is_upper: false, offset, mask: it.mask as u32, value: it.value as u32 }
    }

    fn upper(it: &Condition) -> Half {
        let offset = ARGUMENTS + 8 * u32::from(it.index) + 4;
        let (mask, value) = ((it.mask >> 32) as u32, (it.value >> 32) as u32);
        Half { is_upper: true, offset, mask, value }
    }
}
