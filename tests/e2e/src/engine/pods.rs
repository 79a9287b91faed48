//! Pods, by the command line alone.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{ECHO, MISSING, ask, ask_in_vain, has_programs, other_machine, run};
use crate::support::{processes, sys, until};

/// The line that says which namespace of this kind a program is in.
pub(super) fn namespace(kind: &str) -> String {
    // There is no readlink in the image.
    format!("ls -l /proc/self/ns/{kind}")
}

/// Starts a container that stays.
pub(super) fn member(engine: &Engine, pod: &str, name: &str, flags: &[&str]) -> Result<String> {
    engine.start(name, &[&["--pod", pod], flags].concat(), "sleep 1000")
}

/// What a shell in a container prints about its namespaces.
pub(super) fn link(engine: &Engine, name: &str, kind: &str) -> Result<String> {
    let line = engine.ok(&["exec", name, "sh", "-c", &namespace(kind)])?;
    Ok(line.rsplit(' ').next().unwrap_or_default().to_owned())
}

pub(super) fn state(engine: &Engine, pod: &str) -> Result<String> {
    let mut done = engine.run(&["pod", "inspect", "-f", "{{.State}}", pod])?;
    // On a busy machine, somebody who puts it in order may seem to wait for his disk for ever; then what
    // is told is what is known, with a warning.
    until("nobody seems to stand still", || {
        let seems_stuck = done.stderr.contains("another device that does not answer");
        if seems_stuck && let Ok(again) = engine.run(&["pod", "inspect", "-f", "{{.State}}", pod]) {
            done = again;
        }
        !seems_stuck
    })?;
    ensure!(done.code == Some(0), "{pod}: {done:#?}");
    Ok(done.stdout.trim_end().to_owned())
}

pub(super) fn infra(engine: &Engine, pod: &str) -> Result<String> {
    engine.ok(&["pod", "inspect", "-f", "{{.InfraContainerID}}", pod])
}

/// The folders of a pod's cgroup, one for each hierarchy.
pub(super) fn groups(engine: &Engine, pod: &str) -> Result<Vec<PathBuf>> {
    let path = engine.ok(&["pod", "inspect", "-f", "{{.CgroupPath}}", pod])?;
    let path = path.trim_start_matches('/').to_owned();
    let root = PathBuf::from("/sys/fs/cgroup");
    let mut found = vec![root.join(&path)];
    found.extend(fs::read_dir(&root)?.flatten().map(|entry| entry.path().join(&path)));
    found.retain(|folder| folder.exists());
    Ok(found)
}

pub(super) fn kill(pid: i32) -> Result<()> {
    sys::send(pid, libc::SIGKILL)?;
    until("it has ended", || !processes::alive(pid))
}

pub(crate) fn what_is_shared() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.ok(&["pod", "create", "--name", "one"])?;
    ensure!(id.len() == 64, "{id}");
    expect_eq!(state(&engine, "one")?, "Created");
    for name in ["first", "second"] {
        member(&engine, "one", name, &[])?;
    }
    expect_eq!(state(&engine, "one")?, "Running");
    for kind in ["net", "ipc", "uts"] {
        let (one, two) = (link(&engine, "first", kind)?, link(&engine, "second", kind)?);
        expect_eq!(one, two, "{kind}");
    }
    for kind in ["mnt", "pid", "cgroup"] {
        let (one, two) = (link(&engine, "first", kind)?, link(&engine, "second", kind)?);
        ensure!(one != two, "{kind} is shared");
    }
    // Memory, the host name, and the files that speak of it.
    engine.ok(&["exec", "first", "sh", "-c", "echo hello > /dev/shm/word"])?;
    expect_eq!(engine.ok(&["exec", "second", "cat", "/dev/shm/word"])?, "hello");
    ensure!(engine.ok(&["exec", "second", "mount"])?.contains("on /dev/shm type tmpfs (rw,nosuid"));
    for command in [&["hostname"][..], &["cat", "/etc/hostname"]] {
        expect_eq!(engine.ok(&[&["exec", "second"], command].concat())?, "one");
    }
    expect_eq!(engine.ok(&["exec", "second", "sh", "-c", "echo $HOSTNAME"])?, "one");
    ensure!(engine.ok(&["exec", "second", "cat", "/etc/hosts"])?.contains("\tone "));
    // One that is alone shares nothing of it.
    engine.start("alone", &[], "sleep 1000")?;
    for kind in ["net", "ipc", "uts"] {
        ensure!(link(&engine, "first", kind)? != link(&engine, "alone", kind)?, "{kind}");
    }
    // What it says of itself goes before the pod.
    member(&engine, "one", "third", &["--ipc", "private"])?;
    ensure!(link(&engine, "first", "ipc")? != link(&engine, "third", "ipc")?);
    expect_eq!(engine.ok(&["exec", "third", "ls", "/dev/shm"])?, "");
    engine.ok(&["pod", "rm", "-f", "-t", "0", "one"])?;
    engine.ok(&["rm", "-f", "alone"])?;
    engine.is_clean()
}

