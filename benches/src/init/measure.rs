//! One turn of each measure.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::Pid;

use crate::contestant::Contestant;
use crate::gate::{Gate, Role};
use crate::process::{Memory, children, context_switches, memory, name};
use crate::rounds::Outcome;
use crate::trace;

/// Starts in one turn of [`start_time`]: one alone is too short for the clock's neighbours.
const STARTS: u32 = 20;

/// Memory of `init` while it supervises `sleep` as PID 1.
pub fn idle_memory(actor: &Path, init: &Path) -> Result<Memory> {
    let gate = supervising_sleep(actor, init)?;
    memory(gate.pid)
}

/// Context switches in five idle seconds. All contestants idle at the same time.
pub fn idle_wake_ups(actor: &Path, contestants: &[Contestant]) -> Vec<Outcome> {
    let start = |contestant: &Contestant| -> Result<(Gate, u64)> {
        let init = contestant.path.as_ref().context("not installed")?;
        let gate = supervising_sleep(actor, init)?;
        let before = context_switches(gate.pid)?;
        Ok((gate, before))
    };
    let started: Vec<Result<(Gate, u64)>> = contestants.iter().map(start).collect();
    sleep(Duration::from_secs(5));
    let woken = |started: Result<(Gate, u64)>| -> Result<f64> {
        let (gate, before) = started?;
        Ok((context_switches(gate.pid)? - before) as f64)
    };
    started.into_iter().map(|it| woken(it).map_err(|error| format!("{error:#}"))).collect()
}

/// System calls until the child executes its program. See [`trace::syscalls_to_execve`].
pub fn syscalls(actor: &Path, init: &Path, role: Role) -> Result<u64> {
    trace::syscalls_to_execve(Gate::start(actor, role, &supervise(init, [Path::new("/bin/true")]))?)
}

/// Instructions from start to end. See [`trace::instructions`].
pub fn instructions(actor: &Path, init: &Path) -> Result<u64> {
    trace::instructions(Gate::start(
        actor,
        Role::First,
        &supervise(init, [Path::new("/bin/true")]),
    )?)
}

/// Microseconds from the spawn of `init` until it has ended with its child `true`.
pub fn start_time(init: &Path) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..STARTS {
        let mut command = Command::new(init);
        command.args(["--", "/bin/true"]).stdin(Stdio::null()).stderr(Stdio::null());
        let status = command.stdout(Stdio::null()).status()?;
        ensure!(status.success(), "{command:?}: {status}");
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(STARTS))
}

/// How long it took.
#[derive(Clone, Copy, Debug)]
pub struct Reaped {
    /// From the first fork until no orphan was left, in nanoseconds.
    pub wall_ns: u64,
    /// Of that, what the init itself ran.
    pub processor_ns: u64,
}

/// Lets `init`, as PID 1, reap `count` orphans.
pub fn reap(actor: &Path, init: &Path, count: u64) -> Result<Reaped> {
    let count = count.to_string();
    let words = supervise(init, [actor, Path::new("orphans"), Path::new(&count)]);
    let mut gate = Gate::start(actor, Role::First, &words)?;
    gate.open()?;
    let output = gate.output()?;
    let numbers: Vec<u64> = output.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    match numbers[..] {
        [wall_ns, processor_ns] => Ok(Reaped { wall_ns, processor_ns }),
        _ => bail!("the producer of orphans printed {output:?}"),
    }
}

/// `INIT -- WORDS`, which all contestants understand.
fn supervise<'a, const N: usize>(init: &'a Path, words: [&'a Path; N]) -> Vec<&'a Path> {
    [init, Path::new("--")].into_iter().chain(words).collect()
}

/// Starts `init` as PID 1 and returns once its child is `sleep`.
fn supervising_sleep(actor: &Path, init: &Path) -> Result<Gate> {
    let words = supervise(init, [Path::new("/bin/sleep"), Path::new("1000")]);
    let mut gate = Gate::start(actor, Role::First, &words)?;
    gate.open()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let sleeps = |pid: &Pid| name(*pid).is_ok_and(|name| name == "sleep");
    while !children(gate.pid)?.iter().any(sleeps) {
        ensure!(Instant::now() < deadline, "{} starts no child", init.display());
        sleep(Duration::from_millis(1));
    }
    // What it does after the fork belongs to the start.
    sleep(Duration::from_millis(20));
    Ok(gate)
}
