//! From rules about names to what happens on each number, per architecture.

use super::architecture::{Architecture, is_multiplexer, multiplexed_by};
use super::check::{Checked, CheckedRule, Condition, Error, Operator};
use super::syscalls::{self, SYSCALLS};
use super::verdict::Verdict;
use std::cmp::Reverse;

/// What happens on the calls of what the kernel sees as one architecture.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decisions {
    /// `AUDIT_ARCH_*`.
    pub(super) audit: u32,
    /// What happens when no case of a decision holds.
    pub(super) default: Verdict,
    /// Sorted by their numbers, the first from 0 on. Neighbours differ.
    pub(super) ranges: Vec<Range>,
}

/// What happens on the numbers from one up to that of the next range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) decision: Decision,
}

/// What happens on a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// This, whatever its arguments are.
    Always(Verdict),
    /// The first case that holds, else the default.
    ByArguments(Vec<Case>),
}

/// What happens when all of its conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// Sorted by their arguments. No argument stands here twice, and no condition always holds.
    pub(super) conditions: Vec<Condition>,
    /// Whether only the lower halves of arguments are compared.
    pub(super) narrow: bool,
    pub(super) verdict: Verdict,
    /// The index of the rule it comes from.
    rule: u32,
}

/// A rule that speaks of a call.
#[derive(Clone, Copy)]
struct Mention {
    /// The index of the rule.
    rule: u32,
    /// The number of the call within the one it goes through, if it goes through one.
    call: Option<u8>,
    /// Where its name is in the table.
    row: u16,
}

impl Decisions {
    /// Whether a call happens, whatever its arguments are.
    pub(super) fn allows(&self, architecture: Architecture, name: &str) -> bool {
        let Some(row) = syscalls::find(name) else { return false };
        let (_, numbers) = SYSCALLS[usize::from(row)];
        let number = architecture.number(numbers[architecture as usize]);
        let range = self.ranges.iter().rfind(|range| range.first <= number);
        range.is_some_and(|range| range.decision == Decision::Always(Verdict::ALLOW))
    }
}

/// What happens on each number: a list for each of the kernel's architectures, the machine's own
/// first.
pub(super) fn decide(checked: &Checked<'_>) -> Result<Vec<Decisions>, Error> {
    let mut all: Vec<Decisions> = Vec::new();
    let mentions = Mentions::new(checked);
    for architecture in &checked.architectures {
        let audit = architecture.audit();
        if all.iter().any(|decisions| decisions.audit == audit) {
            continue;
        }
        let mut ranges = Ranges(Vec::new());
        let parts: &[_] = match architecture {
            Architecture::X86_64 | Architecture::X32 => &[Architecture::X86_64, Architecture::X32],
            other => &[*other],
        };
        for part in parts {
            if checked.architectures.contains(part) {
                add_architecture(&mut ranges, checked, *part, &mentions)?;
                continue;
            }
            ranges.push(part.base(), Decision::Always(Verdict::KILL_THREAD));
            if *part == Architecture::X32 {
                // A tracer makes a number -1 so that the call does not happen: not one of x32.
                let newest = mentions.newest(Architecture::X86_64);
                ranges.push(u32::MAX, Decision::Always(beyond(checked, newest)));
            }
        }
        all.push(Decisions { audit, default: checked.default, ranges: ranges.0 });
    }
    Ok(all)
}

/// Which rules speak of each row of the table of system calls.
struct Mentions {
    /// For each row the place of its first rule in `rules`, counted from 1; 0 if there is none.
    first: Vec<u32>,
    /// The indexes of rules, each with the place of the next one of the same row.
    rules: Vec<(u32, u32)>,
}