pub(crate) fn what_is_shared_on_demand() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["pod", "create", "--name", "pids", "--share", "pid,net", "--network", "none"])?;
    for name in ["first", "second"] {
        member(&engine, "pids", name, &[])?;
    }
    expect_eq!(link(&engine, "first", "pid")?, link(&engine, "second", "pid")?);
    ensure!(link(&engine, "first", "uts")? != link(&engine, "second", "uts")?, "uts");
    let listed = engine.ok(&["exec", "first", "ps"])?;
    ensure!(listed.lines().any(|line| line.contains("1 ") && line.contains("tino -P")), "{listed}");
    expect_eq!(listed.matches("sleep 1000").count(), 2, "{listed}");
    // One that has ended leaves no process of its own, though another one is the first there.
    engine.start("third", &["--pod", "pids"], "sleep 77 & sleep 77 & wait")?;
    until("it has started", || {
        engine.ok(&["exec", "first", "ps"]).is_ok_and(|text| text.matches("sleep 77").count() >= 2)
    })?;
    engine.ok(&["stop", "-t", "0", "third"])?;
    ensure!(!engine.ok(&["exec", "first", "ps"])?.contains("sleep 77"), "processes are left");
    // Nothing at all.
    engine.ok(&["pod", "create", "--name", "bare", "--share", "none"])?;
    expect_eq!(infra(&engine, "bare")?, "");
    for name in ["fourth", "fifth"] {
        member(&engine, "bare", name, &["--network", "none"])?;
    }
    ensure!(link(&engine, "fourth", "net")? != link(&engine, "fifth", "net")?, "net");
    expect_eq!(engine.ok(&["pod", "ps", "-q", "--filter", "ctr-number=2"])?.len(), 12);
    expect_eq!(state(&engine, "bare")?, "Running");
    ensure!(!groups(&engine, "bare")?.is_empty(), "it has no cgroup");
    engine.ok(&["pod", "rm", "-f", "-t", "0", "pids", "bare"])?;
    engine.is_clean()
}

pub(crate) fn from_start_to_removal() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.ok(&["pod", "create", "one", "--network", "none"])?;
    for name in ["first", "second"] {
        engine.ok(&["create", "--name", name, "--pod", "one", "box", "sleep", "1000"])?;
    }
    expect_eq!(state(&engine, "one")?, "Created");
    expect_eq!(engine.ok(&["pod", "start", "one"])?, id);
    expect_eq!(state(&engine, "one")?, "Running");
    // Twice is as good as once.
    engine.ok(&["pod", "start", "one"])?;
    engine.ok(&["stop", "-t", "0", "first"])?;
    expect_eq!(state(&engine, "one")?, "Degraded");
    engine.ok(&["start", "first"])?;
    engine.ok(&["pod", "pause", "one"])?;
    expect_eq!(state(&engine, "one")?, "Paused");
    expect_eq!(engine.status("second")?, "paused");
    engine.ok(&["pod", "unpause", "one"])?;
    expect_eq!(state(&engine, "one")?, "Running");
    let before = engine.field("first", "Pid")?;
    engine.ok(&["pod", "restart", "one"])?;
    expect_eq!(state(&engine, "one")?, "Running");
    ensure!(engine.field("first", "Pid")? != before, "it runs as before");
    expect_eq!(link(&engine, "first", "uts")?, link(&engine, "second", "uts")?);
    engine.ok(&["pod", "stop", "one"])?;
    expect_eq!(state(&engine, "one")?, "Exited");
    expect_eq!(groups(&engine, "one")?, Vec::<PathBuf>::new());
    engine.ok(&["pod", "stop", "one"])?;
    // A container brings the pod up.
    engine.ok(&["start", "second"])?;
    expect_eq!(state(&engine, "one")?, "Degraded");
    engine.ok(&["pod", "kill", "one"])?;
    engine.until_status("second", "exited")?;
    expect_eq!(engine.field("second", "ExitCode")?, "137");
    // The infra container is the pod's.
    let infra = infra(&engine, "one")?;
    engine.fails(&["rm", "-f", &infra], 1, "holds the namespaces of a pod")?;
    engine.ok(&["pod", "start", "one"])?;
    engine.ok(&["stop", "-t", "1", &infra])?;
    expect_eq!(state(&engine, "one")?, "Exited");
    // One that is removed is out of the pod, and `rm -a` leaves the infra container.
    engine.ok(&["rm", "first"])?;
    expect_eq!(engine.ok(&["pod", "inspect", "-f", "{{.NumContainers}}", "one"])?, "2");
    engine.ok(&["rm", "-f", "-a"])?;
    engine.ok(&["container", "prune", "-f"])?;
    expect_eq!(engine.ok(&["pod", "inspect", "-f", "{{.NumContainers}}", "one"])?, "1");
    expect_eq!(engine.ok(&["pod", "prune", "-f"])?, id);
    engine.is_clean()
}

