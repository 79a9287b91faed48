//! What `tino` may cost: bytes, memory, system calls, wake-ups.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::pty::Pty;
use crate::support::sys::{self, Change};
use crate::support::{Launch, processes, until};

pub(crate) fn the_file_has_at_most_16_kib() -> Result<()> {
    let bytes = std::fs::metadata(harness::tino())?.len();
    println!("{bytes} bytes");
    anyhow::ensure!((1..=16_384).contains(&bytes), "{bytes} bytes");
    Ok(())
}

/// Type, flags and alignment-free parts of an ELF program header.
fn segments() -> Result<Vec<(u32, u32)>> {
    let bytes = std::fs::read(harness::tino())?;
    anyhow::ensure!(bytes.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let number = |at: usize, size: usize| -> Result<usize> {
        let field = bytes.get(at..at + size).context("the file is too short")?;
        Ok(field.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let header = |index| {
        let at = start + index * size;
        Ok((u32::try_from(number(at, 4)?)?, u32::try_from(number(at + 4, 4)?)?))
    };
    (0..count).map(header).collect()
}

pub(crate) fn the_file_is_static_and_nothing_is_both_writable_and_executable() -> Result<()> {
    const EXECUTE: u32 = 1;
    const WRITE: u32 = 2;
    let segments = segments()?;
    let of_type = |wanted| segments.iter().filter(move |(kind, _)| *kind == wanted);
    expect_eq!(of_type(libc::PT_INTERP).count(), 0, "an interpreter");
    expect_eq!(of_type(libc::PT_DYNAMIC).count(), 0, "a dynamic section");
    let stack: Vec<_> = of_type(libc::PT_GNU_STACK).collect();
    let [(_, flags)] = stack[..] else { bail!("no PT_GNU_STACK: an executable stack") };
    expect_eq!(flags & EXECUTE, 0, "the stack is executable");
    for (_, flags) in of_type(libc::PT_LOAD) {
        anyhow::ensure!(flags & (WRITE | EXECUTE) != WRITE | EXECUTE, "{segments:?}");
    }
    anyhow::ensure!(of_type(libc::PT_LOAD).count() > 0, "no segment is loaded");
    Ok(())
}

pub(crate) fn it_holds_at_most_24_kb_of_memory() -> Result<()> {
    for options in [
        &[][..],
        &["-s", "-g", "-vvv"],
        &["--restart=always", "-a", "-t", "500"],
        &["--landlock-writable=/tmp", "--exec-allow=ls", "--landlock-warn-only"],
    ] {
        for place in PLACES {
            let running =
                Launch::tino(options).act(&["record=10", "pause"]).place(place).start()?;
            running.wait_line("ready")?;
            asleep_within_24_kb(running.pid, options)?;
            running.send(libc::SIGUSR1)?;
            running.wait_value("got 10")?;
            asleep_within_24_kb(running.pid, options)?;
        }
    }
    let pausing = Launch::tino(&["--pause"]).start()?;
    asleep_within_24_kb(pausing.pid, &["--pause"])
}

fn asleep_within_24_kb(pid: i32, options: &[&str]) -> Result<()> {
    until("it sleeps", || processes::stat(pid).is_some_and(|it| it.state == 'S'))?;
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    // Of one `tino` alone PSS and RSS are the same; others that run now would halve PSS.
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).context("Rss")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    println!("{kilobytes} kB, {options:?}");
    anyhow::ensure!((1..=24).contains(&kilobytes), "{kilobytes} kB, {options:?}");
    Ok(())
}

pub(crate) fn it_never_wakes_when_idle() -> Result<()> {
    let switches = |pid| -> Result<(String, String)> {
        let of = |field| processes::status(pid, field);
        Ok((of("voluntary_ctxt_switches")?, of("nonvoluntary_ctxt_switches")?))
    };
    for place in PLACES {
        let running = Launch::tino(&["-s", "-g", "-t", "500"]).act(&["say=up", "pause"]);
        let running = running.place(place).start()?;
        running.wait_line("up")?;
        until("it sleeps", || processes::stat(running.pid).is_some_and(|it| it.state == 'S'))?;
        let before = (switches(running.pid)?, processes::stat(running.pid));
        std::thread::sleep(std::time::Duration::from_secs(2));
        let after = (switches(running.pid)?, processes::stat(running.pid));
        expect_eq!(after, before, "{place:?}");
    }
    Ok(())
}

/// Lets this process, which is about to become `tino`, be traced.
fn be_traced() -> std::io::Result<()> {
    sys::ptrace(libc::PTRACE_TRACEME, 0, 0)
}

/// All system calls from the exec of `tino` to the exec of the child, which is counted too.
fn system_calls(launch: Launch) -> Result<Vec<u64>> {
    let running =
        launch.words(&["--", "/proc/self/exe", "--version"]).before_exec(be_traced).start()?;
    let (_, first) = sys::wait(running.pid, 0)?.context("no stop at the exec")?;
    expect_eq!(first, Change::Stopped(libc::SIGTRAP), "{}", running.stderr());
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    sys::ptrace(libc::PTRACE_SETOPTIONS, running.pid, options.cast_unsigned() as usize)?;
    sys::ptrace(libc::PTRACE_SYSCALL, running.pid, 0)?;
    let mut calls = Vec::new();
    let mut seen = HashMap::from([(running.pid, true)]);
    loop {
        let (pid, change) = sys::wait(-1, libc::__WALL)?.context("nobody left")?;
        let Change::Stopped(stop) = change else {
            bail!("{pid} ended early: {change:?} {calls:?}")
        };
        let mut deliver = 0;
        match (stop & 0xff, stop >> 8) {
            (_, libc::PTRACE_EVENT_EXEC) if pid != running.pid => return Ok(calls),
            (signal, 0) if signal == libc::SIGTRAP | 0x80 => calls.extend(sys::entered_call(pid)?),
            // The first stop of a new process is a SIGSTOP that ptrace made.
            (libc::SIGSTOP, 0) if seen.insert(pid, true).is_none() => {}
            (signal, 0) => deliver = signal as usize,
            _ => {}
        }
        sys::ptrace(libc::PTRACE_SYSCALL, pid, deliver)?;
    }
}

fn at_most_20(launch: Launch, what: &str) -> Result<()> {
    let calls = system_calls(launch)?;
    println!("{what}: {} calls: {calls:?}", calls.len());
    anyhow::ensure!(calls.len() <= 20, "{what}: {} calls: {calls:?}", calls.len());
    let execs = calls.iter().filter(|call| **call == libc::SYS_execve.cast_unsigned()).count();
    // Fewer would mean that the count is wrong.
    expect_eq!(execs, 1, "{calls:?}");
    Ok(())
}

pub(crate) fn a_start_takes_at_most_20_system_calls() -> Result<()> {
    at_most_20(Launch::tino(&[]), "plain")
}

pub(crate) fn a_start_with_g_and_s_takes_at_most_20_system_calls() -> Result<()> {
    at_most_20(Launch::tino(&["-g", "-s"]), "-g -s")
}

pub(crate) fn a_start_on_a_terminal_takes_at_most_20_system_calls() -> Result<()> {
    let (_pty, slave) = Pty::open()?;
    at_most_20(Launch::tino(&["-g", "-s"]).terminal(slave), "on a terminal")
}
