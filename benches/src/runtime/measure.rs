//! One turn of each measure.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{Usage, UsageWho, getrusage};

use super::bundle::Kind;
use super::contestants::Runtime;
use crate::gate::{Gate, Role};
use crate::trace::{self, Totals};

/// Runs together in one turn of [`at_once`].
pub(super) const AT_ONCE: usize = 100;

/// System calls, processes and peak memory of one `run`. See [`trace::totals`].
pub(super) fn totals(actor: &Path, runtime: Runtime, kind: Kind) -> Result<Totals> {
    let command = runtime.run(kind)?;
    let words: Vec<&Path> =
        [command.get_program()].into_iter().chain(command.get_args()).map(Path::new).collect();
    trace::totals(Gate::start(actor, Role::Ordinary, &words)?)
}

/// One `run` from its spawn to its end, in milliseconds.
pub(super) fn run_time(runtime: Runtime, kind: Kind) -> Result<f64> {
    Ok(milliseconds(runtime.time(&mut runtime.run(kind)?)?))
}

/// How much longer a `run` with a profile takes than one without, in milliseconds: of four that follow
/// each other, first, last and between, so that what changes by and by changes both alike. One goes
/// before, for what another contestant has left to be cleaned up.
pub(super) fn filter_time(runtime: Runtime) -> Result<f64> {
    run_time(runtime, Kind::Plain)?;
    let kinds = [Kind::Plain, Kind::Seccomp, Kind::Seccomp, Kind::Plain];
    let mut times = [0.0; 4];
    for (time, kind) in times.iter_mut().zip(kinds) {
        *time = run_time(runtime, kind)?;
    }
    let [before, first, second, after] = times;
    Ok((first + second - before - after) / 2.0)
}

/// What one `run` keeps the processors busy with, in milliseconds: its own program, in user mode
/// and in the kernel, and the processes it waits for.
pub(super) fn processor_time(runtime: Runtime, kind: Kind) -> Result<f64> {
    let spent = || -> Result<f64> {
        let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let times = [usage.user_time(), usage.system_time()];
        Ok(times.iter().map(|it| it.tv_sec() as f64 * 1e3 + it.tv_usec() as f64 / 1e3).sum())
    };
    let before = spent()?;
    runtime.time(&mut runtime.run(kind)?)?;
    Ok(spent()? - before)
}

/// `create`, `start` and, once its program was killed, `delete`, in milliseconds.
pub(super) fn create_start_delete(runtime: Runtime) -> Result<f64> {
    let (container, create) = runtime.create()?;
    let start = container.tell("start", &[])?;
    container.kill()?;
    let delete = container.tell("delete", &[])?;
    Ok(milliseconds(create + start + delete))
}

/// `delete` alone.
pub(super) fn delete(runtime: Runtime) -> Result<f64> {
    let (container, _) = runtime.create()?;
    container.tell("start", &[])?;
    container.kill()?;
    Ok(milliseconds(container.tell("delete", &[])?))
}

/// Another command about a running container.
pub(super) fn tell(runtime: Runtime, verb: &str, words: &[&str]) -> Result<f64> {
    let (container, _) = runtime.create()?;
    container.tell("start", &[])?;
    Ok(milliseconds(container.tell(verb, words)?))
}

/// What the start of a container charges to its cgroup at most, in kB.
pub(super) fn charged_memory(runtime: Runtime) -> Result<f64> {
    let (container, _) = runtime.create()?;
    container.tell("start", &[])?;
    Ok(container.peak_memory()? as f64)
}

/// What is charged to the cgroup of a container that was created, and waits for its start, in kB.
pub(super) fn created_memory(runtime: Runtime) -> Result<f64> {
    let (container, _) = runtime.create()?;
    Ok(container.memory_now()? as f64)
}

/// Of it, the kernel's own, in kB.
pub(super) fn kernel_memory(runtime: Runtime) -> Result<f64> {
    let (container, _) = runtime.create()?;
    container.tell("start", &[])?;
    Ok(container.kernel_memory()? as f64)
}

/// Containers a second that `run` starts, [`AT_ONCE`] of them at the same time.
pub(super) fn at_once(runtime: Runtime) -> Result<f64> {
    let mut commands =
        (0..AT_ONCE).map(|_| runtime.run(Kind::Plain)).collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let started = commands.iter_mut().map(|it| it.spawn().context("spawn"));
    let started = started.collect::<Result<Vec<Child>>>()?;
    let mut failed = 0;
    for mut child in started {
        failed += usize::from(!child.wait()?.success());
    }
    let elapsed = start.elapsed();
    ensure!(failed == 0, "{failed} of {AT_ONCE} failed");
    Ok(AT_ONCE as f64 / elapsed.as_secs_f64())
}

/// Containers a second that are started and deleted one after the other.
pub(super) fn one_after_the_other(runtime: Runtime, count: usize) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..count {
        runtime.time(&mut runtime.run(Kind::Plain)?)?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
