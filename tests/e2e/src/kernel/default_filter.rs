//! Programs of others under the filter that containers get by default.

use std::process::Command;

use anyhow::{Result, ensure};
use kernel::seccomp::{Arg, Profile, Rule, compile, is_known};
use spec::runtime::{ArgumentRule, Seccomp, default_seccomp};
use sys::rustix::thread::set_no_new_privs;

use crate::expect_eq;
use crate::support::programs::{
    COMPILER, JAVA, NGINX, NODE, PATH, POSTGRESQL, PYTHON, REDIS, SHELL, Work,
};
use crate::support::scratch;
use crate::support::seccomp::call;

/// What a container has without being asked.
const CAPABILITIES: &[&str] = &["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"];

fn profile<'a>(seccomp: &'a Seccomp<'_>) -> Profile<'a> {
    let arg = |it: &ArgumentRule| Arg {
        index: it.index,
        value: it.value,
        value_two: it.value_two,
        op: it.operator.name(),
    };
    let rules = seccomp.syscalls.iter().map(|rule| Rule {
        names: rule.names.iter().map(|name| &**name).collect(),
        action: rule.action.name(),
        errno: rule.errno_ret.map(u32::from),
        args: rule.args.iter().map(arg).collect(),
    });
    Profile {
        default_action: seccomp.default_action.name(),
        default_errno: seccomp.default_errno_ret.map(u32::from),
        architectures: seccomp.architectures.iter().map(|it| it.name()).collect(),
        flags: seccomp.flags.as_ref().map(|all| all.iter().map(|it| it.name()).collect()),
        syscalls: rules.collect(),
    }
}

/// Puts this process, and all that it starts, under the filter.
fn install() -> Result<()> {
    let seccomp = default_seccomp(CAPABILITIES);
    set_no_new_privs(true)?;
    compile(&profile(&seccomp))?.install()?;
    Ok(())
}

/// Has the work done under the filter, in the folder of the trial.
fn run(work: &Work) -> Result<()> {
    work.is_possible()?;
    install()?;
    let mut shell = Command::new("/bin/sh");
    shell.env("PATH", PATH).current_dir(scratch(""));
    let output = shell.args(["-euc", work.script]).output()?;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    ensure!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    expect_eq!(stdout.lines().last(), Some(work.last_line), "of\n{stdout}\n{stderr}");
    Ok(())
}

pub(crate) fn every_name_of_it_is_known() -> Result<()> {
    let seccomp = default_seccomp(CAPABILITIES);
    let names = seccomp.syscalls.iter().flat_map(|rule| &rule.names);
    let unknown: Vec<_> = names.filter(|name| !is_known(name)).collect();
    ensure!(unknown.is_empty(), "{unknown:?}");
    let instructions = compile(&profile(&seccomp))?.instructions().len();
    ensure!(instructions < 500, "{instructions} instructions");
    Ok(())
}

pub(crate) fn what_is_refused_is_refused_in_its_way() -> Result<()> {
    install()?;
    let refused = -i64::from(libc::EPERM);
    let absent = -i64::from(libc::ENOSYS);
    expect_eq!(call(libc::SYS_mount, [0; 3]), refused, "mount");
    expect_eq!(call(libc::SYS_bpf, [0; 3]), refused, "bpf");
    expect_eq!(call(libc::SYS_reboot, [0; 3]), refused, "reboot");
    expect_eq!(call(libc::SYS_io_uring_setup, [0; 3]), absent, "io_uring_setup");
    expect_eq!(call(libc::SYS_keyctl, [0; 3]), absent, "keyctl");
    expect_eq!(call(libc::SYS_clone3, [0; 3]), absent, "clone3");
    expect_eq!(call(600, [0; 3]), absent, "a call to come");

    let user_namespace = libc::CLONE_NEWUSER as u64;
    expect_eq!(call(libc::SYS_unshare, [user_namespace, 0, 0]), absent, "a namespace");
    expect_eq!(call(libc::SYS_unshare, [libc::CLONE_FILES as u64, 0, 0]), 0, "its own files");
    expect_eq!(call(libc::SYS_clone, [user_namespace | 17, 0, 0]), absent, "born in one");

    let socket = |family: i32, kind: i32| {
        let [family, kind] = [family, kind].map(|it| u64::from(it.cast_unsigned()));
        call(libc::SYS_socket, [family, kind, 0])
    };
    ensure!(socket(libc::AF_UNIX, libc::SOCK_STREAM) > 0, "a unix socket");
    ensure!(socket(libc::AF_INET6, libc::SOCK_DGRAM) > 0, "an IPv6 socket");
    for family in [libc::AF_ALG, libc::AF_VSOCK, libc::AF_X25, libc::AF_KEY, -1] {
        let result = socket(family, libc::SOCK_SEQPACKET);
        expect_eq!(result, -i64::from(libc::EAFNOSUPPORT), "family {family}");
    }

    let personality =
        |persona: i32| call(libc::SYS_personality, [u64::from(persona.cast_unsigned()), 0, 0]);
    let before = personality(-1);
    ensure!(before >= 0, "the query");
    expect_eq!(personality(libc::ADDR_NO_RANDOMIZE), before, "no randomization");
    expect_eq!(personality(libc::READ_IMPLIES_EXEC), absent, "executable stacks");
    Ok(())
}

pub(crate) fn shells_and_tools() -> Result<()> {
    run(&SHELL)
}

pub(crate) fn python() -> Result<()> {
    run(&PYTHON)
}

pub(crate) fn a_compiler_and_threads() -> Result<()> {
    run(&COMPILER)
}

pub(crate) fn node() -> Result<()> {
    run(&NODE)
}

pub(crate) fn java() -> Result<()> {
    if std::fs::read_to_string("/proc/cpuinfo")?.contains("QEMU TCG") {
        // With or without a filter, now and then.
        return harness::skip("what it compiles crashes on an emulated processor");
    }
    run(&JAVA)
}

pub(crate) fn redis() -> Result<()> {
    run(&REDIS)
}

pub(crate) fn nginx() -> Result<()> {
    run(&NGINX)
}

pub(crate) fn postgresql() -> Result<()> {
    run(&POSTGRESQL)
}
