//! `exec`: another process in a running container.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container, groups};
use crate::expect_eq;
use crate::support::sys::{self, Change};
use crate::support::{processes, scratch, until};

fn service() -> Result<Container> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    Ok(container)
}

pub(crate) fn output_and_exit_code_are_passed_on() -> Result<()> {
    let container = service()?;
    let finished = container.exec("echo out; echo err >&2; exit 7")?;
    finished.expect_code(7)?;
    expect_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    container.exec("kill -9 $$")?.expect_code(137)?;
    expect_eq!(container.status()?, "running");
    Ok(())
}

/// Another runtime's children are not for a caller's ears: each namespace is the container's.
pub(crate) fn it_is_in_all_namespaces_of_the_container() -> Result<()> {
    let bundle = Bundle::service()?.namespace("time").user_namespace(200_000)?;
    let container = Container::new(bundle)?;
    container.start_service()?;
    let pid = container.pid()?;
    let script =
        "for n in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$n; done";
    let found = container.exec(script)?;
    found.expect_code(0)?;
    for (line, name) in
        found.stdout.lines().zip(["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"])
    {
        let theirs = std::fs::read_link(format!("/proc/{pid}/ns/{name}"))?;
        expect_eq!(line, theirs.to_string_lossy(), "the {name} namespace");
    }
    expect_eq!(found.stdout.lines().count(), 8);
    Ok(())
}

pub(crate) fn it_is_in_the_cgroup_of_the_container() -> Result<()> {
    let container = service()?;
    let pid = container.pid()?;
    let fifo = "mkfifo /dev/shm/f; echo ready; read line < /dev/shm/f";
    let words = ["exec", &container.id, "/bin/sh", "-c", fifo];
    let running = container.launch(&words).start()?;
    running.wait_line("ready")?;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let pids = container.tell_with("ps", &["--format", "json"], &[])?.stdout;
    let pids: Vec<i32> = serde_json::from_str(&pids)?;
    // Its own process and, of the service, the shell and what sleeps.
    ensure!(pids.len() >= 2, "{pids:?}");
    for other in pids {
        let theirs = std::fs::read_to_string(format!("/proc/{other}/cgroup"));
        // One that sleeps may have ended by now.
        ensure!(theirs.as_ref().map_or(true, |it| *it == groups), "{other}: {theirs:?}");
    }
    container.exec("echo line > /dev/shm/f")?.expect_code(0)?;
    running.finish()?.expect_code(0)?;
    Ok(())
}

pub(crate) fn user_cwd_and_environment_can_be_given() -> Result<()> {
    let container = service()?;
    let script = "id -u; id -g; id -G; pwd; echo $ONE $TWO $PATH";
    let flags = ["--user", "1000:1001", "--additional-gids", "7", "--additional-gids", "8"];
    let more = ["--cwd", "/tmp", "--env", "ONE=1", "-e", "TWO=2"];
    let finished =
        container.tell_with("exec", &[&flags[..], &more].concat(), &["/bin/sh", "-c", script])?;
    finished.expect_code(0)?;
    let lines: Vec<&str> = finished.stdout.lines().collect();
    expect_eq!(lines[..2], ["1000", "1001"]);
    let mut groups: Vec<&str> = lines[2].split(' ').collect();
    groups.sort_unstable();
    expect_eq!(groups, ["1001", "7", "8"]);
    expect_eq!(lines[3], "/tmp");
    ensure!(lines[4].starts_with("1 2 /usr/local/sbin:"), "{}", lines[4]);
    // A user without a group has group 0.
    let finished =
        container.tell_with("exec", &["-u", "1000"], &["/bin/sh", "-c", "id -u; id -g"])?;
    expect_eq!(finished.stdout, "1000\n0\n");
    Ok(())
}

