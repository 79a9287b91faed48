//! Moments that random kills find once in a hundred runs, held open as long as is needed.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{FlockOperation, flock};

use crate::engine::faults::kill;
use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

/// Long enough for a command to have come to its end, if it does not wait.
const A_WHILE: Duration = Duration::from_millis(500);

fn begin(engine: &Engine, words: &[&str]) -> Result<Child> {
    let mut command = engine.command(words);
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// The trial is the monitor of a container that it has not started yet, as whoever started it was
/// killed: nobody else holds the container's lock.
fn starting(engine: &Engine, id: &str) -> Result<(PathBuf, File)> {
    let folder = engine.store.join("containers").join(id);
    let lock = File::create(folder.join("monitor"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok((folder, lock))
}

/// `start` had waited for the end of what was just starting.
pub(crate) fn started_by_a_killed_command() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.ok(&["create", "--name", "one", "--network", "none", "box", "true"])?;
    let (folder, lock) = starting(&engine, &id)?;
    let mut other = begin(&engine, &["start", "one"])?;
    std::thread::sleep(A_WHILE);
    ensure!(other.try_wait()?.is_none(), "it does not wait until it is known what will be");
    fs::write(folder.join("state"), format!("phase running\npid {}\n", std::process::id()))?;
    let done = other.wait_with_output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(!done.status.success() && said.contains("running"), "{said}");
    // As if it was killed, too.
    drop(lock);
    expect_eq!(engine.status("one")?, "exited");
    engine.ok(&["start", "one"])?;
    engine.until_status("one", "exited")?;
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

/// The rows were changed, while the networks of before were about to be used: a device was left.
pub(crate) fn networks_of_what_is_about_to_run() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "other"])?;
    let id = engine.ok(&["create", "--name", "one", "box", "true"])?;
    for words in
        [&["network", "connect", "other", "one"], &["network", "disconnect", "other", "one"]]
    {
        let (_, lock) = starting(&engine, &id)?;
        let mut other = begin(&engine, words)?;
        std::thread::sleep(A_WHILE);
        ensure!(other.try_wait()?.is_none(), "{words:?} does not wait");
        drop(lock);
        let done = other.wait_with_output()?;
        ensure!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

/// The port of a container led on to an address that it did not have any more.
pub(crate) fn a_monitor_that_has_not_heard_of_a_change() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "other"])?;
    let flags = ["--network", "other", "-p", "27060:80"];
    let id = engine.start("one", &flags, "sleep 1000")?;
    let monitor = engine.monitor(&id)?;
    sys::send(monitor, libc::SIGSTOP)?;
    engine.ok(&["network", "disconnect", "other", "one"])?;
    kill(monitor)?;
    expect_eq!(engine.status("one")?, "exited");
    engine.ok(&["system", "check"])?;
    engine.ok(&["rm", "one"])?;
    engine.ok(&["network", "rm", "other"])?;
    engine.is_clean()
}

/// A program whose monitor was killed at the first moment went on until somebody looked.
pub(crate) fn programs_end_with_their_monitor() -> Result<()> {
    let engine = Engine::new()?;
    for flags in [&["--init=false"][..], &[]] {
        let id = engine.start("one", flags, "trap '' TERM; sleep 1000")?;
        let first: i32 = engine.field("one", "Pid")?.parse()?;
        kill(engine.monitor(&id)?)?;
        // Without a command that would look.
        until("its program has ended", || !processes::alive(first))?;
        engine.ok(&["rm", "-f", "one"])?;
    }
    // The word to start was there before the monitor was killed.
    for pause in 0..40 {
        let mut other =
            begin(&engine, &["run", "-d", "--network", "none", "box", "sleep", "1000"])?;
        let monitor = || {
            let all = processes::all().into_iter().map(|(pid, _)| pid);
            let own = engine.store.join("run/started").to_string_lossy().into_owned();
            all.into_iter().find(|pid| {
                let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let words = String::from_utf8_lossy(&words).into_owned();
                words.contains("\0monitor\0") && words.contains(&own)
            })
        };
        let mut found = None;
        until("there is a monitor", || {
            found = monitor();
            found.is_some()
        })?;
        std::thread::sleep(Duration::from_micros(500 * pause));
        kill(found.context("a monitor")?)?;
        other.wait()?;
        let runs = || {
            processes::all().into_iter().any(|(pid, _)| {
                let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                words == b"sleep\x001000\0" && is_of(&engine, pid)
            })
        };
        until("its program has ended", || !runs())?;
    }
    engine.ok(&["rm", "-f", "-a"])?;
    engine.is_clean()
}

