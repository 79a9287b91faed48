//! What a monitor or a command needs, and does not get: it is said, and all goes on when it is there.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Pid;

use crate::engine::support::{Engine, end_of};
use crate::support::processes::without_descriptors;

/// Who waits to be taken in was told of again and again, as fast as it can be.
pub(crate) fn a_monitor_without_descriptors_waits() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--network=none"], "sleep 1000")?;
    let monitor = Pid::from_raw(engine.monitor(&id)?).context("a process")?;
    let waiting = without_descriptors(monitor, || {
        Ok(engine.command(&["wait", "one"]).stdout(Stdio::piped()).spawn()?)
    })?;
    engine.ok(&["stop", "-t", "0", "one"])?;
    // Whether it was asked to end or killed first.
    let code = String::from_utf8(waiting.wait_with_output()?.stdout)?;
    ensure!(["137\n", "143\n"].contains(&code.as_str()), "{code:?}");
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

/// Of two errors only the second one was told, which is no help without the first.
pub(crate) fn a_connection_that_fails_and_cannot_be_taken_back() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "other"])?;
    engine.start("one", &[], "sleep 1000")?;
    let pid = engine.ok(&["inspect", "-f", "{{.State.Pid}}", "one"])?;
    let mut taken = Command::new("nsenter");
    taken.args(["-n", "-t", &pid, "ip", "link", "add", "eth1", "type", "bridge"]);
    let taken = end_of(&mut taken)?;
    ensure!(taken.code == Some(0), "{taken:#?}");
    let names = engine.store.join("run/networks/other");
    fs::create_dir(&names)?;
    let done = engine.run(&["network", "connect", "other", "one"])?;
    let is_told = ["File exists", "could not be taken back: ", "Is a directory"];
    let is_told = is_told.iter().all(|it| done.stderr.contains(it));
    ensure!(done.code == Some(1) && is_told, "{done:#?}");
    // What is left of it is taken back by who asks for that, when it can be.
    fs::remove_dir(names)?;
    engine.ok(&["network", "disconnect", "other", "one"])?;
    engine.ok(&["rm", "-f", "-t0", "one"])?;
    engine.ok(&["network", "rm", "other"])?;
    engine.is_clean()
}
