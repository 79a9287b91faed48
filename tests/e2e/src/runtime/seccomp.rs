//! System calls refused, by the kernel's word.

use std::io::Read as _;
use std::os::unix::net::UnixListener;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::support::{Bundle, Container, accept, receive};
use crate::expect_eq;
use crate::support::{Finished, scratch};

/// A profile that allows all but these rules.
fn allow_but(rules: impl Into<Value>) -> Value {
    let rules = rules.into();
    json!({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": rules,
    })
}

fn finish(script: &str, seccomp: Value) -> Result<Finished> {
    let bundle = Bundle::script(script)?.set("/linux/seccomp", seccomp);
    Container::new(bundle.set("/root/readonly", false))?.run()
}

pub(crate) fn a_call_fails_as_configured() -> Result<()> {
    for (rule, text) in [
        (json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" }), "not permitted"),
        (
            json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 }),
            "No space left",
        ),
    ] {
        let finished =
            finish("mkdir /work/new; grep Seccomp: /proc/self/status", allow_but(json!([rule])))?;
        finished.expect_stderr(text)?.expect_stdout("Seccomp:\t2")?;
    }
    Ok(())
}

pub(crate) fn the_default_action_has_its_own_errno() -> Result<()> {
    // All that a shell needs, and not `chmod`.
    let mut profile = allow_but(json!([{
        "names": ["chmod", "fchmod", "fchmodat", "fchmodat2"], "action": "SCMP_ACT_ERRNO",
        "errnoRet": 1,
    }]));
    profile["defaultAction"] = json!("SCMP_ACT_LOG");
    finish("chmod 600 /work", profile)?.expect_stderr("not permitted")?;
    Ok(())
}

pub(crate) fn a_call_kills_as_configured() -> Result<()> {
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"] {
        let rule = json!([{ "names": ["chmod", "fchmodat"], "action": action }]);
        let finished = finish("chmod 600 /work; echo code $?", allow_but(rule))?;
        // 128 and the number of SIGSYS.
        expect_eq!(finished.stdout, "code 159\n", "{action}");
    }
    let rule = json!([{ "names": ["chmod", "fchmodat"], "action": "SCMP_ACT_TRAP" }]);
    let finished = finish("chmod 600 /work; echo code $?", allow_but(rule))?;
    expect_eq!(finished.stdout, "code 159\n", "SCMP_ACT_TRAP");
    Ok(())
}

