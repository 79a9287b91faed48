//! Whatever of ours is killed: what is told afterwards is true, and nothing is left.

pub(crate) mod chaos;
pub(crate) mod chaos_changes;
pub(crate) mod chaos_pods;
pub(crate) mod crowds;
pub(crate) mod disks;
pub(crate) mod failing;
pub(crate) mod full;
pub(crate) mod guard;
pub(crate) mod many;
pub(crate) mod narrow;
pub(crate) mod shutdown;
pub(crate) mod stopped;
mod storm;
pub(crate) mod upkeep;
pub(crate) mod windows;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

pub(super) fn kill(pid: i32) -> Result<()> {
    sys::send(pid, libc::SIGKILL)?;
    until("it has ended", || !processes::alive(pid))
}

pub(crate) fn a_killed_monitor_is_noticed() -> Result<()> {
    let engine = Engine::new()?;
    for flags in [&[][..], &["--init=false"]] {
        let id = engine.start("one", flags, "trap '' TERM; sleep 1000")?;
        let first: i32 = engine.field("one", "Pid")?.parse()?;
        ensure!(processes::alive(first));
        kill(engine.monitor(&id)?)?;
        expect_eq!(engine.status("one")?, "exited");
        expect_eq!(engine.field("one", "ExitCode")?, "137");
        ensure!(!processes::alive(first), "its program goes on");
        engine.ok(&["start", "one"])?;
        expect_eq!(engine.status("one")?, "running");
        kill(engine.monitor(&id)?)?;
        engine.ok(&["rm", "-f", "one"])?;
        engine.is_clean()?;
    }
    Ok(())
}

pub(crate) fn a_killed_monitor_is_replaced_where_the_policy_says_so() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--restart", "always"], "sleep 1000")?;
    let first = engine.monitor(&id)?;
    kill(first)?;
    expect_eq!(engine.status("one")?, "running");
    ensure!(engine.monitor(&id)? != first);
    engine.ok(&["stop", "-t", "0", "one"])?;
    expect_eq!(engine.status("one")?, "exited");
    Ok(())
}

/// What its policy says holds for what could not be started at once, too.
pub(crate) fn a_replaced_monitor_tries_again() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--restart", "always", "-p", "27220:80"], "sleep 1000")?;
    let stopped = guard::stop(&engine)?;
    kill(engine.monitor(&id)?)?;
    let mut port = None;
    until("the port is free", || {
        port = std::net::TcpListener::bind("0.0.0.0:27220").ok();
        port.is_some()
    })?;
    expect_eq!(engine.status("one")?, "restarting");
    let error = engine.ok(&["inspect", "-f", "{{.State.Error}}", "one"])?;
    ensure!(error.contains("27220"), "{error}");
    let second = engine.monitor(&id)?;
    drop(port);
    engine.until_status("one", "running")?;
    expect_eq!(engine.monitor(&id)?, second);
    let restarts: u32 = engine.ok(&["inspect", "-f", "{{.RestartCount}}", "one"])?.parse()?;
    ensure!(restarts >= 2, "{restarts}");
    // And whoever stops it does so for good.
    expect_eq!(guard::stop(&engine)?, stopped);
    kill(second)?;
    let port = std::net::TcpListener::bind("0.0.0.0:27220")?;
    expect_eq!(engine.status("one")?, "restarting");
    engine.ok(&["stop", "one"])?;
    expect_eq!(engine.status("one")?, "exited");
    drop(port);
    sys::send(stopped, libc::SIGCONT)?;
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

pub(crate) fn a_killed_command_leaves_the_container_running() -> Result<()> {
    let engine = Engine::new()?;
    let running = engine
        .launch(&["run", "--name", "one", "box", "sh", "-c", "echo ready; sleep 1000"])
        .start()?;
    running.wait_line("ready")?;
    kill(running.pid)?;
    expect_eq!(engine.status("one")?, "running");
    let attached = engine.launch(&["attach", "one"]).start()?;
    kill(attached.pid)?;
    expect_eq!(engine.status("one")?, "running");
    Ok(())
}

pub(crate) fn a_killed_foreground_removes_in_the_end() -> Result<()> {
    let engine = Engine::new()?;
    let running = engine
        .launch(&["run", "--rm", "--name", "one", "box", "sh", "-c", "echo ready; sleep 0.5"])
        .start()?;
    running.wait_line("ready")?;
    kill(running.pid)?;
    // The row goes before the folder.
    until("the container is gone", || engine.is_clean().is_ok())?;
    engine.is_clean()
}

pub(crate) fn what_was_to_be_removed_is_removed() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--rm", "-v", "/anonymous"], "sleep 1000")?;
    kill(engine.monitor(&id)?)?;
    expect_eq!(engine.ok(&["ps", "-aq"])?, "");
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "");
    // A folder without a row is what a killed `create` or `rm` leaves.
    std::fs::create_dir_all(engine.store.join("containers").join(&id).join("upper"))?;
    expect_eq!(engine.ok(&["container", "prune", "-f"])?, id);
    engine.is_clean()
}

pub(crate) fn many_at_once() -> Result<()> {
    let engine = Engine::new()?;
    let mut running = Vec::new();
    for number in 0..20 {
        let text = format!("echo {number}");
        running.push(engine.launch(&["run", "--rm", "box", "sh", "-c", &text]).start()?);
    }
    for (number, running) in running.into_iter().enumerate() {
        running.finish()?.expect_code(0)?.expect_stdout(&format!("{number}\n"))?;
    }
    // All on one container.
    engine.start("one", &[], "sleep 1000")?;
    let commands =
        ["stop -t0 one", "start one", "restart -t0 one", "kill one", "ps -a", "logs one"];
    let mut running = Vec::new();
    for round in 0..3 {
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            running.push(engine.launch(&words).start()?);
        }
        std::thread::sleep(Duration::from_millis(50 * round));
    }
    for running in running {
        // Some find it in a state in which they can do nothing; none may hang or crash.
        let finished = running.finish()?;
        ensure!(matches!(finished.code()?, 0 | 1), "{finished:?}");
    }
    engine.ok(&["rm", "-f", "one"])?;
    engine.is_clean()
}

pub(crate) fn one_name_for_two() -> Result<()> {
    let engine = Engine::new()?;
    let both: Vec<_> = (0..2)
        .map(|_| engine.launch(&["create", "--name", "one", "box", "true"]).start())
        .collect::<Result<_>>()?;
    let mut codes = both.into_iter().map(|one| one.finish()?.code()).collect::<Result<Vec<_>>>()?;
    codes.sort_unstable();
    expect_eq!(codes, [0, 125]);
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}
