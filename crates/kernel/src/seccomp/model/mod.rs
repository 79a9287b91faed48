//! What tests and the fuzz target compare a program with: what a profile means for one call, written
//! as plainly as can be, and a machine that runs programs.

mod interpreter;
mod random;

pub use interpreter::{Call, Outcome, run};
pub use random::{calls, profile};

use super::architecture::{Architecture, Multiplexed, X32_BIT, multiplexed};
use super::check::{self, Checked, CheckedRule, Condition, Operator};
use super::verdict::Verdict;
use super::{Profile, syscalls};

/// The meaning of a profile.
pub struct Model<'a> {
    checked: &'a Checked<'a>,
    mentions: Vec<Mention<'a>>,
}

/// A rule that speaks of a number of an architecture.
#[derive(Clone, Copy)]
struct Mention<'a> {
    rule: &'a CheckedRule<'a>,
    architecture: Architecture,
    number: u32,
    through: Option<Multiplexed>,
}

/// Calls `use_model` with the meaning of a profile, unless something is wrong in it.
pub fn with(profile: &Profile<'_>, use_model: impl FnOnce(&Model<'_>)) {
    if let Ok(checked) = check::check(profile) {
        let all = checked.architectures.iter();
        let mentions = all.flat_map(|it| mentions(&checked, *it)).collect();
        use_model(&Model { checked: &checked, mentions });
    }
}

impl Model<'_> {
    /// All that a filter may answer to a call. That is one, but where rules with different actions
    /// hold at once: then any of theirs.
    #[must_use]
    pub fn answers(&self, call: &Call) -> Vec<u32> {
        let checked = self.checked;
        let Some(architecture) = architecture_of(checked, call) else {
            return vec![Verdict::KILL_THREAD.0];
        };
        let narrow = architecture.is_narrow();
        let of_this = |it: &&Mention<'_>| it.architecture == architecture;
        let here: Vec<_> = self.mentions.iter().filter(of_this).collect();
        let speaks =
            |it: &&&Mention<'_>| it.number == call.number && it.rule.verdict != checked.default;
        let about_this = || here.iter().filter(speaks);
        if let Some(always) = about_this().find(|it| it.is_unconditional(narrow)) {
            return vec![always.rule.verdict.0];
        }
        let holding = about_this().filter(|it| it.holds(narrow, call));
        let mut answers: Vec<_> = holding.map(|it| it.rule.verdict.0).collect();
        if answers.is_empty() {
            let newest = here.iter().map(|it| it.number).max();
            let newer = newest.is_some_and(|newest| call.number > newest);
            let lets_happen = [Verdict::ALLOW, Verdict::LOG, Verdict::TRACE];
            let stub = newer && !lets_happen.contains(&checked.default.action());
            answers.push(if stub { Verdict::NO_SUCH_CALL.0 } else { checked.default.0 });
        }
        answers
    }
}

impl Mention<'_> {
    /// Whether no condition is looked at.
    fn is_unconditional(&self, narrow: bool) -> bool {
        let all_masked = |all: &Vec<Condition>| all.iter().all(|it| visible(it.mask, narrow) == 0);
        self.through.is_none() && alternatives(self.rule).iter().any(all_masked)
    }

    fn holds(&self, narrow: bool, call: &Call) -> bool {
        let right = |it: Multiplexed| visible(call.arguments[0], narrow) == u64::from(it.call);
        let one_holds = |it: &Condition| {
            // The first argument of what goes through another call cannot be seen.
            self.through.is_some() && it.index == 0 || condition_holds(it, narrow, call)
        };
        let any_holds = alternatives(self.rule).iter().any(|all| all.iter().all(one_holds));
        self.through.is_none_or(right) && any_holds
    }
}

/// All that the rules speak of on an architecture.
fn mentions<'a>(
    checked: &'a Checked<'_>,
    architecture: Architecture,
) -> impl Iterator<Item = Mention<'a>> {
    checked.rules.iter().flat_map(move |rule| {
        rule.names.iter().flat_map(move |name| {
            let mention = move |number, through| Mention { rule, architecture, number, through };
            let entry = syscalls::row(name).map(|row| row[architecture as usize]);
            let entry = entry.filter(|entry| *entry != syscalls::__);
            let direct = entry.map(|entry| mention(architecture.number(entry), None));
            let through = multiplexed(name).filter(|_| architecture == Architecture::X86);
            let through = through.map(|through| mention(through.number, Some(through)));
            direct.into_iter().chain(through)
        })
    })
}

/// The architecture of a call, `None` where the profile has it not.
fn architecture_of(checked: &Checked<'_>, call: &Call) -> Option<Architecture> {
    let has = |it: &Architecture| checked.architectures.contains(it);
    let x32 = has(&Architecture::X32) && call.number >= X32_BIT;
    let all = [Architecture::X86_64, Architecture::X86, Architecture::Aarch64, Architecture::Arm];
    let found = all.into_iter().find(|it| it.audit() == call.architecture)?;
    match found {
        Architecture::X86_64 if x32 => Some(Architecture::X32),
        Architecture::X86_64 if (X32_BIT..u32::MAX).contains(&call.number) => None,
        other => Some(other).filter(has),
    }
}

fn condition_holds(it: &Condition, narrow: bool, call: &Call) -> bool {
    let argument = visible(call.arguments[usize::from(it.index)] & it.mask, narrow);
    let value = visible(it.value & it.mask, narrow);
    match it.operator {
        Operator::Equal | Operator::MaskedEqual => argument == value,
        Operator::NotEqual => argument != value,
        Operator::Less => argument < value,
        Operator::LessOrEqual => argument <= value,
        Operator::Greater => argument > value,
        Operator::GreaterOrEqual => argument >= value,
    }
}

fn visible(value: u64, narrow: bool) -> u64 {
    if narrow { value & u64::from(u32::MAX) } else { value }
}

/// Lists of conditions, one of which must hold as a whole.
fn alternatives(rule: &CheckedRule<'_>) -> Vec<Vec<Condition>> {
    let mut indexes: Vec<_> = rule.conditions.iter().map(|it| it.index).collect();
    indexes.sort_unstable();
    indexes.dedup();
    if indexes.len() < rule.conditions.len() {
        rule.conditions.iter().map(|it| vec![*it]).collect()
    } else {
        vec![rule.conditions.clone()]
    }
}