impl Mentions {
    fn new(checked: &Checked<'_>) -> Mentions {
        let mut all = Mentions { first: vec![0; SYSCALLS.len()], rules: Vec::with_capacity(512) };
        // From the last rule to the first, so that each becomes the first of its list.
        for (index, checked_rule) in checked.rules.iter().enumerate().rev() {
            let rule = index as u32;
            for name in checked_rule.names {
                let Some(row) = syscalls::find(name) else { continue };
                let first = &mut all.first[usize::from(row)];
                // Of a name that stands in a rule twice once is enough.
                let known = (*first as usize).checked_sub(1).map(|place| all.rules[place].0);
                if known != Some(rule) {
                    all.rules.push((rule, *first));
                    *first = all.rules.len() as u32;
                }
            }
        }
        all
    }

    /// The rules that speak of a row, in their order.
    fn of(&self, row: u16, call: Option<u8>) -> impl Iterator<Item = Mention> {
        let mut next = self.first[usize::from(row)];
        std::iter::from_fn(move || {
            let (rule, following) = *self.rules.get((next as usize).checked_sub(1)?)?;
            next = following;
            Some(Mention { rule, call, row })
        })
    }

    /// What the only rule about a number says, if it has no conditions: the usual case, for which
    /// nothing need be collected.
    fn only(
        &self,
        checked: &Checked<'_>,
        architecture: Architecture,
        number: u32,
        row: u16,
    ) -> Option<Verdict> {
        let place = (self.first[usize::from(row)] as usize).checked_sub(1)?;
        let (rule, next) = self.rules[place];
        let rule = &checked.rules[rule as usize];
        let through_it = architecture == Architecture::X86 && is_multiplexer(number);
        (next == 0 && rule.conditions.is_empty() && !through_it).then_some(rule.verdict)
    }

    /// Puts into `into` what the rules say of a number of an architecture, in their order.
    fn collect(&self, architecture: Architecture, number: u32, row: u16, into: &mut Vec<Mention>) {
        into.clear();
        into.extend(self.of(row, None));
        if architecture == Architecture::X86 && is_multiplexer(number) {
            for (name, call) in multiplexed_by(number) {
                let row = syscalls::find(name).into_iter();
                into.extend(row.flat_map(|row| self.of(row, Some(call))));
            }
            into.sort_by_key(|mention| mention.rule);
        }
    }

    /// The largest number of an architecture that is spoken of.
    fn newest(&self, architecture: Architecture) -> Option<u32> {
        let mut mentions = Vec::new();
        syscalls::by_number(architecture).rev().find_map(|(number, row)| {
            self.collect(architecture, number, row, &mut mentions);
            (!mentions.is_empty()).then_some(number)
        })
    }
}

fn add_architecture(
    ranges: &mut Ranges,
    checked: &Checked<'_>,
    architecture: Architecture,
    all: &Mentions,
) -> Result<(), Error> {
    let default = || Decision::Always(checked.default);
    let mut undecided = architecture.base();
    let mut mentions = Vec::new();
    ranges.push(undecided, default());
    for (number, row) in syscalls::by_number(architecture) {
        let decision = if let Some(verdict) = all.only(checked, architecture, number, row) {
            // Most calls: as the one before.
            if undecided == number && ranges.end_with(verdict) {
                undecided += 1;
                continue;
            }
            Decision::Always(verdict)
        } else {
            all.collect(architecture, number, row, &mut mentions);
            if mentions.is_empty() {
                continue;
            }
            decide_one(checked, &mentions, architecture.is_narrow())?
        };
        if undecided < number {
            ranges.push(undecided, default());
        }
        ranges.push(number, decision);
        undecided = number + 1;
    }
    if undecided > architecture.base() {
        ranges.push(undecided, Decision::Always(beyond(checked, Some(undecided))));
    }
    Ok(())
}

/// What happens on calls newer than all that are spoken of.
fn beyond(checked: &Checked<'_>, newest: Option<u32>) -> Verdict {
    if newest.is_none() || lets_happen(checked.default) {
        checked.default
    } else {
        Verdict::NO_SUCH_CALL
    }
}

/// Whether this action is one after which a call usually happens.
fn lets_happen(verdict: Verdict) -> bool {
    [Verdict::ALLOW, Verdict::LOG, Verdict::TRACE].contains(&verdict.action())
}

