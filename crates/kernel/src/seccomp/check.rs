//! From words to values: everything that can be wrong in a profile is found here, but for rules that
//! contradict each other and for too many of them.

use super::architecture::{ARCHITECTURES, Architecture};
use super::program::Sender;
use super::verdict::{self, ACTIONS, Verdict};
use super::{Arg, Profile, Rule};
use sys::seccomp::{
    FILTER_FLAG_LOG, FILTER_FLAG_NEW_LISTENER, FILTER_FLAG_SPEC_ALLOW, FILTER_FLAG_TSYNC,
    FILTER_FLAG_TSYNC_ESRCH, FILTER_FLAG_WAIT_KILLABLE_RECV,
};

/// All operators, by libseccomp's words.
pub const OPERATORS: &[&str] = &[
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

/// All flags of a filter.
pub const FLAGS: &[&str] = &[
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

/// What is wrong with a profile. The fields are named as in `linux.seccomp`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A word that is not known.
    #[error("{field}: {word:?} is none of {}", known.join(", "))]
    UnknownWord {
        /// The path of the field.
        field: String,
        /// What stands there.
        word: String,
        /// What may stand there.
        known: &'static [&'static str],
    },
    /// A number that is too large.
    #[error("{field}: {value} is not in the range from 0 to {largest}")]
    OutOfRange {
        /// The path of the field.
        field: String,
        /// What stands there.
        value: u64,
        /// The largest number that may.
        largest: u64,
    },
    /// An error number for an action that has none.
    #[error("{field}: {action} takes no error number; SCMP_ACT_ERRNO and SCMP_ACT_TRACE do")]
    NoErrno {
        /// The path of the field.
        field: String,
        /// The action.
        action: String,
    },
    /// A call without a name.
    #[error("{field}: the name of a system call is missing")]
    NoName {
        /// The path of the field.
        field: String,
    },
    /// `SCMP_ACT_NOTIFY` for everything, and so for the call that hands over the listener.
    #[error("defaultAction: SCMP_ACT_NOTIFY is possible only for system calls by name")]
    NotifyByDefault,
    /// `SCMP_ACT_NOTIFY` for both calls that could hand over the listener.
    #[error(
        "syscalls: SCMP_ACT_NOTIFY is not possible for sendmsg and sendmmsg at once, one of which hands over its listener"
    )]
    NotifyOnBothSenders,
    /// Two rules that say different things of one and the same.
    #[error(
        "syscalls[{rule}]: another action than in syscalls[{earlier}] for {name} on the same conditions"
    )]
    Contradiction {
        /// The index of the rule.
        rule: u32,
        /// The index of the rule that it contradicts.
        earlier: u32,
        /// The name of the call.
        name: String,
    },
    /// More than the kernel takes.
    #[error(
        "syscalls: a program of {instructions} instructions, the kernel takes no more than {largest}"
    )]
    TooLarge {
        /// How many instructions there would be.
        instructions: usize,
        /// How many there may be.
        largest: usize,
    },
}

/// A profile in which every word is known.
pub(super) struct Checked<'a> {
    pub(super) default: Verdict,
    /// No architecture twice, the machine's own first.
    pub(super) architectures: Vec<Architecture>,
    pub(super) rules: Vec<CheckedRule<'a>>,
    flags: u32,
}

/// What happens on some calls under some conditions.
pub(super) struct CheckedRule<'a> {
    pub(super) names: &'a [&'a str],
    pub(super) verdict: Verdict,
    pub(super) conditions: Vec<Condition>,
}

/// A condition on an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Which argument, from 0 to 5.
    pub(super) index: u8,
    pub(super) operator: Operator,
    /// What of the argument is looked at.
    pub(super) mask: u64,
    pub(super) value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    MaskedEqual,
}

impl Checked<'_> {
    /// The call that can hand over the listener: one that does not wait for who gets it.
    pub(super) fn sender(&self) -> Result<Sender, Error> {
        let notifies = |name: &str| {
            let rules = self.rules.iter().filter(|rule| rule.verdict == Verdict::NOTIFY);
            rules.flat_map(|rule| rule.names).any(|other| *other == name)
        };
        match (notifies("sendmsg"), notifies("sendmmsg")) {
            (false, _) => Ok(Sender::Sendmsg),
            (true, false) => Ok(Sender::Sendmmsg),
            (true, true) => Err(Error::NotifyOnBothSenders),
        }
    }

    /// `SECCOMP_FILTER_FLAG_*`, with those that follow from the actions.
    pub(super) fn kernel_flags(&self) -> u32 {
        let notifies = self.rules.iter().any(|rule| rule.verdict == Verdict::NOTIFY);
        if !notifies {
            // Without a listener this flag means nothing, and the kernel does not take it.
            return self.flags & !FILTER_FLAG_WAIT_KILLABLE_RECV;
        }
        let mut flags = self.flags | FILTER_FLAG_NEW_LISTENER;
        if flags & FILTER_FLAG_TSYNC != 0 {
            flags |= FILTER_FLAG_TSYNC_ESRCH;
        }
        flags
    }
}