pub(crate) fn a_process_file_says_everything() -> Result<()> {
    let container = service()?;
    let file = scratch("process.json");
    let process = json!({
        "args": ["/bin/sh", "-c", "id -u; pwd; echo $NAME; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; grep 'open files' /proc/self/limits"],
        "cwd": "/etc",
        "env": ["NAME=value", "PATH=/bin"],
        "user": { "uid": 0, "gid": 0 },
        "noNewPrivileges": true,
        "capabilities": {
            "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"],
        },
        "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 77, "hard": 88 }],
    });
    std::fs::write(&file, process.to_string())?;
    for flag in ["--process", "-p"] {
        let finished = container.tell_with("exec", &[flag, &file.to_string_lossy()], &[])?;
        finished.expect_code(0)?;
        let expected = "0\n/etc\nvalue\nCapEff:\t0000000000000020\nNoNewPrivs:\t1\n";
        let limits = finished.stdout.strip_prefix(expected).context(finished.stdout.clone())?;
        let limits: Vec<&str> = limits.split_whitespace().collect();
        expect_eq!(limits, ["Max", "open", "files", "77", "88", "files"]);
    }
    Ok(())
}

pub(crate) fn it_has_the_rights_of_the_container() -> Result<()> {
    let bundle = Bundle::service()?
        .capabilities(&["CAP_CHOWN", "CAP_KILL"])
        .set("/process/noNewPrivileges", true)
        .set("/process/user/umask", 0o27)
        .set("/process/oomScoreAdj", 123);
    let container = Container::new(bundle)?;
    container.start_service()?;
    let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Umask)' /proc/self/status; \
        cat /proc/self/oom_score_adj";
    let theirs = container.exec(script)?;
    theirs.expect_code(0)?;
    let expected = "Umask:\t0027\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000021\n\
        CapEff:\t0000000000000021\nCapBnd:\t0000000000000021\nCapAmb:\t0000000000000000\n\
        NoNewPrivs:\t1\nSeccomp:\t0\n123\n";
    expect_eq!(theirs.stdout, expected);
    // More on demand, for this process alone.
    let grep = ["/bin/grep", "CapEff", "/proc/self/status"];
    let finished = container.tell_with("exec", &["--cap", "CAP_NET_RAW"], &grep)?;
    finished.expect_code(0)?;
    expect_eq!(finished.stdout, "CapEff:\t0000000000002021\n");
    Ok(())
}

pub(crate) fn detached_it_goes_on() -> Result<()> {
    let container = service()?;
    let file = scratch("pid");
    let flags = ["--detach", "--pid-file", &file.to_string_lossy()];
    // The process becomes a child of this one, and must be reaped before PID 1 can end.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    container.tell_with("exec", &flags, &["/bin/sleep", "1000"])?.expect_code(0)?;
    let pid: i32 = std::fs::read_to_string(&file)?.parse().context("the pid file")?;
    ensure!(processes::alive(pid), "{pid} does not live");
    expect_eq!(std::fs::read_to_string(format!("/proc/{pid}/comm"))?, "sleep\n");
    let deletion = container.launch(&["delete", "--force", &container.id]).start()?;
    expect_eq!(sys::wait(pid, 0)?, Some((pid, Change::Killed(libc::SIGKILL))));
    deletion.finish()?.expect_code(0)?;
    container.expect_gone()
}

pub(crate) fn what_cannot_run_is_explained() -> Result<()> {
    let container = service()?;
    for (program, text) in [
        ("/no/such/program", "no such file or directory"),
        ("no-such-program", "executable file not found in $PATH"),
        ("/etc/passwd", "permission denied"),
    ] {
        let finished = container.tell("exec", &[program])?;
        ensure!(finished.code()? != 0, "{program} ran");
        finished.expect_stderr(text).with_context(|| program.to_owned())?;
    }
    expect_eq!(container.status()?, "running");
    Ok(())
}

pub(crate) fn a_stopped_container_has_no_room() -> Result<()> {
    let container = service()?;
    container.kill()?;
    let finished = container.exec("true")?;
    ensure!(finished.code()? != 0, "exec in a stopped container ran");
    Ok(())
}

