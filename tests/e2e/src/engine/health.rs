//! What is done about containers that do not work.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::support::until;

const CHECK: [&str; 4] =
    ["--health-cmd=test ! -e /bad", "--health-interval=50ms", "--health-retries=2", "-d"];

/// Bad the first time, and good when it is started again.
const ONCE: &str = "if test -e /once; then rm -f /bad; else touch /once /bad; fi; exec sleep 100";

fn start(engine: &Engine, name: &str, flags: &[&str], script: &str) -> Result<String> {
    let words = [&["run", "--name", name], &CHECK[..], flags, &["box", "sh", "-c", script]];
    engine.ok(&words.concat())
}

fn state(engine: &Engine, name: &str, field: &str) -> Result<String> {
    engine.ok(&["inspect", "-f", &format!("{{{{.{field}}}}}"), name])
}

fn until_state(engine: &Engine, name: &str, field: &str, value: &str) -> Result<()> {
    until(&format!("{name}: {field} is {value}"), || {
        state(engine, name, field).is_ok_and(|found| found == value)
    })
}

pub(crate) fn who_is_unhealthy_is_killed_stopped_or_started_again() -> Result<()> {
    let engine = Engine::new()?;
    start(&engine, "killed", &["--health-on-failure=kill"], ONCE)?;
    start(&engine, "back", &["--health-on-failure=kill", "--restart=on-failure"], ONCE)?;
    let stop = ["--health-on-failure=stop", "--restart=always"];
    start(
        &engine,
        "stopped",
        &stop,
        "touch /bad; trap 'exit 7' TERM; while :; do sleep 0.1; done",
    )?;
    start(&engine, "again", &["--health-on-failure=restart"], ONCE)?;
    start(&engine, "left", &[], "touch /bad; exec sleep 100")?;
    engine.until_status("killed", "exited")?;
    expect_eq!(state(&engine, "killed", "State.ExitCode")?, "137");
    engine.until_status("stopped", "exited")?;
    expect_eq!(state(&engine, "stopped", "State.ExitCode")?, "7");
    expect_eq!(state(&engine, "stopped", "RestartCount")?, "0");
    for name in ["back", "again"] {
        until_state(&engine, name, "RestartCount", "1")?;
        until_state(&engine, name, "State.Health.Status", "healthy")?;
    }
    until_state(&engine, "left", "State.Health.Status", "unhealthy")?;
    expect_eq!(engine.status("left")?, "running");
    expect_eq!(state(&engine, "again", "Config.HealthcheckOnFailureAction")?, "restart");
    engine.ok(&["rm", "-f", "-t", "0", "killed", "back", "stopped", "again", "left"])?;
    engine.fails(&["run", "--health-on-failure=kill", "box", "true"], 125, "no health check")?;
    engine.fails(&["run", "--health-on-failure=x", "box", "true"], 125, "none, kill, restart")?;
    engine.is_clean()
}

pub(crate) fn a_start_that_takes_long_is_waited_for() -> Result<()> {
    let engine = Engine::new()?;
    let startup = ["--health-startup-cmd=test -e /started", "--health-startup-interval=30ms"];
    let twice = [&startup[..], &["--health-startup-success=2"]].concat();
    // What would make it unhealthy is not looked at.
    start(&engine, "slow", &twice, "touch /bad; exec sleep 100")?;
    start(
        &engine,
        "never",
        &[&startup[..], &["--health-startup-retries=2"]].concat(),
        "exec sleep 100",
    )?;
    until("it was started again", || {
        state(&engine, "never", "RestartCount").is_ok_and(|count| count != "0")
    })?;
    expect_eq!(state(&engine, "slow", "State.Health.Status")?, "starting");
    engine.ok(&["exec", "slow", "sh", "-c", "rm /bad; touch /started"])?;
    until_state(&engine, "slow", "State.Health.Status", "healthy")?;
    engine.ok(&["exec", "slow", "touch", "/bad"])?;
    until_state(&engine, "slow", "State.Health.Status", "unhealthy")?;
    engine.ok(&["rm", "-f", "-t", "0", "slow", "never"])?;
    let words = ["run", "--health-startup-cmd=true", "box", "true"];
    engine.fails(&words, 125, "no health check")?;
    let words = ["run", "--health-startup-retries=3", "box", "true"];
    engine.fails(&words, 125, "--health-startup-cmd")?;
    engine.is_clean()
}

/// The last five, with the beginning of what each printed; one that takes too long says that.
pub(crate) fn what_checks_print_is_remembered() -> Result<()> {
    let engine = Engine::new()?;
    let check = |name: &str, timeout: &str, command: &str| {
        let command = format!("--health-cmd={command}");
        let flags = ["-d", "--name", name, &command, "--health-interval=30ms"];
        let timeout = ["--health-timeout", timeout, "box", "sleep", "1000"];
        engine.ok(&[&["run"], &flags[..], &timeout].concat())
    };
    check("one", "60s", "echo out; echo error >&2; exit 3")?;
    check("long", "60s", "seq 1 100000")?;
    check("slow", "300ms", "echo hi; exec sleep 1000")?;
    // What it leaves running is not waited for.
    check("left", "60s", "sleep 1000 & echo left")?;
    let count = |name: &str| state(&engine, name, "State.Health.Log | len");
    for (name, code, output) in [
        ("one", "3", "out\nerror\n"),
        ("long", "0", "1\n2\n3\n"),
        ("slow", "-1", "Health check exceeded timeout (300ms)"),
        ("left", "0", "left\n"),
    ] {
        until(&format!("{name} was checked five times"), || {
            count(name).is_ok_and(|count| count == "5")
        })?;
        let field = |field: &str| {
            let template = format!("{{{{(index .State.Health.Log 4).{field}}}}}");
            engine.ok(&["inspect", "-f", &template, name])
        };
        expect_eq!(field("ExitCode")?, code);
        let found = engine.ok(&["inspect", "-f", "{{json .State.Health.Log}}", name])?;
        let found = super::support::json(&found)?;
        let said = found[4]["Output"].as_str().unwrap_or_default();
        ensure!(said.starts_with(output) && said.len() <= 4096, "{name}: {said:?}");
        ensure!(field("Start")? < field("End")?, "{name}: {found}");
    }
    engine.ok(&["rm", "-f", "-t", "0", "one", "long", "slow", "left"])?;
    engine.is_clean()
}

/// A monitor that is told to end does so, though its container may run for long.
pub(crate) fn a_container_with_a_time_limit_ends_when_asked() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--timeout", "1000"], "exec sleep 1000")?;
    let monitor = rustix::process::Pid::from_raw(engine.monitor(&id)?);
    ensure!(monitor.is_some(), "no monitor");
    if let Some(monitor) = monitor {
        rustix::process::kill_process(monitor, rustix::process::Signal::TERM)?;
    }
    engine.until_status("one", "exited")?;
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}
