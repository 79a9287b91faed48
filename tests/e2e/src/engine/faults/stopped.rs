//! Processes that are stopped while others wait for what they have: they are named, with what helps.

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
        sys::send(monitor, libc::SIGSTOP)?;
        std::thread::sleep(Duration::from_millis(300));
        if start.try_wait()?.is_none() {
            return Ok((id, start, monitor));
        }
        sys::send(monitor, libc::SIGCONT)?;
        engine.ok(&["rm", "-f", &id])?;
    }
    anyhow::bail!("monitors are always faster")
}
