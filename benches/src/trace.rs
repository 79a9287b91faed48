//! Counting with `ptrace`: system calls, and instructions by single steps.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::gate::Gate;
use crate::process;

/// System calls from the start of the contestant to the moment its child executes the program,
/// on the way there: those of the contestant up to its fork and those of the child after it,
/// the child's `execve` included. What the contestant does beside the child delays nothing, may
/// come before or after, and is not counted.
pub fn syscalls_to_execve(mut gate: Gate) -> Result<u64> {
    const FOLLOW: Options = Options::PTRACE_O_TRACEFORK
        .union(Options::PTRACE_O_TRACEVFORK)
        .union(Options::PTRACE_O_TRACECLONE)
        .union(Options::PTRACE_O_TRACESYSGOOD);
    start_traced(&mut gate, FOLLOW)?;
    let mut paths = Paths::default();
    let count = follow_to_execve(gate.pid, &mut paths);
    end_traced(paths.inherited.keys().copied().chain([gate.pid]));
    count
}

fn follow_to_execve(init: Pid, paths: &mut Paths) -> Result<u64> {
    ptrace::syscall(init, None)?;
    loop {
        let status = waitpid(None, Some(WaitPidFlag::__WALL)).context("waitpid")?;
        if let WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) = status
            && pid == init
        {
            bail!("ended before its child executed anything");
        }
        if let Some(count) = paths.follow(&status)? {
            return Ok(count);
        }
        resume(&status)?;
    }
}

/// The system calls of each process since it was forked, and of its ancestors up to then.
#[derive(Default)]
struct Paths {
    own: HashMap<Pid, u64>,
    inherited: HashMap<Pid, u64>,
    executed: Option<Pid>,
}

impl Paths {
    /// The result, once a child has executed and its parent's count is known too (the kernel
    /// may report the child's stops first).
    fn follow(&mut self, status: &WaitStatus) -> Result<Option<u64>> {
        match *status {
            WaitStatus::PtraceSyscall(pid) if is_entry(pid)? => {
                *self.own.entry(pid).or_default() += 1;
            }
            WaitStatus::PtraceEvent(pid, _, event) if is_fork(event) => {
                let child = Pid::from_raw(i32::try_from(ptrace::getevent(pid)?)?);
                self.inherited.insert(child, self.count(pid));
            }
            WaitStatus::PtraceEvent(pid, _, event) if event == Event::PTRACE_EVENT_EXEC as i32 => {
                self.executed = Some(pid);
            }
            _ => {}
        }
        let known = self.executed.filter(|pid| self.inherited.contains_key(pid));
        Ok(known.map(|pid| self.count(pid)))
    }

    fn count(&self, pid: Pid) -> u64 {
        let of = |counts: &HashMap<Pid, u64>| counts.get(&pid).copied().unwrap_or(0);
        of(&self.own) + of(&self.inherited)
    }
}

fn is_entry(pid: Pid) -> Result<bool> {
    /// `PTRACE_SYSCALL_INFO_ENTRY` of `linux/ptrace.h`.
    const ENTRY: u8 = 1;
    Ok(ptrace::syscall_info(pid)?.op == ENTRY)
}

fn is_fork(event: i32) -> bool {
    [Event::PTRACE_EVENT_FORK, Event::PTRACE_EVENT_VFORK, Event::PTRACE_EVENT_CLONE]
        .iter()
        .any(|fork| *fork as i32 == event)
}

/// Instructions of the contestant itself (not of its child, not of the kernel) from its start to
/// its end, counted by single steps. A repeated string instruction counts once a repetition.
pub fn instructions(mut gate: Gate) -> Result<u64> {
    start_traced(&mut gate, Options::empty())?;
    let (mut steps, mut signal) = (0, None);
    loop {
        ptrace::step(gate.pid, signal).context("ptrace(PTRACE_SINGLESTEP)")?;
        let status = waitpid(gate.pid, Some(WaitPidFlag::__WALL)).context("waitpid")?;
        match status {
            WaitStatus::Exited(..) => return Ok(steps),
            WaitStatus::Signaled(_, by, _) => bail!("killed by {by}"),
            _ => {}
        }
        signal = signal_to_deliver(&status);
        steps += u64::from(signal.is_none());
    }
}

