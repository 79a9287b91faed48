//! What the runtime itself may still call once its filter is in place: next to nothing.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sys::rustix::event::{PollFd, PollFlags, poll};

use super::support::{Bundle, Container, accept, receive};
use crate::expect_eq;
use crate::support::scratch;
use crate::support::seccomp::{Decision, answer, receive as receive_call};

/// Calls of a static busybox that prints a file, execve apart.
const OF_CAT: [&str; 27] = [
    "arch_prctl",
    "brk",
    "close",
    "exit_group",
    "fadvise64",
    "fstat",
    "getrandom",
    "getgid",
    "getuid",
    "mmap",
    "mprotect",
    "munmap",
    "newfstatat",
    "open",
    "openat",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "rseq",
    "sendfile",
    "set_robust_list",
    "setgid",
    "setuid",
    "set_tid_address",
    "write",
    "writev",
];

/// An end without a word is taken for an execve that succeeded. Where it failed and the filter lets
/// nothing be said, a naive runtime tells that the container runs.
pub(crate) fn a_program_that_cannot_be_executed_is_told_of_whatever_the_filter_is() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for action in ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP"] {
        let profile = json!({
            "defaultAction": action,
            "syscalls": [{ "names": ["execve"], "action": "SCMP_ACT_ALLOW" }],
        });
        let bundle = Bundle::command(&["/work/broken"])?.set("/linux/seccomp", profile);
        let broken = bundle.rootfs().join("work/broken");
        std::fs::write(&broken, "\x7fno program")?;
        std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755))?;
        let container = Container::new(bundle)?;
        let expect_told = |finished: crate::support::Finished| {
            ensure!(finished.code()? != 0, "{action}: it ran");
            finished.expect_stderr("/work/broken")?.expect_stderr("ormat error").map(drop)
        };
        expect_told(container.run()?)?;
        container.expect_gone()?;
        container.create()?;
        expect_told(container.tell("exec", &["/work/broken"])?)?;
        expect_told(container.tell("start", &[])?)?;
        container.wait_status("stopped")?;
        container.delete()?;
    }
    Ok(())
}

/// Without `no_new_privs`, other runtimes drop capabilities under the filter, for which the profile
/// must allow capset and prctl. Here execve is enough, and the capability that the filter needed
/// is gone.
pub(crate) fn a_profile_need_not_allow_what_the_runtime_does() -> Result<()> {
    let names: Vec<_> = OF_CAT.iter().copied().chain(["execve"]).collect();
    let profile = json!({
        "defaultAction": "SCMP_ACT_KILL_PROCESS",
        "syscalls": [
            { "names": names, "action": "SCMP_ACT_ALLOW" },
            // busybox looks at its name: PR_SET_NAME and PR_GET_NAME, either of them.
            {
                "names": ["prctl"], "action": "SCMP_ACT_ALLOW",
                "args": [
                    { "index": 0, "op": "SCMP_CMP_EQ", "value": 15 },
                    { "index": 0, "op": "SCMP_CMP_EQ", "value": 16 },
                ],
            },
        ],
    });
    for user in [0, 1000] {
        let bundle = Bundle::command(&["/bin/cat", "/proc/self/status"])?
            .set("/process/noNewPrivileges", false)
            .set("/process/user/uid", user)
            .set("/linux/seccomp", profile.clone())
            .capabilities(&["CAP_KILL"]);
        let status = Container::new(bundle)?.output()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|line| line.trim().to_owned())
        };
        let kill = if user == 0 { "0000000000000020" } else { "0000000000000000" };
        expect_eq!(field("CapBnd:").as_deref(), Some("0000000000000020"), "user {user}");
        expect_eq!(field("CapPrm:").as_deref(), Some(kill), "user {user}");
        expect_eq!(field("CapEff:").as_deref(), Some(kill), "user {user}");
        expect_eq!(field("Seccomp:").as_deref(), Some("2"), "user {user}");
    }
    Ok(())
}

/// Agents that replace the network want to see sendmsg and close, which the runtime uses to hand
/// over the listener: nobody could answer yet.
pub(crate) fn an_agent_may_ask_for_the_calls_that_hand_it_over() -> Result<()> {
    let path = scratch("listener");
    let listener = UnixListener::bind(&path)?;
    let names = ["sendmsg", "close", "recvmsg", "getppid"];
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path,
        "syscalls": [{ "names": names, "action": "SCMP_ACT_NOTIFY" }],
    });
    let bundle = Bundle::script("echo $PPID; cat /etc/passwd | head -n 1")?;
    let container = Container::new(bundle.set("/linux/seccomp", profile))?;
    let running = container.launch_new("run", &[]).start()?;
    let stream = accept(&listener, &running)?;
    let (_, mut descriptors) = receive(&stream)?;
    let calls = descriptors.pop().context("a listener")?;
    // The agent is a process of its own, which ends with the trial.
    let pid = crate::support::sys::fork(0, || decide(&calls))?;
    drop(calls);
    let finished = running.finish()?;
    finished.expect_stdout("4711\nroot:x:0:0:root:/:/bin/sh\n")?;
    crate::support::sys::wait(pid, 0)?;
    Ok(())
}

/// Tells every process that its parent is number 4711, and lets all else happen.
fn decide(calls: &OwnedFd) -> i32 {
    // Before Linux 6.11, waiting for a call does not end with the container, but poll does.
    while waits_for_decision(calls) {
        let Ok(call) = receive_call(calls) else { continue };
        let decision = match i64::from(call.number) {
            libc::SYS_getppid => Decision::Value(4711),
            _ => Decision::Continue,
        };
        // It may have been killed meanwhile.
        _ = answer(calls, call.id, decision);
    }
    0
}

/// Waits for a call, and is false when there will be none any more.
fn waits_for_decision(calls: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(calls, PollFlags::IN)];
    poll(&mut fds, None).is_ok() && fds[0].revents().contains(PollFlags::IN)
}

pub(crate) fn an_agent_must_be_named() -> Result<()> {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }],
    });
    let container = Container::new(Bundle::script("true")?.set("/linux/seccomp", profile))?;
    container.run()?.expect_stderr("linux.seccomp.listenerPath")?;
    container.expect_gone()
}
