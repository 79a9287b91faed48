//! One turn of each measure.

use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::engines::Engine;
use crate::gate::{Gate, Role};
use crate::trace::{self, Totals};

/// Ends when it is asked to, at once.
const SERVICE: [&str; 3] = ["/bin/sh", "-c", "trap 'exit 0' TERM; /bin/sleep 100000 & wait"];

/// Prints a hundred lines.
const TALKER: [&str; 3] =
    ["/bin/sh", "-c", "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done"];

const ALONE: [&str; 2] = ["--network", "none"];

/// A container from its start to its removal, without a network.
pub(super) fn run(engine: &Engine) -> Result<f64> {
    engine.time(&mut engine.run(&["--rm", "--network", "none"], &["/bin/true"]))
}

/// The same with the default network and a published port.
pub(super) fn run_with_port(engine: &Engine) -> Result<f64> {
    engine.time(&mut engine.run(&["--rm", &engine.publish()], &["/bin/true"]))
}

/// What [`run`] keeps the processors busy with, in milliseconds, in user mode and in the kernel:
/// all processes but daemons.
pub(super) fn processor_time(engine: &Engine) -> Result<f64> {
    let spent = || -> Result<f64> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let sum = usage.user_time() + usage.system_time();
        Ok(sum.num_microseconds() as f64 / 1e3)
    };
    bury();
    let before = spent()?;
    run(engine)?;
    // Those that nobody waited for are children of this process, the first one.
    sleep(Duration::from_millis(20));
    bury();
    Ok(spent()? - before)
}

/// Waits for what has ended and was left by its parent.
pub(super) fn bury() {
    let ended = || waitpid(None, Some(WaitPidFlag::WNOHANG));
    while ended().is_ok_and(|status| status != WaitStatus::StillAlive) {}
}

/// System calls, processes and peak memory of [`run`].
pub(super) fn totals(actor: &Path, engine: &Engine) -> Result<Totals> {
    let command = engine.run(&["--rm", "--network", "none"], &["/bin/true"]);
    let words: Vec<&Path> =
        [command.get_program()].into_iter().chain(command.get_args()).map(Path::new).collect();
    trace::totals(Gate::start(actor, Role::Ordinary, &words)?)
}

/// Starts a container that stays.
pub(super) fn start(engine: &Engine, name: &str) -> Result<f64> {
    let flags = [&["--detach", "--name", name], &ALONE[..]].concat();
    engine.time(&mut engine.run(&flags, &SERVICE))
}

/// Runs a container to its end that prints a hundred lines.
pub(super) fn talk(engine: &Engine, name: &str) -> Result<f64> {
    let flags = [&["--name", name], &ALONE[..]].concat();
    engine.time(&mut engine.run(&flags, &TALKER))
}

/// A command without words of a container's own.
pub(super) fn tell(engine: &Engine, words: &[&str]) -> Result<f64> {
    engine.time(engine.command().args(words))
}

/// Stops a container that runs.
pub(super) fn stop(engine: &Engine) -> Result<f64> {
    start(engine, "stopped")?;
    let elapsed = tell(engine, &["stop", "stopped"])?;
    tell(engine, &["rm", "stopped"])?;
    Ok(elapsed)
}

/// Removes a container that has ended.
pub(super) fn remove(engine: &Engine) -> Result<f64> {
    engine.time(&mut engine.run(&[&["--name", "ended"], &ALONE[..]].concat(), &["/bin/true"]))?;
    tell(engine, &["rm", "ended"])
}

/// Milliseconds for each of so many runs at the same time.
pub(super) fn at_once(engine: &Engine, count: usize) -> Result<f64> {
    let start = Instant::now();
    let spawn = |_| {
        let mut command = engine.run(&["--rm", "--network", "none"], &["/bin/true"]);
        command.spawn().context("spawn")
    };
    let started = (0..count).map(spawn).collect::<Result<Vec<Child>>>()?;
    let mut failed = 0;
    for mut child in started {
        failed += usize::from(!child.wait()?.success());
    }
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    ensure!(failed == 0, "{failed} of {count} failed");
    Ok(elapsed / count as f64)
}