/// Seizes the contestant behind its gate, opens, and returns when it stands at its first
/// instruction.
fn start_traced(gate: &mut Gate, options: Options) -> Result<()> {
    let options = options | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
    ptrace::seize(gate.pid, options).context("ptrace(PTRACE_SEIZE)")?;
    gate.open()?;
    match waitpid(gate.pid, Some(WaitPidFlag::__WALL)).context("waitpid")? {
        WaitStatus::PtraceEvent(_, _, event) if event == Event::PTRACE_EVENT_EXEC as i32 => Ok(()),
        status => bail!("did not start: {status:?}"),
    }
}

/// Kills the tracees and waits for them: their own parents cannot before the tracer has. PID 1
/// comes last, because its end waits for all others of its namespace.
fn end_traced(pids: impl Iterator<Item = Pid>) {
    for pid in pids {
        let _ = kill(pid, Signal::SIGKILL);
        while let Ok(status) = waitpid(pid, Some(WaitPidFlag::__WALL)) {
            if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
                break;
            }
        }
    }
}

/// A signal that arrived while traced is the process's own; a trap is the tracer's.
fn signal_to_deliver(status: &WaitStatus) -> Option<Signal> {
    match *status {
        WaitStatus::Stopped(_, signal) if signal != Signal::SIGTRAP => Some(signal),
        _ => None,
    }
}

/// What a program and all that it started did until the end of the last of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// System calls.
    pub calls: u64,
    /// Processes, the program itself included.
    pub processes: u64,
    /// Threads beyond the first of each process.
    pub threads: u64,
    /// The most resident memory that the program itself had, in kB.
    pub peak_kb: u64,
}

/// Follows a contestant and everything that it starts to the end.
pub fn totals(mut gate: Gate) -> Result<Totals> {
    const FOLLOW: Options = Options::PTRACE_O_TRACEFORK
        .union(Options::PTRACE_O_TRACEVFORK)
        .union(Options::PTRACE_O_TRACECLONE)
        .union(Options::PTRACE_O_TRACEEXIT)
        .union(Options::PTRACE_O_TRACESYSGOOD);
    start_traced(&mut gate, FOLLOW)?;
    ptrace::syscall(gate.pid, None)?;
    let totals = follow_to_the_end(gate.pid);
    if totals.is_err() {
        end_all_traced(gate.pid);
    }
    totals
}

fn follow_to_the_end(program: Pid) -> Result<Totals> {
    let mut totals = Totals { processes: 1, ..Totals::default() };
    let mut code = None;
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(status) => status,
            Err(Errno::ECHILD) => break,
            Err(error) => return Err(error).context("waitpid"),
        };
        if let WaitStatus::Exited(pid, with) = status
            && pid == program
        {
            code = Some(with);
        }
        // Another thread may have ended the process while this one stood still.
        match totals.add(&status, program) {
            Err(error) if error.downcast_ref() != Some(&Errno::ESRCH) => return Err(error),
            Ok(()) | Err(_) => resume(&status)?,
        }
    }
    match code {
        Some(0) => Ok(totals),
        code => bail!("ended with {code:?} while it was traced"),
    }
}

/// Kills the program and all tracees. Each stops once more on its way out.
fn end_all_traced(program: Pid) {
    let _ = kill(program, Signal::SIGKILL);
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::__WALL)) {
        if let Some(pid) = status.pid() {
            let _ = kill(pid, Signal::SIGKILL);
            let _ = ptrace::cont(pid, None);
        }
    }
}

impl Totals {
    fn add(&mut self, status: &WaitStatus, program: Pid) -> Result<()> {
        match *status {
            WaitStatus::PtraceSyscall(pid) if is_entry(pid)? => self.calls += 1,
            WaitStatus::PtraceEvent(pid, _, event) if is_fork(event) => {
                let new = Pid::from_raw(i32::try_from(ptrace::getevent(pid)?)?);
                match process::is_thread(new) {
                    true => self.threads += 1,
                    false => self.processes += 1,
                }
            }
            WaitStatus::PtraceEvent(pid, _, event)
                if pid == program && event == Event::PTRACE_EVENT_EXIT as i32 =>
            {
                self.peak_kb = process::peak_memory(pid)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Lets a stopped tracee go on. It may be gone by now.
fn resume(status: &WaitStatus) -> Result<()> {
    let (Some(pid), signal) = (status.pid(), signal_to_deliver(status)) else { return Ok(()) };
    match ptrace::syscall(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).context("ptrace(PTRACE_SYSCALL)"),
    }
}