/// Replaces the words of a profile by what they stand for.
pub(super) fn check<'a>(profile: &'a Profile<'a>) -> Result<Checked<'a>, Error> {
    let default = check_action(profile.default_action, profile.default_errno, &|field| {
        let name = if field == "action" { "defaultAction" } else { "defaultErrnoRet" };
        name.to_owned()
    })?;
    if default == Verdict::NOTIFY {
        return Err(Error::NotifyByDefault);
    }
    let rules = profile.syscalls.iter().enumerate();
    let rules = rules.map(|(index, rule)| check_rule(rule, index)).collect::<Result<_, _>>()?;
    let architectures = check_architectures(&profile.architectures)?;
    Ok(Checked { default, architectures, rules, flags: check_flags(profile)? })
}

fn check_architectures(words: &[&str]) -> Result<Vec<Architecture>, Error> {
    let mut architectures = vec![Architecture::NATIVE];
    for (index, word) in words.iter().enumerate() {
        known(word, ARCHITECTURES, || format!("architectures[{index}]"))?;
        if let Some(architecture) = Architecture::from_word(word)
            && !architectures.contains(&architecture)
        {
            architectures.push(architecture);
        }
    }
    Ok(architectures)
}

fn check_flags(profile: &Profile<'_>) -> Result<u32, Error> {
    let Some(words) = &profile.flags else { return Ok(FILTER_FLAG_SPEC_ALLOW) };
    let mut flags = 0;
    for (index, word) in words.iter().enumerate() {
        known(word, FLAGS, || format!("flags[{index}]"))?;
        flags |= flag(word).unwrap_or_default();
    }
    Ok(flags)
}

/// The flag of this word, `SECCOMP_FILTER_FLAG_*`.
pub(super) fn flag(word: &str) -> Option<u32> {
    Some(match word {
        "SECCOMP_FILTER_FLAG_LOG" => FILTER_FLAG_LOG,
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => FILTER_FLAG_SPEC_ALLOW,
        "SECCOMP_FILTER_FLAG_TSYNC" => FILTER_FLAG_TSYNC,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => FILTER_FLAG_WAIT_KILLABLE_RECV,
        _ => return None,
    })
}

fn check_rule<'a>(rule: &'a Rule<'a>, index: usize) -> Result<CheckedRule<'a>, Error> {
    let path = |field: &str| format!("syscalls[{index}].{field}");
    let field = |field: &'static str| path(if field == "errno" { "errnoRet" } else { field });
    let verdict = check_action(rule.action, rule.errno, &field)?;
    if let Some(number) = rule.names.iter().position(|name| name.is_empty()) {
        return Err(Error::NoName { field: path(&format!("names[{number}]")) });
    }
    let conditions = rule.args.iter().enumerate();
    let conditions = conditions
        .map(|(number, arg)| check_arg(arg, &|field| path(&format!("args[{number}].{field}"))))
        .collect::<Result<_, _>>()?;
    Ok(CheckedRule { names: &rule.names, verdict, conditions })
}

fn check_arg(arg: &Arg<'_>, path: &dyn Fn(&str) -> String) -> Result<Condition, Error> {
    const LAST: u8 = 5;
    let index = u8::try_from(arg.index).ok().filter(|index| *index <= LAST);
    let Some(index) = index else {
        let (value, largest) = (u64::from(arg.index), u64::from(LAST));
        return Err(Error::OutOfRange { field: path("index"), value, largest });
    };
    let operator = match arg.op {
        "SCMP_CMP_EQ" => Operator::Equal,
        "SCMP_CMP_NE" => Operator::NotEqual,
        "SCMP_CMP_LT" => Operator::Less,
        "SCMP_CMP_LE" => Operator::LessOrEqual,
        "SCMP_CMP_GT" => Operator::Greater,
        "SCMP_CMP_GE" => Operator::GreaterOrEqual,
        "SCMP_CMP_MASKED_EQ" => Operator::MaskedEqual,
        word => return Err(unknown(path("op"), word, OPERATORS)),
    };
    let (mask, value) = match operator {
        Operator::MaskedEqual => (arg.value, arg.value_two & arg.value),
        _ => (u64::MAX, arg.value),
    };
    Ok(Condition { index, operator, mask, value })
}

/// The action of a word with its data: what the filter is to answer.
fn check_action(
    word: &str,
    errno: Option<u32>,
    field: &dyn Fn(&'static str) -> String,
) -> Result<Verdict, Error> {
    const PERMISSION_DENIED: u32 = 1;
    let Some(verdict) = verdict::from_word(word) else {
        return Err(unknown(field("action"), word, ACTIONS));
    };
    let largest = match verdict {
        // The largest that the kernel returns as an error.
        Verdict::ERRNO => 4095,
        Verdict::TRACE => 0xffff,
        _ if errno.is_none() => return Ok(verdict),
        _ => return Err(Error::NoErrno { field: field("errno"), action: word.to_owned() }),
    };
    let errno = errno.unwrap_or(PERMISSION_DENIED);
    if errno > largest {
        let (value, largest) = (u64::from(errno), u64::from(largest));
        return Err(Error::OutOfRange { field: field("errno"), value, largest });
    }
    Ok(Verdict(verdict.0 | errno))
}

fn known(
    word: &str,
    words: &'static [&'static str],
    field: impl FnOnce() -> String,
) -> Result<(), Error> {
    if words.contains(&word) { Ok(()) } else { Err(unknown(field(), word, words)) }
}

fn unknown(field: String, word: &str, known: &'static [&'static str]) -> Error {
    Error::UnknownWord { field, word: word.to_owned(), known }
}