/// What the rules about one number say together.
fn decide_one(
    checked: &Checked<'_>,
    mentions: &[Mention],
    narrow: bool,
) -> Result<Decision, Error> {
    let mut cases: Vec<Case> = Vec::new();
    for mention in mentions {
        let rule = &checked.rules[mention.rule as usize];
        if rule.verdict == checked.default {
            continue;
        }
        for conditions in alternatives(rule) {
            let conditions = normalize(conditions, narrow, mention.call);
            if conditions.is_empty() {
                return Ok(Decision::Always(rule.verdict));
            }
            cases.push(Case { conditions, narrow, verdict: rule.verdict, rule: mention.rule });
        }
    }
    if cases.is_empty() {
        return Ok(Decision::Always(checked.default));
    }
    cases.sort_by_key(order);
    cases.dedup_by(|a, b| a.conditions == b.conditions && a.verdict == b.verdict);
    for pair in cases.windows(2) {
        if pair[0].conditions == pair[1].conditions {
            let (earlier, rule) = (pair[0].rule, pair[1].rule);
            let (name, _) = SYSCALLS[usize::from(mentions[0].row)];
            return Err(Error::Contradiction { rule, earlier, name: name.to_owned() });
        }
    }
    Ok(Decision::ByArguments(cases))
}

/// The conditions of a rule, any of which is enough: all of them together, but each by itself
/// where one argument is in two.
fn alternatives<'a>(rule: &'a CheckedRule<'_>) -> impl Iterator<Item = &'a [Condition]> {
    let all = &rule.conditions;
    let twice = all
        .iter()
        .enumerate()
        .any(|(index, one)| all[..index].iter().any(|other| other.index == one.index));
    let length = if twice { 1 } else { all.len() };
    let unconditional = all.is_empty().then_some(&[][..]);
    all.chunks(length.max(1)).chain(unconditional)
}

fn normalize(conditions: &[Condition], narrow: bool, call: Option<u8>) -> Vec<Condition> {
    let visible = if narrow { u64::from(u32::MAX) } else { u64::MAX };
    let mut normal: Vec<_> = conditions
        .iter()
        .map(|it| Condition { mask: it.mask & visible, value: it.value & visible, ..*it })
        .filter(|it| it.mask != 0)
        .collect();
    if let Some(value) = call {
        // What was its first argument is in memory, where a filter does not see it.
        normal.retain(|condition| condition.index != 0);
        let value = u64::from(value);
        normal.push(Condition { index: 0, operator: Operator::Equal, mask: visible, value });
    }
    normal.sort_by_key(|condition| condition.index);
    normal
}

/// The order in which libseccomp tries the cases of one call: the later of their first arguments
/// first; on one argument equality before less before greater; and the larger values first, but
/// for less, where it is the smaller. What has no further conditions is tried before what has.
fn order(case: &Case) -> impl Ord + use<> {
    let key = |condition: &Condition| {
        let (rank, value) = match condition.operator {
            Operator::Equal | Operator::NotEqual | Operator::MaskedEqual => (0, !condition.value),
            Operator::Less | Operator::LessOrEqual => (1, condition.value),
            Operator::Greater | Operator::GreaterOrEqual => (2, !condition.value),
        };
        (Reverse(condition.index), rank, value, condition.operator, condition.mask)
    };
    case.conditions.iter().map(key).collect::<Vec<_>>()
}

/// Ranges in the making.
struct Ranges(Vec<Range>);

impl Ranges {
    /// Whether this happens from the last number on.
    fn end_with(&self, verdict: Verdict) -> bool {
        let last = self.0.last().map(|range| &range.decision);
        matches!(last, Some(Decision::Always(known)) if *known == verdict)
    }

    /// From `first` on, which is not below the last one, this happens.
    fn push(&mut self, first: u32, decision: Decision) {
        let last_says = |ranges: &[Range]| ranges.last().is_some_and(|it| it.decision == decision);
        if last_says(&self.0) {
            return;
        }
        if self.0.pop_if(|last| last.first == first).is_none() || !last_says(&self.0) {
            self.0.push(Range { first, decision });
        }
    }
}
