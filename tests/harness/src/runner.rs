//! Starts a guard for every trial, a few at a time, and prints the verdicts as they come.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::Trial;
use crate::arguments::Arguments;
use crate::report::{Report, SKIP_MARK, Verdict};

/// What a trial that was skipped exits with (as with automake).
pub(crate) const EXIT_SKIPPED: i32 = 77;

pub(crate) fn run(trials: &[Trial], arguments: &Arguments) -> ExitCode {
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.min(trials.len()) {
            scope.spawn(|| {
                while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    let verdict = judge(trial.name, arguments);
                    let mut report = report.lock().expect("no thread panics while it prints");
                    report.add(trial.name, begun.elapsed(), verdict);
                }
            });
        }
    });
    report.into_inner().expect("every thread has ended").finish()
}

/// Runs one trial under a guard and reads its fate from exit code and output.
fn judge(name: &str, arguments: &Arguments) -> Verdict {
    match start_guard(name, arguments) {
        Ok((Some(0), _)) => Verdict::Passed,
        Ok((Some(EXIT_SKIPPED), output)) => Verdict::Skipped(skip_reason(&output)),
        Ok((Some(_), output)) => Verdict::Failed(output),
        Ok((None, output)) => {
            Verdict::Failed(format!("its guard did not end, or was killed\n{output}"))
        }
        Err(error) => Verdict::Failed(format!("cannot start the trial: {error}")),
    }
}

/// The output goes to a file in memory and not to a pipe: a process that outlives the trial
/// could keep a pipe open, and then the runner would wait for it. Writes append, for the kernel
/// does not keep processes that share a memory file's offset from overwriting each other.
///
/// The guard has a group of its own, so that Ctrl-C reaches the runner alone; the guard sees its
/// standard input close then, and still cleans up.
fn start_guard(name: &str, arguments: &Arguments) -> std::io::Result<(Option<i32>, String)> {
    if let Some(path) = &arguments.begun {
        let mut file = File::options().append(true).create(true).open(path)?;
        file.write_all(format!("begun: {name}\n").as_bytes())?;
    }
    let output = File::from(memfd_create("output", MemfdFlags::CLOEXEC)?);
    rustix::fs::fcntl_setfl(&output, OFlags::APPEND)?;
    let mut guard = Command::new(std::env::current_exe()?)
        .args(["--exact", name, "--guarded", "--time-limit"])
        .arg(arguments.time_limit.as_secs().to_string())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .spawn()?;
    let runner_lives = guard.stdin.take();
    // It needs a while to end what the trial has left; but it may be where nothing can be ended.
    if !ends_within(&guard, arguments.time_limit + Duration::from_secs(60))? {
        guard.kill()?;
        return Ok((None, read(output)?));
    }
    let code = guard.wait()?.code();
    drop(runner_lives);
    Ok((code, read(output)?))
}

fn ends_within(guard: &Child, limit: Duration) -> std::io::Result<bool> {
    let guard = pidfd_open(Pid::from_child(guard), PidfdFlags::empty())?;
    let limit = Timespec::try_from(limit).map_err(std::io::Error::other)?;
    Ok(poll(&mut [PollFd::new(&guard, PollFlags::IN)], Some(&limit))? > 0)
}

fn read(mut output: File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn skip_reason(output: &str) -> String {
    let reason = output.lines().rev().find_map(|line| line.strip_prefix(SKIP_MARK));
    reason.unwrap_or("(no reason given)").to_owned()
}