/// Whether a process is in a cgroup of one of the store's containers.
fn is_of(engine: &Engine, pid: i32) -> bool {
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let id = group.split("/tinyo/").nth(1).map(|rest| rest.chars().take(64).collect::<String>());
    id.is_some_and(|id| engine.store.join("containers").join(id).exists())
}

/// The kernel takes back the devices of a network some time after the last process has left it.
pub(crate) fn devices_that_are_about_to_go() -> Result<()> {
    let engine = Engine::new()?;
    let hold = |name: &str| -> Result<File> {
        engine.start(name, &[], "sleep 1000")?;
        let pid = engine.field(name, "Pid")?;
        let network = File::open(format!("/proc/{pid}/ns/net"))?;
        engine.ok(&["stop", "-t", "0", name])?;
        Ok(network)
    };
    let network = hold("one")?;
    let check = begin(&engine, &["system", "check", "--quick"])?;
    std::thread::sleep(A_WHILE);
    drop(network);
    let done = check.wait_with_output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    // Somebody who stays in it is a fault.
    let network = hold("two")?;
    let done = engine.run(&["system", "check", "--quick"])?;
    ensure!(done.code == Some(1) && done.stdout.contains("is left"), "{done:#?}");
    drop(network);
    engine.ok(&["system", "check", "--quick"])?;
    engine.ok(&["rm", "-a"])?;
    engine.is_clean()
}

/// Whoever was removing one was killed, and somebody else comes across it.
pub(crate) fn a_folder_that_is_half_removed() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.ok(&["create", "box", "true"])?;
    let containers = engine.store.join("containers");
    let half = containers.join("0".repeat(64)).with_extension("removed");
    fs::create_dir_all(half.join("upper/a/b"))?;
    let folder = containers.join("1".repeat(64));
    fs::create_dir_all(folder.join("upper"))?;
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(begin(&engine, &["container", "prune", "-f"])?);
        all.push(begin(&engine, &["create", "box", "true"])?);
        all.push(begin(&engine, &["rm", "-f", &id])?);
    }
    for one in all {
        let done = one.wait_with_output()?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        ensure!(done.status.success() || said.contains("no such container"), "{said}");
    }
    ensure!(!half.exists() && !folder.exists());
    engine.ok(&["rm", "-f", "-a"])?;
    engine.is_clean()
}

/// The signal of who stopped it came between two starts, and was nobody's.
pub(crate) fn stopped_while_it_is_started_again() -> Result<()> {
    let engine = Engine::new()?;
    let script = "test -e /data/second && exec sleep 1000; touch /data/second; exit 1";
    for round in 0..12 {
        engine.start("one", &["--restart", "always", "--network", "none"], script)?;
        // The wait before the second start is 100 ms.
        std::thread::sleep(Duration::from_millis(60 + 12 * round));
        let mut stop = begin(&engine, &["stop", "-t", "-1", "one"])?;
        until("it has stopped", || matches!(stop.try_wait(), Ok(Some(_))))?;
        let done = stop.wait_with_output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        expect_eq!(engine.status("one")?, "exited");
        engine.ok(&["rm", "one"])?;
    }
    engine.is_clean()
}

/// A `commit` that was killed had left its container paused.
pub(crate) fn paused_for_a_moment() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--network", "none"], "sleep 1000")?;
    engine.ok(&["pause", "one"])?;
    let mark = engine.store.join("containers").join(id).join("paused");
    // The trial is the one who commits it,
    let file = File::options().write(true).open(&mark)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::write(&mark, "\n")?;
    expect_eq!(engine.status("one")?, "paused");
    // and then is killed.
    drop(file);
    expect_eq!(engine.status("one")?, "running");
    engine.ok(&["exec", "one", "true"])?;
    engine.ok(&["commit", "one", "made"])?;
    expect_eq!(engine.status("one")?, "running");
    ensure!(!mark.exists());
    // What a user has paused stays so.
    engine.ok(&["pause", "one"])?;
    engine.ok(&["commit", "one", "made"])?;
    expect_eq!(engine.status("one")?, "paused");
    Ok(())
}
