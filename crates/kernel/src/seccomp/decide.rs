//! From rules about names to what happens on each number, per architecture.

use super::architecture::{Architecture, multiplexed};
use super::check::{Checked, CheckedRule, Condition, Error, Operator};
use super::syscalls::{self, __, COUNT, SYSCALLS};
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
    number: u32,
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
    let mut mentions = mentions(checked);
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
                add_architecture(&mut ranges, checked, *part, &mut mentions[*part as usize])?;
                continue;
            }
            ranges.push(part.base(), Decision::Always(Verdict::KILL_THREAD));
            if *part == Architecture::X32 {
                // A tracer makes a number -1 so that the call does not happen: not one of x32.
                let newest = newest(&mentions[Architecture::X86_64 as usize]);
                ranges.push(u32::MAX, Decision::Always(beyond(checked, newest)));
            }
        }
        all.push(Decisions { audit, default: checked.default, ranges: ranges.0 });
    }
    Ok(all)
}

/// All that the rules say, by architecture.
fn mentions(checked: &Checked<'_>) -> [Vec<Mention>; COUNT] {
    let mut mentions = [const { Vec::new() }; COUNT];
    for (rule, checked_rule) in (0..).zip(&checked.rules) {
        for name in checked_rule.names {
            let Some(row) = syscalls::find(name) else { continue };
            let (_, numbers) = SYSCALLS[usize::from(row)];
            for architecture in &checked.architectures {
                let column = *architecture as usize;
                let mut add = |number, call| {
                    mentions[column].push(Mention { number, rule, call, row });
                };
                if numbers[column] != __ {
                    add(architecture.number(numbers[column]), None);
                }
                if *architecture == Architecture::X86
                    && let Some(through) = multiplexed(name)
                {
                    add(through.number, Some(through.call));
                }
            }
        }
    }
    mentions
}

fn add_architecture(
    ranges: &mut Ranges,
    checked: &Checked<'_>,
    architecture: Architecture,
    mentions: &mut [Mention],
) -> Result<(), Error> {
    let default = Decision::Always(checked.default);
    ranges.push(architecture.base(), default.clone());
    mentions.sort_unstable_by_key(|mention| (mention.number, mention.rule));
    for of_one in mentions.chunk_by(|a, b| a.number == b.number) {
        let number = of_one[0].number;
        ranges.push(number, decide_one(checked, of_one, architecture.is_narrow())?);
        ranges.push(number + 1, default.clone());
    }
    if let Some(newest) = newest(mentions) {
        ranges.push(newest + 1, Decision::Always(beyond(checked, Some(newest))));
    }
    Ok(())
}

/// The largest number that is spoken of. The list is sorted.
fn newest(mentions: &[Mention]) -> Option<u32> {
    mentions.last().map(|mention| mention.number)
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
    /// From `first` on, which is not below the last one, this happens.
    fn push(&mut self, first: u32, decision: Decision) {
        self.0.pop_if(|last| last.first == first);
        if self.0.last().is_none_or(|last| last.decision != decision) {
            self.0.push(Range { first, decision });
        }
    }
}
