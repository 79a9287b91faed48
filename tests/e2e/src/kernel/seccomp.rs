//! Filters that are installed.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use kernel::seccomp::{Arg, FLAGS, Profile, Program, Rule, compile};
use sys::rustix::io::Errno;
use sys::rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
    recvmsg, socketpair,
};
use sys::rustix::thread::set_no_new_privs;

use crate::expect_eq;
use crate::support::seccomp::{Decision, answer, call, getpid_of_32_bit, receive};
use crate::support::sys::{Change, fork, wait};

/// What is allowed by default and otherwise treated by these rules.
fn allow_but<'a>(rules: &[(&'a str, &'a str)]) -> Profile<'a> {
    let rule =
        |(action, name): &(&'a str, &'a str)| Rule { names: vec![name], action, ..Rule::default() };
    let syscalls = rules.iter().map(rule).collect();
    Profile { default_action: "SCMP_ACT_ALLOW", syscalls, ..Profile::default() }
}

fn install(profile: &Profile<'_>) -> Result<(Program, Option<OwnedFd>)> {
    set_no_new_privs(true)?;
    let program = compile(profile)?;
    let listener = program.install()?;
    Ok((program, listener))
}

/// How a process ends that installs a filter and does something.
fn ending(profile: &Profile<'_>, body: impl FnOnce()) -> Result<Change> {
    let pid = fork(0, || match install(profile) {
        Ok(_) => {
            body();
            7
        }
        Err(_) => 99,
    })?;
    Ok(wait(pid, 0)?.context("a child that ends")?.1)
}

pub(crate) fn a_call_fails_with_the_error_of_its_rule() -> Result<()> {
    let mut profile = allow_but(&[("SCMP_ACT_ERRNO", "chroot"), ("SCMP_ACT_ERRNO", "getpid")]);
    profile.syscalls[1].errno = Some(18);
    install(&profile)?;
    expect_eq!(call(libc::SYS_chroot, [0; 3]), -1, "EPERM instead of EFAULT");
    expect_eq!(call(libc::SYS_getpid, [0; 3]), -18, "the given number");
    ensure!(call(libc::SYS_getppid, [0; 3]) > 0, "others are made");
    Ok(())
}

pub(crate) fn arguments_decide() -> Result<()> {
    let mut profile = allow_but(&[("SCMP_ACT_ERRNO", "close")]);
    let high = 0x5_0000_0000;
    profile.syscalls[0].args = vec![Arg { index: 0, value: high, value_two: 0, op: "SCMP_CMP_GT" }];
    install(&profile)?;
    let close = |number| call(libc::SYS_close, [number, 0, 0]);
    expect_eq!(close(high | 77), -1, "above");
    expect_eq!(close(high - 1), -i64::from(libc::EBADF), "below, by the lower half above");
    expect_eq!(close(77), -i64::from(libc::EBADF), "below");
    Ok(())
}

pub(crate) fn calls_newer_than_the_profile_do_not_exist() -> Result<()> {
    let names = vec!["exit_group", "getpid", "openat2", "write", "munmap", "sigaltstack"];
    let rule = Rule { names, action: "SCMP_ACT_ALLOW", ..Rule::default() };
    let profile =
        Profile { default_action: "SCMP_ACT_ERRNO", syscalls: vec![rule], ..Profile::default() };
    let end = ending(&profile, || {
        let older = call(libc::SYS_pidfd_open, [1, 0, 0]) == -i64::from(libc::EPERM);
        let newer = call(439, [0; 3]) == -i64::from(libc::ENOSYS);
        if !older || !newer {
            sys::process::exit_now(1);
        }
    })?;
    expect_eq!(end, Change::Exited(7), "EPERM below the newest, ENOSYS above");
    Ok(())
}

pub(crate) fn killed_by_the_actions_that_kill() -> Result<()> {
    for action in
        ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"]
    {
        let end = ending(&allow_but(&[(action, "getpid")]), || {
            call(libc::SYS_getpid, [0; 3]);
        })?;
        expect_eq!(end, Change::Killed(libc::SIGSYS), "{action}");
    }
    for (action, expected) in [("SCMP_ACT_LOG", 1), ("SCMP_ACT_TRACE", -i64::from(libc::ENOSYS))] {
        let end = ending(&allow_but(&[(action, "getppid")]), || {
            let result = call(libc::SYS_getppid, [0; 3]);
            // Without a tracer there is nobody to ask.
            if result.min(1) != expected {
                sys::process::exit_now(1);
            }
        })?;
        expect_eq!(end, Change::Exited(7), "{action}");
    }
    Ok(())
}