/// As Podman's.
pub(crate) fn exit_codes() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["pod", "create", "--name", "one", "--network", "none"])?;
    for (words, code, expected) in [
        (&["pod", "create", "--name", "one"][..], 125, "in use by pod"),
        (&["create", "--name", "one", "box", "true"], 125, "in use by pod"),
        (&["pod", "exists", "two"], 1, ""),
        (&["pod", "rm", "two"], 1, "no such pod: two"),
        (&["pod", "stop", "two"], 125, "no such pod: two"),
        (&["pod", "start", "two"], 125, "no such pod"),
        (&["pod", "inspect", "two"], 125, "no such pod"),
        (&["pod", "logs", "two"], 125, "no such pod"),
        (&["pod", "top", "two"], 125, "no such pod"),
        (&["pod", "kill", "-s", "NONSENSE", "one"], 125, "is no signal"),
        (&["pod", "stop"], 125, "which pod?"),
        (&["pod", "stop", "--all", "one"], 125, "exclude each other"),
        (&["run", "--pod", "two", "box", "true"], 125, "no such pod: two"),
    ] {
        engine.fails(words, code, expected)?;
    }
    engine.ok(&["pod", "exists", "one"])?;
    expect_eq!(engine.ok(&["pod", "stop", "--ignore", "two"])?, "");
    expect_eq!(engine.ok(&["pod", "rm", "--ignore", "two"])?, "");
    engine.ok(&["create", "--name", "first", "box", "true"])?;
    engine.fails(&["pod", "create", "--name", "first"], 125, "in use by container")?;
    engine.fails(&["rename", "first", "one"], 1, "in use by pod")?;
    let done = engine.run(&["run", "--pod", "one", "box", "sh", "-c", "exit 7"])?;
    expect_eq!(done.code, Some(7));
    let done = engine.run(&["run", "--pod", "one", "box", "nonsense"])?;
    expect_eq!(done.code, Some(127));
    member(&engine, "one", "second", &[])?;
    engine.fails(&["pod", "rm", "one"], 2, "has containers that run: second")?;
    engine.ok(&["pod", "exists", "one"])?;
    // Nothing but the infra container runs.
    engine.ok(&["stop", "-t", "0", "second"])?;
    engine.ok(&["pod", "rm", "one"])?;
    engine.ok(&["rm", "first"])?;
    engine.is_clean()
}

