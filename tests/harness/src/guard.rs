//! The guard of one trial, and the trial's own process.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, set_child_subreaper,
    set_parent_process_death_signal, setsid,
};

use crate::arguments::Arguments;
use crate::report::SKIP_MARK;
use crate::runner::EXIT_SKIPPED;
use crate::{Skip, Trial, orphans, stuck};

/// Starts the trial, waits for it within the time limit, and leaves no process of it alive.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match guard(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            println!("cannot guard the trial: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard(arguments: &Arguments) -> std::io::Result<u8> {
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let scratch = Scratch::create()?;
    let mut trial = Command::new(std::env::current_exe()?)
        .arg("--exact")
        .args(&arguments.filters)
        .arg("--in-process")
        .env("TMPDIR", &scratch.0)
        .stdin(Stdio::null())
        .spawn()?;
    let end = wait(&trial, arguments.time_limit)?;
    if matches!(end, End::TimedOut) {
        println!("timed out after {} s", arguments.time_limit.as_secs());
        print!("{}", stuck::describe_descendants());
    }
    // The trial leads a session, so this reaches what it started in its own group; the rest
    // becomes a child of this process and is found there.
    let _ = kill_process_group(Pid::from_child(&trial), Signal::KILL);
    // One that does not end by itself may not end when it is killed either, and is not waited for.
    let code = match end {
        End::Own => code_of(trial.wait()?),
        End::TimedOut | End::RunnerDied => 1,
    };
    let killed = orphans::kill_all();
    let left = stuck::describe_descendants();
    if !left.is_empty() {
        println!("cannot be killed:\n{left}");
    } else if killed > 0 && matches!(end, End::Own) {
        println!("note: {killed} processes were left and had to be killed");
    }
    Ok(code)
}

fn code_of(status: ExitStatus) -> u8 {
    if let Some(signal) = status.signal() {
        println!("the trial was killed by signal {signal}");
    }
    status.code().map_or(1, |code| code.to_le_bytes()[0])
}

/// The folder for what the trial writes; it goes away with the guard.
struct Scratch(PathBuf);

impl Scratch {
    fn create() -> std::io::Result<Self> {
        let own = std::process::id();
        let path = std::env::temp_dir().join(format!("trial-{own}"));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            println!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Why the guard stops waiting for the trial.
enum End {
    Own,
    TimedOut,
    RunnerDied,
}

fn wait(trial: &Child, limit: Duration) -> std::io::Result<End> {
    /// Now and then what has ended among the orphans is reaped, as PID 1 does it: the first process of
    /// a PID namespace does not end before.
    const REAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let pid = Pid::from_child(trial);
    let trial = pidfd_open(pid, PidfdFlags::empty())?;
    let stdin = std::io::stdin();
    let deadline = Instant::now() + limit;
    loop {
        // The runner writes nothing: its end of standard input only closes.
        let mut ready =
            [PollFd::new(&trial, PollFlags::IN), PollFd::new(&stdin, PollFlags::empty())];
        if poll(&mut ready, Some(&REAP))? > 0 {
            let runner_died = ready[0].revents().is_empty();
            return Ok(if runner_died { End::RunnerDied } else { End::Own });
        }
        if Instant::now() > deadline {
            return Ok(End::TimedOut);
        }
        orphans::reap_all_but(pid);
    }
}

/// The trial's own process.
pub(crate) fn run_trial(chosen: &[Trial]) -> ExitCode {
    let [trial] = chosen else {
        println!("{} trials have this name, expected 1", chosen.len());
        return ExitCode::FAILURE;
    };
    // If somebody interrupts the tests, the guard dies, and then the trial does.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // No terminal: a trial that wants one opens its own.
    let _ = setsid();
    match (trial.run)() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(reason) => {
                println!("{SKIP_MARK}{reason}");
                ExitCode::from(EXIT_SKIPPED.to_le_bytes()[0])
            }
            None => {
                println!("{error:#}");
                ExitCode::FAILURE
            }
        },
    }
}
