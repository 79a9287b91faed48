//! SIGTERM for monitors, as whoever ends the machine sends it to all that is left.

use anyhow::{Result, ensure};

use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

/// A program that ends as it wants to when it is asked.
const POLITE: &str = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done";

pub(crate) fn a_monitor_that_is_asked_to_end_stops_its_container() -> Result<()> {
    let engine = Engine::new()?;
    let start = |name: &str, flags: &[&str], script: &str| -> Result<i32> {
        let id = engine.start(name, &[&["--network=none"], flags].concat(), script)?;
        until("it is ready", || engine.ok(&["logs", name]).is_ok_and(|text| text == "ready"))?;
        engine.monitor(&id)
    };
    let always = ["--restart", "always"];
    let usr1 = ["--stop-signal", "USR1", "--restart", "unless-stopped"];
    let own = "trap 'echo bye; exit 4' USR1; echo ready; while :; do sleep 0.1; done";
    let deaf = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
    let monitors = [
        start("polite", &always, POLITE)?,
        start("own", &usr1, own)?,
        start("deaf", &["--stop-timeout", "1"], deaf)?,
        start("paused", &[], POLITE)?,
    ];
    engine.ok(&["pause", "paused"])?;
    for monitor in monitors {
        sys::send(monitor, libc::SIGTERM)?;
    }
    // Twice is as good as once.
    sys::send(monitors[2], libc::SIGTERM)?;
    for monitor in monitors {
        until("the monitor has left", || !processes::alive(monitor))?;
    }
    for (name, code) in [("polite", "3"), ("own", "4"), ("deaf", "137"), ("paused", "3")] {
        expect_eq!(engine.status(name)?, "exited", "{name}");
        expect_eq!(engine.field(name, "ExitCode")?, code, "{name}");
        expect_eq!(engine.ok(&["inspect", "-f", "{{.State.Error}}", name])?, "", "{name}");
    }
    expect_eq!(engine.ok(&["logs", "polite"])?, "ready\nbye");
    engine.ok(&["system", "check", "--quick"])?;
    // Nobody has stopped them: they are to run when the machine does.
    let mut started: Vec<String> =
        engine.ok(&["system", "service", "start"])?.lines().map(str::to_owned).collect();
    started.sort_unstable();
    expect_eq!(started, ["own", "polite"]);
    expect_eq!(engine.status("polite")?, "running");
    Ok(())
}

/// One that waits to be started again has nothing to wait for, and what was to be removed is.
pub(crate) fn a_monitor_that_is_asked_to_end_between_two_starts() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("failing", &["--restart", "always", "--network=none"], "exit 9")?;
    let restarts = || -> Result<u32> {
        Ok(engine.ok(&["inspect", "-f", "{{.RestartCount}}", "failing"])?.parse()?)
    };
    // Then the wait is long.
    until("it was started again", || restarts().is_ok_and(|count| count >= 4))?;
    engine.until_status("failing", "restarting")?;
    let monitor = engine.monitor(&id)?;
    sys::send(monitor, libc::SIGTERM)?;
    until("the monitor has left", || !processes::alive(monitor))?;
    expect_eq!(engine.status("failing")?, "exited");
    expect_eq!(engine.field("failing", "ExitCode")?, "9");
    ensure!(engine.ok(&["ps", "-q"])?.is_empty());
    engine.ok(&["rm", "failing"])?;
    let id = engine.start("gone", &["--rm", "-v", "/anonymous"], POLITE)?;
    sys::send(engine.monitor(&id)?, libc::SIGTERM)?;
    until("it is removed", || engine.is_clean().is_ok())?;
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "");
    engine.is_clean()
}