pub(crate) fn a_sub_group_can_be_given() -> Result<()> {
    groups::folder("x", "pids")?;
    let container = service()?;
    // A caller makes it beforehand.
    let made: Vec<_> = groups::existing(&container.id).iter().map(|it| it.join("sub")).collect();
    for folder in &made {
        std::fs::create_dir(folder)?;
        for name in ["cpuset.cpus", "cpuset.mems"] {
            let above = folder.with_file_name(name);
            if !groups::only_v2() && above.exists() {
                std::fs::write(folder.join(name), std::fs::read(above)?)?;
            }
        }
    }
    let cat = ["/bin/cat", "/proc/self/cgroup"];
    let finished = container.tell_with("exec", &["--cgroup", "/sub"], &cat)?;
    // Of one controller of v1, whatever there is beside.
    let v2 = made.iter().find(|it| it.with_file_name("cgroup.subtree_control").exists());
    if let Some(v2) = v2.filter(|_| !groups::only_v2()) {
        std::fs::remove_dir(v2)?;
        let one = container.tell_with("exec", &["--cgroup", "pids:/sub"], &cat)?;
        std::fs::create_dir(v2)?;
        one.expect_code(0)?;
        let (at, beside) = one.stdout.lines().partition::<Vec<_>, _>(|it| it.contains(":pids:"));
        ensure!(at.iter().all(|it| it.ends_with("/sub")), "{at:?}");
        ensure!(beside.iter().all(|it| !it.ends_with("/sub")), "{beside:?}");
    }
    if !groups::only_v2() {
        for named in ["nothing:/sub", "pids,nothing:/sub"] {
            let refused = container.tell_with("exec", &["--cgroup", named], &cat)?;
            refused.expect_code(255)?.expect_stderr("the controller \"nothing\"")?;
        }
    }
    for folder in &made {
        std::fs::remove_dir(folder)?;
    }
    finished.expect_code(0)?.expect_stdout("/sub\n")?;
    Ok(())
}

/// A service manager moves itself to a group below, and hands controllers to others beside that.
pub(crate) fn it_is_where_the_first_process_went() -> Result<()> {
    let container = service()?;
    let groups = groups::existing(&container.id);
    let v2 = groups.iter().find(|it| it.join("cgroup.subtree_control").exists());
    let Some(v2) = v2 else { return harness::skip("there is no cgroup v2") };
    let sub = v2.join("sub");
    std::fs::create_dir(&sub)?;
    // The shell starts others, and they end, while all are moved.
    until("everybody has moved", || {
        let pids = std::fs::read_to_string(v2.join("cgroup.procs")).unwrap_or_default();
        for pid in pids.lines() {
            _ = std::fs::write(sub.join("cgroup.procs"), pid);
        }
        pids.is_empty()
    })?;
    let controllers = std::fs::read_to_string(v2.join("cgroup.controllers"))?;
    // Now nobody can be in the group itself any more.
    for name in controllers.split_whitespace() {
        std::fs::write(v2.join("cgroup.subtree_control"), format!("+{name}"))?;
    }
    let finished = container.tell("exec", &["/bin/cat", "/proc/self/cgroup"])?;
    finished.expect_code(0)?.expect_stdout("0::/sub\n")?;
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    container.expect_gone()
}

pub(crate) fn its_processors_can_be_given() -> Result<()> {
    let container = service()?;
    let process = |affinity: serde_json::Value| -> Result<PathBuf> {
        let file = scratch("process.json");
        let document = json!({
            "user": { "uid": 0, "gid": 0 }, "cwd": "/", "env": ["PATH=/bin"],
            "args": ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"],
            "execCPUAffinity": affinity,
        });
        std::fs::write(&file, document.to_string())?;
        Ok(file)
    };
    for affinity in [json!({ "final": "0" }), json!({ "initial": "0" })] {
        let file = process(affinity)?;
        let finished = container.tell_with("exec", &["--process", &file.to_string_lossy()], &[])?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout, "Cpus_allowed_list:\t0\n");
    }
    let file = process(json!({ "initial": "x" }))?;
    let finished = container.tell_with("exec", &["--process", &file.to_string_lossy()], &[])?;
    ensure!(finished.code()? != 0, "processor x was found");
    finished.expect_stderr("execCPUAffinity.initial")?;
    Ok(())
}
