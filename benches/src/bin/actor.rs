//! `bench-actor`: what the contestants of the benchmarks supervise, and what starts them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

fn main() -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    let role = words.next().unwrap_or_default();
    match role.to_str() {
        Some("gate") => {
            let program = words.next().context("gate: which program?")?;
            gate(Command::new(program).args(words))
        }
        Some("orphans") => {
            let count = words.next().and_then(|count| count.to_str()?.parse().ok());
            orphans(count.context("orphans: how many?")?)
        }
        _ => bail!("usage: bench-actor gate PROGRAM... | orphans COUNT"),
    }
}

/// Says that it is there, waits for one byte, and becomes `program`.
fn gate(program: &mut Command) -> Result<()> {
    std::io::stdout().write_all(b".")?;
    std::io::stdout().flush()?;
    std::io::stdin().read_exact(&mut [0])?;
    Err(program.exec()).with_context(|| format!("{program:?}"))
}

/// Makes `count` orphans, 50 from each of many short-lived parents, and waits until PID 1 has
/// reaped them all. Prints the nanoseconds that took, and those PID 1 spent on a processor.
fn orphans(count: u64) -> Result<()> {
    const OF_EACH_PARENT: u64 = 50;
    let (start, before) = (Instant::now(), processor_time_of_first()?);
    let mut left = count;
    while left > 0 {
        let batch = left.min(OF_EACH_PARENT);
        parent_of_orphans(batch)?;
        left -= batch;
    }
    // This process is the one child that stays.
    while fs::read_to_string("/proc/1/task/1/children")?.split_whitespace().count() > 1 {
        std::thread::sleep(Duration::from_micros(200));
    }
    let wall = start.elapsed().as_nanos();
    println!("{wall} {}", processor_time_of_first()? - before);
    Ok(())
}

/// Starts a process that starts `count` ones and ends without waiting for them.
#[allow(unsafe_code, reason = "fork has no safe form")]
fn parent_of_orphans(count: u64) -> Result<()> {
    use nix::unistd::{ForkResult, fork};
    // SAFETY: this process has one thread (main starts none), so the copies hold no lock that
    // another thread would have to release.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            nix::sys::wait::waitpid(child, None)?;
            Ok(())
        }
        ForkResult::Child => {
            for _ in 0..count {
                // SAFETY: as above; the copy ends at once.
                if let Ok(ForkResult::Child) = unsafe { fork() } {
                    end_at_once();
                }
            }
            end_at_once()
        }
    }
}

/// Runs no exit handlers: a process that only ends should not spend longer on that than the init
/// does on reaping it.
#[allow(unsafe_code, reason = "the standard library has no _exit")]
fn end_at_once() -> ! {
    // SAFETY: nothing that an exit handler would flush was written by the copies.
    unsafe { nix::libc::_exit(0) }
}

/// Nanoseconds that PID 1 has run, from `schedstat`.
fn processor_time_of_first() -> Result<u64> {
    let text = fs::read_to_string("/proc/1/schedstat").context("/proc/1/schedstat")?;
    let first = text.split_whitespace().next().and_then(|number| number.parse().ok());
    first.context("/proc/1/schedstat has no number")
}