pub(crate) fn calls_of_other_architectures_kill_unless_they_are_named() -> Result<()> {
    let mut profile = allow_but(&[("SCMP_ACT_ERRNO", "chroot")]);
    let end = ending(&profile, || _ = getpid_of_32_bit())?;
    expect_eq!(end, Change::Killed(libc::SIGSYS), "32-bit x86");
    const X32: i64 = 0x4000_0000;
    let end = ending(&profile, || _ = call(X32 + libc::SYS_getpid, [0; 3]))?;
    expect_eq!(end, Change::Killed(libc::SIGSYS), "x32");

    profile.architectures = vec!["SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    let end = ending(&profile, || {
        // A kernel without 32-bit programs answers this way and kills nobody.
        let of_32_bit = getpid_of_32_bit();
        let of_x32 = call(X32 + libc::SYS_chroot, [0; 3]);
        if (of_32_bit <= 0 && of_32_bit != -i64::from(libc::ENOSYS)) || of_x32 != -1 {
            sys::process::exit_now(1);
        }
    })?;
    expect_eq!(end, Change::Exited(7), "both named");
    Ok(())
}

pub(crate) fn rights_are_needed_without_no_new_privs() -> Result<()> {
    let program = compile(&allow_but(&[("SCMP_ACT_ERRNO", "chroot")]))?;
    let own = sys::rustix::process::geteuid().is_root();
    if !own {
        return harness::skip("must be root");
    }
    let attempt = |as_user: bool| {
        let pid = fork(0, || {
            if as_user && call(libc::SYS_setresuid, [1234, 1234, 1234]) != 0 {
                return 99;
            }
            match program.install() {
                Ok(_) => 0,
                Err(error) => error.errno.raw_os_error(),
            }
        })?;
        wait(pid, 0)?.context("a child that ends").map(|(_, change)| change)
    };
    expect_eq!(attempt(false)?, Change::Exited(0), "with CAP_SYS_ADMIN");
    expect_eq!(attempt(true)?, Change::Exited(Errno::ACCESS.raw_os_error()), "without");
    Ok(())
}

pub(crate) fn every_flag_is_taken() -> Result<()> {
    let mut profile = allow_but(&[("SCMP_ACT_NOTIFY", "chroot")]);
    profile.flags = Some(FLAGS.to_vec());
    let (_, listener) = install(&profile)?;
    ensure!(listener.is_some(), "with a listener");
    let mut profile = allow_but(&[("SCMP_ACT_ERRNO", "chroot")]);
    profile.flags = Some(FLAGS.to_vec());
    let (_, listener) = install(&profile)?;
    ensure!(listener.is_none(), "without one");
    Ok(())
}

pub(crate) fn an_agent_decides_on_the_calls_it_is_told_about() -> Result<()> {
    // The call that hands over the listener may be one of them.
    for sender in ["recvmmsg", "sendmsg"] {
        agent_decides(sender).with_context(|| format!("{sender} notifies, too"))?;
    }
    Ok(())
}

fn agent_decides(also: &str) -> Result<()> {
    let profile = allow_but(&[
        ("SCMP_ACT_NOTIFY", "chroot"),
        ("SCMP_ACT_NOTIFY", "getppid"),
        ("SCMP_ACT_NOTIFY", also),
    ]);
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let pid = fork(0, || {
        let Ok((program, Some(listener))) = install(&profile) else { return 99 };
        if program.hand_over(listener.as_fd(), theirs.as_fd(), b"!").is_err() {
            return 98;
        }
        let answered = call(libc::SYS_chroot, [5, 0, 0]) == 1234;
        let made = call(libc::SYS_getppid, [0; 3]) > 1;
        i32::from(!answered) + 2 * i32::from(!made)
    })?;
    drop(theirs);
    let listener = received_descriptor(&ours).context("a listener")?;
    let first = receive(&listener)?;
    expect_eq!(i64::from(first.number), libc::SYS_chroot, "the call");
    expect_eq!(first.arguments[0], 5, "its argument");
    expect_eq!(first.pid, pid.cast_unsigned(), "who made it");
    answer(&listener, first.id, Decision::Value(1234))?;
    let second = receive(&listener)?;
    expect_eq!(i64::from(second.number), libc::SYS_getppid, "the next call");
    answer(&listener, second.id, Decision::Continue)?;
    expect_eq!(wait(pid, 0)?.map(|it| it.1), Some(Change::Exited(0)), "what the child saw");
    Ok(())
}

fn received_descriptor(socket: &OwnedFd) -> Option<OwnedFd> {
    let mut byte = [0];
    let mut space = [std::mem::MaybeUninit::uninit(); sys::rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [std::io::IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC).ok()?;
    ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    })
}