/// busybox `kill -N` calls kill(2) with N as its second argument.
pub(crate) fn arguments_are_compared_with_every_operator() -> Result<()> {
    // tidy: table
    let cases = [
        // Operator, value, second value; which of the signals 0, 10, 12, 18, 28 are refused.
        ("SCMP_CMP_EQ", 18, 0, "18"),
        ("SCMP_CMP_NE", 18, 0, "0 10 12 28"),
        ("SCMP_CMP_LT", 12, 0, "0 10"),
        ("SCMP_CMP_LE", 12, 0, "0 10 12"),
        ("SCMP_CMP_GT", 12, 0, "18 28"),
        ("SCMP_CMP_GE", 12, 0, "12 18 28"),
        ("SCMP_CMP_MASKED_EQ", 8, 8, "10 12 28"),
    ];
    let script = "trap '' 10 12 18 28; \
        for n in 0 10 12 18 28; do kill -$n 1 2>/dev/null || printf \"$n \"; done";
    for (operator, value, second, refused) in cases {
        let mut argument = json!({ "index": 1, "value": value, "op": operator });
        if second != 0 {
            argument["valueTwo"] = json!(second);
        }
        let rule = json!([{ "names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [argument] }]);
        let finished = finish(script, allow_but(rule))?;
        expect_eq!(finished.stdout.trim_end(), refused, "{operator}");
    }
    Ok(())
}

pub(crate) fn all_arguments_of_a_rule_must_match() -> Result<()> {
    let argument =
        |index: u32, value: u32| json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" });
    let rule = json!([{
        "names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [argument(0, 1), argument(1, 18)],
    }]);
    let script = "trap '' 10 18; for n in 10 18; do kill -$n 1 2>/dev/null || echo $n to 1; done; \
        sleep 10 & kill -18 $! || echo 18 to another; kill $!";
    expect_eq!(finish(script, allow_but(rule))?.stdout, "18 to 1\n");
    Ok(())
}

/// A caller's list may be newer than the kernel and the runtime.
pub(crate) fn unknown_calls_are_passed_over() -> Result<()> {
    let rule = json!([{ "names": ["call_of_the_future", "mkdir"], "action": "SCMP_ACT_ERRNO" }]);
    finish("mkdir /work/new", allow_but(rule))?.expect_stderr("not permitted")?;
    Ok(())
}

pub(crate) fn what_is_no_action_is_refused() -> Result<()> {
    let wrong = |place: &str, value: Value| -> Result<()> {
        let rules = json!([{
            "names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
            "args": [{ "index": 0, "value": 0, "op": "SCMP_CMP_EQ" }],
        }]);
        let bundle = Bundle::script("true")?.set("/linux/seccomp", allow_but(rules));
        let finished = Container::new(bundle.set(place, value.clone()))?.run()?;
        ensure!(finished.code()? != 0, "{place} took {value}");
        Ok(())
    };
    wrong("/linux/seccomp/defaultAction", json!("SCMP_ACT_SOME"))?;
    wrong("/linux/seccomp/architectures", json!(["SCMP_ARCH_NONE"]))?;
    wrong("/linux/seccomp/syscalls/0/action", json!("SCMP_ACT_SOME"))?;
    wrong("/linux/seccomp/syscalls/0/args/0/op", json!("SCMP_CMP_SOME"))?;
    wrong("/linux/seccomp/syscalls/0/args/0/index", json!(6))?;
    wrong("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_SOME"]))
}

pub(crate) fn flags_are_taken() -> Result<()> {
    for flag in
        ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
    {
        let mut profile = allow_but(json!([{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }]));
        profile["flags"] = json!([flag]);
        let finished = finish("mkdir /work/new", profile).with_context(|| flag.to_owned())?;
        finished.expect_stderr("not permitted")?;
    }
    Ok(())
}

/// Without `no_new_privs` the filter is loaded before capabilities are dropped; both ways the
/// program is under it, and `exec` as well.
pub(crate) fn it_holds_with_and_without_new_privileges_and_for_exec() -> Result<()> {
    let rule = json!([{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" }]);
    for forbidden in [true, false] {
        let bundle = Bundle::service()?
            .set("/process/noNewPrivileges", forbidden)
            .set("/linux/seccomp", allow_but(rule.clone()));
        let container = Container::new(bundle)?;
        container.start_service()?;
        let finished = container.exec("mkdir /dev/shm/new; grep Seccomp: /proc/self/status")?;
        finished.expect_stderr("not permitted")?.expect_stdout("Seccomp:\t2")?;
    }
    Ok(())
}

/// The listener gets a descriptor and the state; the call waits for its answer.
pub(crate) fn calls_are_handed_to_a_listener() -> Result<()> {
    let path = scratch("listener");
    let listener = UnixListener::bind(&path)?;
    let mut profile =
        allow_but(json!([{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY" }]));
    profile["listenerPath"] = json!(path);
    profile["listenerMetadata"] = json!("some data");
    let bundle = Bundle::script("mkdir /work/new; echo code $?")?.set("/linux/seccomp", profile);
    let container = Container::new(bundle)?;
    let running = container.launch_new("run", &[]).start()?;
    let mut stream = accept(&listener, &running)?;
    let (mut bytes, descriptors) = receive(&stream)?;
    // It may come in pieces, and the runtime may keep the connection.
    let state = loop {
        if let Ok(state) = serde_json::from_slice::<Value>(&bytes) {
            break state;
        }
        let mut more = [0; 4096];
        let count = stream.read(&mut more)?;
        ensure!(count > 0, "no JSON: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&more[..count]);
    };
    expect_eq!(state["metadata"], "some data");
    expect_eq!(state["state"]["id"], container.id);
    expect_eq!(state["fds"], json!(["seccompFd"]));
    ensure!(state["pid"].as_i64().is_some_and(|pid| pid > 0), "{state}");
    expect_eq!(descriptors.len(), 1, "descriptors");
    // Nobody answers: once the listener is gone, the kernel does, with ENOSYS.
    let target = std::fs::read_link(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&descriptors[0])
    ))?;
    expect_eq!(target.to_string_lossy(), "anon_inode:seccomp notify");
    drop(descriptors);
    let finished = running.finish()?;
    finished.expect_stdout("code 1")?.expect_stderr("Function not implemented")?;
    Ok(())
}

pub(crate) fn a_listener_that_is_absent_is_an_error() -> Result<()> {
    let mut profile = allow_but(json!([{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }]));
    profile["listenerPath"] = json!("/no/such/socket");
    let container = Container::new(Bundle::script("true")?.set("/linux/seccomp", profile))?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "it ran");
    finished.expect_stderr("/no/such/socket")?;
    container.expect_gone()
}

/// The list has what the runtime itself calls between the filter and the program.
pub(crate) fn a_list_of_what_is_allowed_is_enough_for_a_shell() -> Result<()> {
    const NAMES: &str = "\
        access arch_prctl brk capget capset chdir clock_gettime clock_nanosleep clone close \
        close_range dup2 epoll_ctl execve exit exit_group fcntl fork fstat fstatfs futex \
        getcwd getdents64 getegid geteuid getgid getpid getppid getrandom gettid getuid ioctl \
        kill lstat mmap mprotect munmap nanosleep newfstatat open openat pipe pipe2 prctl \
        prlimit64 read readlink rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_yield \
        set_robust_list set_tid_address setgid setgroups setresgid setresuid setuid stat \
        statfs sysinfo tgkill uname vfork wait4 write";
    let names: Vec<&str> = NAMES.split(' ').collect();
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }],
    });
    let finished = finish("echo works; ls / | head -n 1; mkdir /work/new", profile)?;
    finished.expect_stdout("works\nbin\n")?.expect_stderr("not permitted")?;
    Ok(())
}
