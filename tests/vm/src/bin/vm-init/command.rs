//! Runs the command and carries its output to the serial ports.

use crate::port;
use anyhow::{Context, Result};
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use vm::{Job, Status};

/// The ports of the command's output. The command itself gets pipes, as in any script, so that
/// it does not behave as if on a terminal.
pub(crate) struct Outputs {
    stdout: File,
    stderr: File,
}

impl Outputs {
    pub(crate) fn open() -> Result<Self> {
        Ok(Self { stdout: port::open("/dev/ttyS1")?, stderr: port::open("/dev/ttyS2")? })
    }
}

/// Runs the job's command to its end, and reaps every orphan meanwhile.
pub(crate) fn run(job: &Job, outputs: Outputs) -> Result<Status> {
    let (program, arguments) = job.command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(job.environment.iter().cloned());
    command.current_dir(&job.directory).stdin(Stdio::null());
    let (stdout, stdout_end) = std::io::pipe()?;
    let (stderr, stderr_end) = std::io::pipe()?;
    command.stdout(stdout_end).stderr(stderr_end);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Status::NotStarted(format!("{}: {error}", program.display()))),
    };
    // Our ends of the pipes, or the relays would wait for ever.
    drop(command);
    let relays = [relay(stdout, outputs.stdout), relay(stderr, outputs.stderr)];
    let status = wait_for(Pid::from_child(&child))?;
    // What the command left running holds the pipes open.
    crate::kill_the_rest();
    for relay in relays {
        relay.join().ok().context("a relay panicked")?.context("writing to a serial port")?;
    }
    Ok(status)
}

/// Not `Child::wait`: as PID 1 we also get other people's children.
fn wait_for(main: Pid) -> Result<Status> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == main => return Ok(describe(status)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait"),
        }
    }
}

fn describe(status: WaitStatus) -> Status {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, Some(signal)) => Status::Killed(signal),
        (None, None) => Status::NotStarted(format!("ended strangely: {status:?}")),
    }
}

fn relay(mut from: impl Read + Send + 'static, mut to: File) -> JoinHandle<Result<()>> {
    thread::spawn(move || {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(length) => port::write_all(&mut to, &chunk[..length])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    })
}
