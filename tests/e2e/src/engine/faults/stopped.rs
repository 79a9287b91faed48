//! Processes that are stopped while others wait for what they have: they are named, with what helps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

/// Somebody who has a lock, and is stopped until this is dropped.
struct Stopped(Child);

impl Stopped {
    fn new(engine: &Engine, path: &str) -> Result<Stopped> {
        let mut command = Command::new("flock");
        command.arg("-o").arg(engine.store.join(path)).args(["sleep", "1000"]);
        let stopped = Stopped(command.spawn().context("flock (util-linux)")?);
        let pid = stopped.pid();
        until("the lock is taken", || !processes::children(pid).is_empty())?;
        sys::send(pid, libc::SIGSTOP)?;
        Ok(stopped)
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for child in processes::children(self.pid()) {
            let _ = sys::send(child, libc::SIGKILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn begin(engine: &Engine, words: &str) -> Result<Child> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut command = engine.command(&words);
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

fn names(done: &Output, pid: i32) -> Result<()> {
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let is_said = said.contains(&format!("process {pid} ("))
        && said.contains(&format!("), which is stopped: `kill -CONT {pid}` lets it go on"));
    ensure!(!done.status.success() && is_said, "{pid}: {}: {said}", done.status);
    Ok(())
}

/// Each waited for ever, without a word.
pub(crate) fn who_has_a_lock_is_named() -> Result<()> {
    let engine = Engine::new()?;
    let create =
        |name: &str| engine.ok(&["create", "--name", name, "--network=none", "box", "true"]);
    let (one, two) = (create("one")?, create("two")?);
    engine.ok(&["volume", "create", "kept"])?;
    let places = [
        (format!("containers/{one}"), "start one"),
        // Of a container that has a monitor, but does not run.
        (format!("containers/{two}/monitor"), "start two"),
        ("volumes/.lock".to_owned(), "volume create more"),
    ];
    std::fs::write(engine.store.join(&places[1].0), "")?;
    let mut waiting = Vec::new();
    for (path, words) in &places {
        let holder = Stopped::new(&engine, path)?;
        waiting.push((begin(&engine, words)?, holder, words));
    }
    // Nobody else is kept waiting.
    expect_eq!(engine.status("one")?, "created");
    engine.ok(&["run", "--rm", "--network=none", "box", "true"])?;
    std::thread::sleep(Duration::from_secs(5));
    let before: Vec<_> =
        waiting.iter().map(|(child, ..)| processes::stat(child.id().cast_signed())).collect();
    for stat in before {
        // It does not turn in circles.
        let stat = stat.filter(|stat| stat.state != 'Z').context("it has not waited")?;
        ensure!(stat.ticks.0 + stat.ticks.1 < 100, "{stat:?}");
    }
    for (child, holder, words) in waiting {
        names(&child.wait_with_output()?, holder.pid()).context(*words)?;
        drop(holder);
        engine.ok(&words.split(' ').collect::<Vec<_>>())?;
    }
    engine.ok(&["volume", "rm", "kept", "more"])?;
    engine.ok(&["wait", "one", "two"])?;
    engine.ok(&["rm", "one", "two"])?;
    engine.is_clean()
}

/// Whoever asked it for something waited as long as it was stopped.
pub(crate) fn a_stopped_monitor_is_named() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--network=none"], "sleep 1000")?;
    let monitor = engine.monitor(&id)?;
    sys::send(monitor, libc::SIGSTOP)?;
    let stop = begin(&engine, "stop -t 0 one")?;
    let (two, start, starting) = stopped_at_its_start(&engine)?;
    let another = begin(&engine, &format!("update --memory=64m {two}"))?;
    names(&stop.wait_with_output()?, monitor)?;
    names(&start.wait_with_output()?, starting)?;
    sys::send(monitor, libc::SIGCONT)?;
    sys::send(starting, libc::SIGCONT)?;
    let another = another.wait_with_output()?;
    ensure!(another.status.success(), "{another:?}");
    engine.until_status("one", "exited")?;
    engine.ok(&["rm", "one"])?;
    engine.ok(&["rm", "-f", &two])?;
    engine.is_clean()
}

/// As above, of what it does for a container that goes on.
pub(crate) fn a_stopped_monitor_adds_nothing() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["--network=none", "--health-cmd=true", "--health-interval=1h"];
    let id = engine.start("one", &flags, "sleep 1000")?;
    let monitor = engine.monitor(&id)?;
    sys::send(monitor, libc::SIGSTOP)?;
    let waiting: Vec<_> = ["exec -d one true", "healthcheck run one"]
        .iter()
        .map(|words| begin(&engine, words))
        .collect::<Result<_>>()?;
    for child in waiting {
        names(&child.wait_with_output()?, monitor)?;
    }
    sys::send(monitor, libc::SIGCONT)?;
    engine.ok(&["exec", "-d", "one", "true"])?;
    engine.ok(&["healthcheck", "run", "one"])?;
    engine.ok(&["rm", "-f", "one"])?;
    engine.is_clean()
}

/// A container, the command that starts it, and its monitor, which has not said a word.
fn stopped_at_its_start(engine: &Engine) -> Result<(String, Child, i32)> {
    for _ in 0..50 {
        let id = engine.ok(&["create", "--network=none", "box", "sleep", "1000"])?;
        let mut start = begin(engine, &format!("start {id}"))?;
        let mut found = None;
        until("it has a monitor", || {
            found = engine.monitor(&id).ok();
            found.is_some()
        })?;
        let monitor = found.context("a monitor")?;
        // It may have come to its end, too.
        let _ = sys::send(monitor, libc::SIGSTOP);
        until("it is stopped", || processes::stat(monitor).is_none_or(|it| it.state == 'T'))?;
        // What it says is in the file before it is said.
        let state = engine.store.join("containers").join(&id).join("state");
        let has_spoken = fs::read_to_string(state).is_ok_and(|it| it.contains("phase running"));
        if !has_spoken && start.try_wait()?.is_none() {
            return Ok((id, start, monitor));
        }
        let _ = sys::send(monitor, libc::SIGCONT);
        start.wait()?;
        engine.ok(&["rm", "-f", &id])?;
    }
    anyhow::bail!("monitors are always faster")
}

/// Nothing was told of any container then.
pub(crate) fn one_locked_container_keeps_nobody_from_looking() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--network=none"], "sleep 1000")?;
    engine.ok(&["pod", "create", "--network=none", "--name", "pod"])?;
    let member = engine.start("two", &["--pod=pod"], "sleep 1000")?;
    engine.start("three", &["--network=none"], "sleep 1000")?;
    // Nobody else looks at them.
    let guard = super::guard::stop(&engine)?;
    let held: Vec<_> = [&id, &member]
        .iter()
        .map(|id| Stopped::new(&engine, &format!("containers/{id}")))
        .collect::<Result<_>>()?;
    for id in [&id, &member] {
        super::kill(engine.monitor(id)?)?;
    }
    let all = ["ps", "-a", "--sort=names", "--format={{.Names}} {{.State}} {{.ExitCode}}"];
    let of_pod = "{{.State}} {{(index .Containers 1).State}}";
    for (words, told) in [
        (&all[..], Some("one exited 137\nthree running 0\ntwo exited 137")),
        (&["ps", "-q"], None),
        (
            &["inspect", "-f", "{{.State.Status}} {{.State.Error}}", "one"],
            Some("exited its monitor"),
        ),
        (&["pod", "ps", "--format={{.Status}}"], Some("Degraded")),
        (&["pod", "inspect", "-f", of_pod, "pod"], Some("Degraded exited")),
        (&["info"], None),
        (&["system", "df"], None),
    ] {
        let done = engine.run(words)?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        let is_told = told.is_none_or(|told| done.stdout.contains(told));
        ensure!(is_told, "{words:?}: {done:#?}");
        let warns = done.stderr.contains("which is stopped: `kill -CONT ");
        ensure!(warns || words[0] == "system", "{words:?}: {done:#?}");
    }
    drop(held);
    let done = engine.run(&all)?;
    ensure!(done.stderr.is_empty() && done.stdout.contains("one exited 137\n"), "{done:#?}");
    sys::send(guard, libc::SIGCONT)?;
    engine.ok(&["pod", "rm", "-f", "-t0", "pod"])?;
    engine.ok(&["rm", "-f", "one", "three"])?;
    engine.is_clean()
}

/// A group whose processes do not get on, as those that wait for a disk.
struct Frozen(PathBuf);

impl Frozen {
    fn new(pid: i32) -> Result<Frozen> {
        let root = Path::new("/sys/fs/cgroup/freezer");
        if !root.join("tasks").exists() {
            harness::skip("there is no freezer of cgroup v1")?;
        }
        let frozen = Frozen(root.join(format!("tinyo-e2e-{}", std::process::id())));
        fs::create_dir(&frozen.0)?;
        fs::write(frozen.0.join("cgroup.procs"), pid.to_string())?;
        fs::write(frozen.0.join("freezer.state"), "FROZEN")?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("freezer.state"), "THAWED");
        let all = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        for pid in all.lines() {
            let _ = fs::write("/sys/fs/cgroup/freezer/cgroup.procs", pid);
        }
        let _ = until("the group is empty", || fs::remove_dir(&self.0).is_ok());
    }
}

/// Who starts a container waited for ever for a monitor that waits for a disk, with its lock.
pub(crate) fn a_hanging_monitor_is_named() -> Result<()> {
    let engine = Engine::new()?;
    let (id, start, monitor) = stopped_at_its_start(&engine)?;
    let frozen = Frozen::new(monitor)?;
    sys::send(monitor, libc::SIGCONT)?;
    let done = start.wait_with_output()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let why = "which waits for a disk or another device that does not answer";
    let is_said = said.contains(&format!("process {monitor} (")) && said.contains(why);
    ensure!(!done.status.success() && is_said, "{monitor}: {}: {said}", done.status);
    engine.ok(&["ps", "-a"])?;
    drop(frozen);
    engine.ok(&["rm", "-f", &id])?;
    engine.is_clean()
}
