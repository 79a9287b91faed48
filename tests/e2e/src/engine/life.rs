//! From `create` to `rm`.

use std::fs;

use anyhow::{Result, ensure};

use super::support::{Engine, json};
use crate::expect_eq;
use crate::support::until;

pub(crate) fn ps_shows_what_is() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &[], "sleep 100")?;
    engine.ok(&["create", "--name", "two", "box", "true"])?;
    expect_eq!(engine.ok(&["ps", "--format={{.Names}}"])?, "one");
    expect_eq!(engine.ok(&["ps", "-q"])?, id[..12]);
    expect_eq!(engine.ok(&["ps", "-q", "--no-trunc"])?, id);
    expect_eq!(
        engine.ok(&["ps", "-a", "--format={{.Names}} {{.State}}"])?,
        "two created\none running"
    );
    engine.ok(&["kill", "one"])?;
    engine.until_status("one", "exited")?;
    ensure!(engine.field("one", "Status")?.starts_with("Exited (137)"));
    engine.ok(&["start", "two"])?;
    engine.until_status("two", "exited")?;
    ensure!(engine.field("two", "Status")?.starts_with("Exited (0)"));
    Ok(())
}

pub(crate) fn ps_filters_and_formats() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["create", "--name", "red", "--label", "color=red", "box", "sh", "-c", "exit 3"])?;
    engine.ok(&["create", "--name", "blue", "--label", "color=blue", "box", "true"])?;
    engine.run(&["start", "-a", "red"])?;
    let names = |filters: &[&str]| {
        let mut words = vec!["ps", "-a", "--format={{.Names}}"];
        filters.iter().for_each(|filter| words.extend(["-f", filter]));
        engine.ok(&words)
    };
    for (filters, expected) in [
        (&["label=color=red"][..], "red"),
        (&["label=color"], "blue\nred"),
        (&["status=created"], "blue"),
        (&["exited=3"], "red"),
        (&["name=bl"], "blue"),
        (&["name=bl", "name=red"], "blue\nred"),
        (&["name=bl", "status=exited"], ""),
        (&["ancestor=box"], "blue\nred"),
        (&["before=blue"], "red"),
    ] {
        expect_eq!(names(filters)?, expected, "{filters:?}");
    }
    let line = json(&engine.ok(&["ps", "-a", "-f", "name=red", "--format=json"])?)?;
    expect_eq!(line["Labels"], "color=red");
    engine.fails(&["ps", "-f", "nonsense=1"], 125, "no filter")
}

pub(crate) fn stop_asks_and_then_kills() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("polite", &[], "trap 'exit 5' TERM; while true; do sleep 0.1; done")?;
    engine.start("deaf", &[], "trap '' TERM; while true; do sleep 0.1; done")?;
    engine.start(
        "own",
        &["--stop-signal", "USR1"],
        "trap 'exit 6' USR1; while true; do sleep 0.1; done",
    )?;
    for name in ["polite", "deaf", "own"] {
        // The shell has set its traps once it sleeps.
        until("the shell sleeps", || {
            engine.ok(&["exec", name, "ps"]).is_ok_and(|text| text.contains("sleep 0.1"))
        })?;
    }
    expect_eq!(engine.ok(&["stop", "polite"])?, "polite");
    engine.ok(&["stop", "-t", "0", "deaf"])?;
    // No clock can tell when that is over.
    engine.ok(&["stop", "-t", &i64::MAX.to_string(), "own"])?;
    for (name, code) in [("polite", "5"), ("deaf", "137"), ("own", "6")] {
        expect_eq!(engine.field(name, "ExitCode")?, code, "{name}");
    }
    // Once more is no error.
    engine.ok(&["stop", "polite"])?;
    engine.fails(&["kill", "polite"], 1, "not running")?;
    engine.ok(&["restart", "-t", "0", "polite"])?;
    expect_eq!(engine.status("polite")?, "running");
    Ok(())
}

pub(crate) fn restart_policies() -> Result<()> {
    let engine = Engine::new()?;
    engine.start(
        "thrice",
        &["--restart", "on-failure:2", "-v", "count:/c"],
        "echo x >> /c/c; exit 1",
    )?;
    engine.start("fine", &["--restart", "on-failure", "-v", "fine:/c"], "echo x >> /c/c")?;
    engine.start(
        "always",
        &["--restart", "always", "-v", "always:/c"],
        "echo x >> /c/c; sleep 0.1",
    )?;
    let lines = |volume: &str| {
        let path = engine.store.join("volumes").join(volume).join("_data/c");
        fs::read_to_string(path).unwrap_or_default().lines().count()
    };
    engine.until_status("thrice", "exited")?;
    expect_eq!(lines("count"), 3);
    engine.until_status("fine", "exited")?;
    expect_eq!(lines("fine"), 1);
    until("it has run three times", || lines("always") >= 3)?;
    engine.ok(&["update", "--restart", "no", "always"])?;
    engine.until_status("always", "exited")
}

