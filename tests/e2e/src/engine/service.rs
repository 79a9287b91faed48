//! A real systemd that starts and stops what is to run, by the unit that we write.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::support::{Engine, image};
use crate::expect_eq;
use crate::kernel::systemd::{Systemd, control, missing, property};
use crate::support::{processes, until};

const UNIT: &str = "tinyo.service";

pub(crate) fn systemd_starts_and_stops_what_is_to_run() -> Result<()> {
    if let Some(program) = missing() {
        return harness::skip(format!("no {program}"));
    }
    let image = image()?;
    Systemd::boot()?.inside(|| {
        // What is on the machine's disk is read-only there.
        let engine = Engine { store: "/run/store".into() };
        engine.ok(&["import", image.to_str().context("UTF-8")?, "box"])?;
        // What every unit needs, and a machine has.
        for name in ["sysinit", "basic", "shutdown", "network-online"] {
            let target = "[Unit]\nDefaultDependencies=no\n";
            fs::write(format!("/run/systemd/system/{name}.target"), target)?;
        }
        let unit = engine.ok(&["system", "service", "install", "--print"])?;
        fs::write(format!("/run/systemd/system/{UNIT}"), unit)?;
        control(&["daemon-reload"])?;
        let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done";
        engine.start(
            "always",
            &["--restart=always", "--network=none", "--pids-limit=-1"],
            script,
        )?;
        engine.start("once", &["--network=none", "--pids-limit=-1"], script)?;
        engine.ok(&["system", "service", "stop"])?;
        for turn in 1..=2 {
            round(&engine, turn)?;
        }
        engine.ok(&["rm", "-a"])?;
        engine.is_clean()
    })
}

/// The machine begins, and ends.
fn round(engine: &Engine, turn: usize) -> Result<()> {
    control(&["start", UNIT])?;
    expect_eq!(property(UNIT, "ActiveState")?, "active");
    expect_eq!(property(UNIT, "ExecMainStatus")?, "0");
    expect_eq!(engine.status("always")?, "running", "turn {turn}");
    expect_eq!(engine.status("once")?, "exited");
    let first: i32 = engine.field("always", "Pid")?.parse()?;
    until("it is ready", || {
        engine.ok(&["logs", "always"]).is_ok_and(|text| text.lines().count() == turn + 1)
    })?;
    // A service that ends with a time-out would be killed, and this would not be what it said.
    control(&["stop", UNIT])?;
    expect_eq!(property(UNIT, "Result")?, "success");
    ensure!(!processes::alive(first), "it outlived the service");
    expect_eq!(engine.status("always")?, "exited", "turn {turn}");
    expect_eq!(engine.field("always", "ExitCode")?, "3");
    Ok(())
}
