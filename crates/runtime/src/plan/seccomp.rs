//! `linux.seccomp` as the compiler takes it.

use super::Invalid;
use kernel::seccomp::{self, Arg, Profile, Program, Rule};
use spec::runtime as oci;

/// The compiled filter.
pub(crate) fn program(seccomp: &oci::Seccomp<'_>) -> Result<Program, Invalid> {
    let program = seccomp::compile(&profile(seccomp)).map_err(|it| invalid(&it))?;
    if program.has_listener() && seccomp.listener_path.is_empty() {
        let what = "the socket of the agent that SCMP_ACT_NOTIFY asks is missing";
        return Err(Invalid::new("linux.seccomp.listenerPath", what));
    }
    Ok(program)
}

/// Finds the mistakes that users make, for a filter that is compiled later.
pub(crate) fn check(seccomp: &oci::Seccomp<'_>) -> Result<(), Invalid> {
    seccomp::check(&profile(seccomp)).map_err(|it| invalid(&it))
}

fn invalid(error: &seccomp::Error) -> Invalid {
    Invalid(format!("linux.seccomp.{error}"))
}

fn profile<'a>(seccomp: &'a oci::Seccomp<'_>) -> Profile<'a> {
    Profile {
        default_action: seccomp.default_action.name(),
        default_errno: seccomp.default_errno_ret.map(u32::from),
        architectures: seccomp.architectures.iter().map(|it| it.name()).collect(),
        flags: seccomp.flags.as_ref().map(|all| all.iter().map(|it| it.name()).collect()),
        syscalls: seccomp.syscalls.iter().map(rule).collect(),
    }
}

fn rule<'a>(rule: &'a oci::SyscallRule<'_>) -> Rule<'a> {
    let arg = |it: &oci::ArgumentRule| Arg {
        index: it.index,
        value: it.value,
        value_two: it.value_two,
        op: it.operator.name(),
    };
    Rule {
        names: rule.names.iter().map(|name| &**name).collect(),
        action: rule.action.name(),
        errno: rule.errno_ret.map(u32::from),
        args: rule.args.iter().map(arg).collect(),
    }
}