/// The limits of before had come back with the program.
pub(crate) fn updated_limits_outlive_a_restart() -> Result<()> {
    let engine = Engine::new()?;
    let script = "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; sleep 1000";
    let flags = ["--restart", "always", "--pids-limit", "30", "--network=none"];
    engine.start("one", &flags, script)?;
    let logs = |expected: &str| {
        until(&format!("it has said {expected:?}"), || {
            engine.ok(&["logs", "one"]).is_ok_and(|text| text == expected)
        })
    };
    logs("30")?;
    let first: i32 = engine.field("one", "Pid")?.parse()?;
    engine.ok(&["update", "--pids-limit", "40", "one"])?;
    crate::support::sys::send(first, libc::SIGKILL)?;
    logs("30\n40")?;
    // While it waits to be started again.
    engine.start("failing", &["--restart", "always", "--network=none"], "exit 1")?;
    engine.until_status("failing", "restarting")?;
    engine.ok(&["update", "--memory", "64m", "failing"]).map(drop)
}

pub(crate) fn stop_ends_a_policy() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("stubborn", &["--restart", "always"], "exit 1")?;
    engine.until_status("stubborn", "restarting")?;
    engine.ok(&["stop", "stubborn"])?;
    expect_eq!(engine.status("stubborn")?, "exited");
    engine.ok(&["start", &id])?;
    engine.ok(&["rm", "-f", "stubborn"])?;
    engine.is_clean()
}

pub(crate) fn pause_and_unpause() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("one", &[], "i=0; while true; do echo $i; i=$((i+1)); sleep 0.01; done")?;
    engine.ok(&["pause", "one"])?;
    expect_eq!(engine.status("one")?, "paused");
    let lines = || engine.ok(&["logs", "one"]).map(|text| text.lines().count());
    let mut before = 0;
    // What it had printed may be on its way into the log yet; what it would print comes 20 times.
    until("nothing is printed any more", || {
        before = lines().unwrap_or_default();
        std::thread::sleep(std::time::Duration::from_millis(200));
        lines().is_ok_and(|now| now == before)
    })?;
    engine.fails(&["exec", "one", "true"], 1, "paused")?;
    engine.fails(&["pause", "one"], 1, "paused")?;
    for words in [&["exec", "one", "true"][..], &["exec", "-d", "one", "true"]] {
        engine.fails(words, 1, "container one is paused: unpause it first")?;
    }
    engine.ok(&["unpause", "one"])?;
    expect_eq!(engine.status("one")?, "running");
    until("it goes on", || lines().is_ok_and(|now| now > before))?;
    engine.ok(&["pause", "one"])?;
    engine.ok(&["stop", "-t", "1", "one"])?;
    expect_eq!(engine.status("one")?, "exited");
    Ok(())
}

pub(crate) fn rename_and_wait() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("old", &[], "sleep 0.3; exit 4")?;
    engine.ok(&["rename", "old", "new"])?;
    expect_eq!(engine.ok(&["wait", "new"])?, "4");
    expect_eq!(engine.ok(&["wait", "new"])?, "4");
    engine.fails(&["wait", "old"], 1, "no such container")?;
    engine.ok(&["create", "--name", "other", "box", "true"])?;
    engine.fails(&["rename", "other", "new"], 1, "already in use")?;
    engine.fails(&["rename", "other", "a/b"], 1, "invalid")
}

pub(crate) fn rm_refuses_what_runs() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("one", &[], "sleep 100")?;
    engine.fails(&["rm", "one"], 1, "--force")?;
    engine.fails(&["rmi", "-f", "box"], 1, "")?;
    engine.ok(&["rm", "-f", "one", "none"])?;
    engine.fails(&["rm", "one"], 1, "no such container")?;
    engine.ok(&["rmi", "box"])?;
    engine.is_clean()
}

pub(crate) fn health() -> Result<()> {
    let engine = Engine::new()?;
    let flags = [
        "--health-cmd",
        "test -e /tmp/well",
        "--health-interval",
        "50ms",
        "--health-retries",
        "2",
        "--health-timeout",
        "5s",
    ];
    engine.start("patient", &flags, "sleep 100")?;
    let is = |text: &str| engine.field("patient", "Status").is_ok_and(|found| found.contains(text));
    until("it is unhealthy", || is("(unhealthy)"))?;
    engine.ok(&["exec", "patient", "touch", "/tmp/well"])?;
    until("it is healthy", || is("(healthy)"))
}

/// What was paused had become unhealthy, as no check could be made.
pub(crate) fn what_is_paused_stays_as_healthy_as_it_was() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["--health-cmd=true", "--health-interval=100ms", "--health-retries=1"];
    engine.start("one", &[&flags[..], &["--network=none"]].concat(), "sleep 1000")?;
    let health = || engine.ok(&["inspect", "-f", "{{.State.Health.Status}}", "one"]);
    until("it is healthy", || health().is_ok_and(|text| text == "healthy"))?;
    engine.ok(&["pause", "one"])?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    expect_eq!(health()?, "healthy");
    engine.ok(&["unpause", "one"])?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    expect_eq!(health()?, "healthy");
    Ok(())
}
