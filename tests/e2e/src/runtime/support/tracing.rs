//! Something happens at one system call of a command: at each of them in turn, in trials that walk
//! through all.
//!
//! A process of its own traces the command and counts.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::support::sys::{self, Change};
use crate::support::{Finished, Launch, Running, scratch, until};

/// What happens.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) enum Deed {
    /// Who makes the call gets SIGKILL, and the tracer goes.
    Kill,
    /// The same, and calls of programs that the command executes do not count.
    KillOwn,
    /// The call is not made, and fails with this errno. Those that never fail and those of the
    /// container's own program do not count, and the tracer stays to the end.
    Fail(i32),
    /// The same, and only calls of this number count.
    FailOnly(i64, i32),
}

/// Calls that do what they are for, whatever their result is. (A descriptor is closed by a close(2)
/// that fails as well.)
const NEVER_FAIL: [i64; 13] = [
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_set_tid_address,
    libc::SYS_umask,
];

/// What came of it.
#[derive(Debug)]
pub(in crate::runtime) struct Traced {
    /// The call that it happened at, by its number in the kernel, if there was such a call.
    pub(in crate::runtime) at: Option<u64>,
    /// How many calls there were up to then, or to the end.
    pub(in crate::runtime) calls: u64,
    /// The command's process.
    pub(in crate::runtime) pid: i32,
    /// Its end, unless it was left to itself.
    pub(in crate::runtime) finished: Option<Finished>,
}

/// Runs the command until `deed` is done at its `number`th call.
pub(in crate::runtime) fn trace(launch: Launch, number: u64, deed: Deed) -> Result<Traced> {
    let report = scratch("traced");
    let tracer = sys::fork(0, || {
        let told = Tracer::start(launch, number, deed)
            .and_then(Tracer::follow)
            .and_then(|told| Ok(std::fs::write(scratch("traced"), told.to_string())?));
        told.map_or_else(
            |error| {
                println!("tracer: {error:#}");
                1
            },
            |()| 0,
        )
    })?;
    let mut end = None;
    let ended = until("the command ends", || {
        end = sys::wait(tracer, libc::WNOHANG).ok().flatten();
        end.is_some()
    });
    if let Err(error) = ended {
        sys::send(tracer, libc::SIGKILL)?;
        sys::wait(tracer, 0)?;
        return Err(error).context(std::fs::read_to_string(report).unwrap_or_default());
    }
    match end {
        Some((_, Change::Exited(0))) => parse(&std::fs::read_to_string(report)?),
        end => bail!("the tracer ended with {end:?}"),
    }
}

fn parse(report: &str) -> Result<Traced> {
    let report: Value = serde_json::from_str(report)?;
    let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| report[name].as_i64().map(i32::try_from).transpose();
    let change = match (number("code")?, number("signal")?) {
        (Some(code), _) => Some(Change::Exited(code)),
        (_, signal) => signal.map(Change::Killed),
    };
    let finished =
        change.map(|change| Finished { change, stdout: text("stdout"), stderr: text("stderr") });
    Ok(Traced {
        at: report["at"].as_u64(),
        calls: report["calls"].as_u64().context("a number of calls")?,
        pid: number("pid")?.context("a process")?,
        finished,
    })
}

/// The tracing process.
struct Tracer {
    main: Running,
    /// Those that have stopped once.
    known: Vec<i32>,
    deed: Deed,
    number: u64,
    calls: u64,
    at: Option<u64>,
}

fn be_traced() -> std::io::Result<()> {
    sys::ptrace(libc::PTRACE_TRACEME, 0, 0)
}

impl Tracer {
    fn start(launch: Launch, number: u64, deed: Deed) -> Result<Self> {
        let main = launch.before_exec(be_traced).start()?;
        sys::wait(main.pid, 0)?.context("no stop at the exec")?;
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEEXEC;
        sys::ptrace(libc::PTRACE_SETOPTIONS, main.pid, options.cast_unsigned() as usize)?;
        sys::ptrace(libc::PTRACE_SYSCALL, main.pid, 0)?;
        Ok(Self { known: vec![main.pid], main, deed, number, calls: 0, at: None })
    }

    /// To the end, or to the deed after which it is left to itself.
    fn follow(mut self) -> Result<Value> {
        loop {
            let Ok(Some((pid, change))) = sys::wait(-1, libc::__WALL) else {
                return self.tell(None);
            };
            let is_over = match change {
                Change::Stopped(stop) => self.stopped(pid, stop)?,
                change if pid == self.main.pid => return self.tell(Some(change)),
                _ => false,
            };
            if is_over {
                return self.tell(None);
            }
        }
    }

    /// Whether that was the end of the tracing.
    fn stopped(&mut self, pid: i32, stop: i32) -> Result<bool> {
        let mut deliver = 0;
        match (stop & 0xff, stop >> 8) {
            (signal, 0) if signal == libc::SIGTRAP | 0x80 => {
                if let Ok(Some(call)) = sys::entered_call(pid)
                    && self.counts(call)
                {
                    self.calls += 1;
                    if self.calls == self.number {
                        self.at = Some(call);
                        std::fs::write(scratch("traced"), format!("stands at call {call}"))?;
                        match self.deed {
                            Deed::Kill | Deed::KillOwn => {
                                sys::send(pid, libc::SIGKILL)?;
                                return Ok(true);
                            }
                            Deed::Fail(errno) | Deed::FailOnly(_, errno) => {
                                sys::fail_call(pid, errno)?;
                            }
                        }
                    }
                }
            }
            // The first stop of a new process is a SIGSTOP that ptrace made.
            (libc::SIGSTOP, 0) if !self.known.contains(&pid) => self.known.push(pid),
            (libc::SIGTRAP, libc::PTRACE_EVENT_EXEC)
                if !matches!(self.deed, Deed::Kill) && pid != self.main.pid =>
            {
                // The container's own program, a hook, criu.
                let _ = sys::ptrace(libc::PTRACE_DETACH, pid, 0);
                return Ok(false);
            }
            (signal, 0) => deliver = signal as usize,
            _ => {}
        }
        // It may have been killed meanwhile.
        let _ = sys::ptrace(libc::PTRACE_SYSCALL, pid, deliver);
        Ok(false)
    }

    fn counts(&self, call: u64) -> bool {
        match self.deed {
            Deed::Kill | Deed::KillOwn => true,
            Deed::Fail(_) => !NEVER_FAIL.contains(&call.cast_signed()),
            Deed::FailOnly(only, _) => call.cast_signed() == only,
        }
    }

    fn tell(self, end: Option<Change>) -> Result<Value> {
        let Self { main, calls, at, .. } = self;
        let mut told = json!({ "at": at, "calls": calls, "pid": main.pid });
        match end {
            Some(Change::Exited(code)) => told["code"] = code.into(),
            Some(Change::Killed(signal)) => told["signal"] = signal.into(),
            _ => {}
        }
        told["stdout"] = main.stdout().into();
        told["stderr"] = main.stderr().into();
        // Dropping it would kill what is to live on.
        std::mem::forget(main);
        Ok(told)
    }
}

/// All numbers up to `total`, in an order that is spread over all of them from the beginning.
pub(in crate::runtime) fn spread(total: u64) -> impl Iterator<Item = u64> {
    let gcd = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // About the golden section of the whole, and coprime to it.
    let step = (total * 618 / 1000..).find(|step| gcd(*step, total) == 1).unwrap_or(1);
    (0..total).map(move |index| (index * step) % total + 1)
}
