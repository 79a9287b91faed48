//! Filters on system calls, seccomp(2): a [`Profile`], plain data with libseccomp's words in it,
//! is compiled to a classic BPF [`Program`], which the container's process installs on itself.
//!
//! ```text
//! Profile --check--> Checked --decide--> [Decisions] --assemble--> Program --install--> kernel
//!  words              values              by number                  BPF                listener
//! ```
//!
//! # What a profile means
//!
//! It means what it does to runc, which hands it to libseccomp:
//!
//! - A rule speaks of a system call by name, on every architecture that has one of that name. Names
//!   that no architecture has are passed over.
//! - All conditions of a rule must hold. Where one argument stands in two conditions of a rule, each
//!   of its conditions is a rule of its own.
//! - Conditions compare all 64 bits of an argument, on 32-bit architectures (x32 is one) the lower
//!   32 bits of the argument with those of the value.
//! - A rule that has the default action is no rule.
//! - Where several rules speak of one call, the first without conditions decides alone. Else the first
//!   whose conditions hold decides, the order being libseccomp's: see `decide`.
//! - No rule: the default action. But a number above all that the profile names on that
//!   architecture is a call newer than the profile, and gets `ENOSYS`, so that a program tries an
//!   older one; unless the default action lets calls happen (`ALLOW`, `LOG`, `TRACE`).
//! - An architecture that the profile does not name is `KILL_THREAD`. The machine's own is always
//!   in it. On x86-64, numbers with bit 30 are another architecture, x32.
//! - On 32-bit x86, sockets and System V IPC have a call each through which all others go: a rule
//!   on `bind` is also one on `socketcall` with `bind`'s number as its first argument, and a
//!   condition on the first argument of `bind` is lost there: a filter cannot see it.

mod architecture;
mod assemble;
mod check;
mod decide;
#[cfg(any(test, fuzzing))]
pub mod model;
mod program;
mod syscalls;
#[cfg(test)]
mod tests;
mod verdict;

pub use architecture::ARCHITECTURES;
pub use check::{Error, FLAGS, OPERATORS};
pub use program::{Program, supported_flags};
pub use verdict::{ACTIONS, supported_actions};

/// Which system calls are allowed, and what happens on the others. `linux.seccomp` of the runtime
/// specification, in the words of libseccomp.
#[derive(Clone, Debug, Default)]
pub struct Profile<'a> {
    /// What happens on calls that no rule is about, one of [`ACTIONS`].
    pub default_action: &'a str,
    /// The error number of the default action where it takes one; `EPERM` if there is none.
    pub default_errno: Option<u32>,
    /// Words of [`ARCHITECTURES`]; the machine's own is always meant too.
    pub architectures: Vec<&'a str>,
    /// Words of [`FLAGS`]. `None`, not an empty list, stands for `SECCOMP_FILTER_FLAG_SPEC_ALLOW`.
    pub flags: Option<Vec<&'a str>>,
    /// The rules.
    pub syscalls: Vec<Rule<'a>>,
}

/// What happens on some system calls.
#[derive(Clone, Debug, Default)]
pub struct Rule<'a> {
    /// The calls.
    pub names: Vec<&'a str>,
    /// One of [`ACTIONS`].
    pub action: &'a str,
    /// The error number of the action where it takes one; `EPERM` if there is none.
    pub errno: Option<u32>,
    /// The conditions.
    pub args: Vec<Arg<'a>>,
}

/// A condition on an argument of the system call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arg<'a> {
    /// Which argument, from 0 to 5.
    pub index: u32,
    /// What it is compared with; the mask of `SCMP_CMP_MASKED_EQ`.
    pub value: u64,
    /// What the masked argument is compared with.
    pub value_two: u64,
    /// One of [`OPERATORS`].
    pub op: &'a str,
}

/// Compiles a profile. Nothing in the system is changed or asked.
///
/// # Errors
/// What is wrong in the profile, by the path of the field within `linux.seccomp`.
pub fn compile(profile: &Profile<'_>) -> Result<Program, Error> {
    let checked = check::check(profile)?;
    let decisions = decide::decide(&checked)?;
    let instructions = assemble::assemble(&decisions)?;
    // The machine's own architecture comes first.
    let native = decisions.first().zip(checked.architectures.first());
    let lets_send = native.is_some_and(|(native, it)| native.allows(*it, "sendmsg"));
    let (flags, sender) = (checked.kernel_flags(), checked.sender()?);
    Ok(Program { instructions, flags, sender, lets_send })
}

/// Whether every word of a profile is known, which takes a tenth of the time that [`compile`] does.
///
/// # Errors
/// As [`compile`], but for rules that contradict each other, and too many of them.
pub fn check(profile: &Profile<'_>) -> Result<(), Error> {
    check::check(profile)?.sender().map(drop)
}

/// Whether any architecture has a system call of this name. Rules about others have no effect.
#[must_use]
pub fn is_known(name: &str) -> bool {
    syscalls::find(name).is_some()
}