pub(crate) fn ports_and_names() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let flags = ["-p", "8080:80/tcp", "-p", "8080:80/udp", "--network-alias", "shop"];
    engine.ok(&[&["pod", "create", "--name", "one"], &flags[..]].concat())?;
    // The namespaces alone have no port yet; a container in them serves it.
    let serve = ["run", "-d", "--name", "web", "--pod", "one", "host:", "python3", "-uc", ECHO];
    engine.ok(&serve)?;
    until("it serves", || engine.ok(&["logs", "web"]).is_ok_and(|text| text == "ready"))?;
    expect_eq!(other.python(&ask("192.0.2.1", 8080))?, "192.0.2.2\n192.0.2.2\n");
    expect_eq!(engine.ok(&["port", "web", "80/tcp"])?, "0.0.0.0:8080\n[::]:8080");
    ensure!(engine.field("web", "Ports")?.contains("0.0.0.0:8080->80/tcp"), "ps shows no port");
    let address = engine.ok(&["pod", "inspect", "-f", "{{.InfraConfig.IPAddress}}", "one"])?;
    let dig = |flags: &[&str], name: &str| {
        engine.ok(&[&["run", "--rm"], flags, &["host:", "dig", "+short", name]].concat())
    };
    // From elsewhere, and in the pod; one that comes later, too.
    engine.ok(&["create", "--name", "later", "--pod", "one", "box", "true"])?;
    for name in ["one", "web", "later", "shop", "web.bridge"] {
        expect_eq!(dig(&[], name)?, address, "{name}");
        expect_eq!(dig(&["--pod", "one"], name)?, address, "{name} in the pod");
    }
    engine.ok(&["rename", "later", "sooner"])?;
    expect_eq!(dig(&[], "later")?, "");
    expect_eq!(dig(&[], "sooner")?, address);
    engine.ok(&["rm", "sooner"])?;
    expect_eq!(dig(&[], "sooner")?, "");
    expect_eq!(dig(&[], "web")?, address);
    // Each other's loopback.
    let inside = ["run", "--rm", "--pod", "one", "host:", "python3", "-c", &ask("127.0.0.1", 80)];
    expect_eq!(engine.ok(&inside)?, "127.0.0.1\n127.0.0.1");
    engine.ok(&["pod", "stop", "-t", "0", "one"])?;
    expect_eq!(dig(&[], "web")?, "");
    expect_eq!(other.python(&ask_in_vain("192.0.2.1", 8080))?, "None\nNone\n");
    engine.ok(&["pod", "start", "one"])?;
    until("it is reached again", || {
        other
            .python(&ask_in_vain("192.0.2.1", 8080))
            .is_ok_and(|text| text.starts_with("192.0.2.2"))
    })?;
    expect_eq!(dig(&[], "web")?, address);
    // Whoever kills what holds the port leaves nothing of it.
    kill(engine.monitor(&infra(&engine, "one")?)?)?;
    until("all have ended", || state(&engine, "one").is_ok_and(|it| it == "Exited"))?;
    let rules = run("nft list ruleset")?;
    ensure!(!rules.contains(" . 80 "), "{rules}");
    expect_eq!(fs::read_to_string(engine.store.join("run/networks/bridge"))?, "");
    engine.ok(&["pod", "rm", "one"])?;
    engine.is_clean()
}

pub(crate) fn limits_hold_for_all_together() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["--network", "none", "--memory", "64m", "--cpus", "0.5", "--pids-limit", "20"];
    engine.ok(&[&["pod", "create", "--name", "one"], &flags[..]].concat())?;
    let [first, _second] = ["first", "second"].map(|name| member(&engine, "one", name, &[]));
    let id = first?;
    let groups = groups(&engine, "one")?;
    let read = |file: &str| {
        let texts = groups.iter().filter_map(|group| fs::read_to_string(group.join(file)).ok());
        texts.map(|text| text.trim().to_owned()).next()
    };
    ensure!(!groups.is_empty(), "it has no cgroup");
    ensure!(groups.iter().all(|group| group.join(&id).exists()), "{groups:?}");
    let memory = read("memory.limit_in_bytes").or_else(|| read("memory.max"));
    expect_eq!(memory.context("no memory")?, (64 << 20).to_string());
    let cpu = read("cpu.cfs_quota_us").or_else(|| read("cpu.max")).context("no cpu")?;
    ensure!(cpu.starts_with("50000"), "{cpu}");
    expect_eq!(read("pids.max").context("no pids")?, "20");
    // Each of them might have thousands.
    let spawn = "for i in $(seq 30); do sleep 1000 & done";
    let done = engine.run(&["exec", "second", "sh", "-c", spawn])?;
    ensure!(done.code != Some(0) && done.stderr.contains("fork"), "{done:#?}");
    engine.ok(&["pod", "rm", "-f", "-t", "0", "one"])?;
    ensure!(groups.iter().all(|group| !group.exists()), "a cgroup is left");
    // Another place.
    engine.ok(&["pod", "create", "--name", "two", "--network", "none", "--cgroup-parent", "/x"])?;
    engine.ok(&["pod", "start", "two"])?;
    let path = engine.ok(&["pod", "inspect", "-f", "{{.CgroupPath}}", "two"])?;
    ensure!(path.starts_with("/x/pod-"), "{path}");
    let there = self::groups(&engine, "two")?;
    ensure!(!there.is_empty(), "it has no cgroup");
    engine.ok(&["pod", "rm", "two"])?;
    for group in there {
        fs::remove_dir(group.parent().context("a folder above")?)?;
    }
    engine.is_clean()
}
