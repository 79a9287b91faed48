//! One check of a container's health: a command in it, and the beginning of what that prints.

use super::added;
use crate::engine::runtime_id;
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::streams::{Ends, Streams};
use crate::{clock, health_log};
use runtime::Running;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use sys::process::{SIGKILL, send_signal};
use sys::rustix::io::{Errno, read};
use sys::rustix::process::{WaitOptions, waitpid};

/// What is said of one that could not be done, or not in time.
const FAILED: i32 = -1;

/// One that is going on.
pub(super) struct Probe {
    running: Running,
    ends: Ends,
    output: Vec<u8>,
    started: u64,
    /// When it must be over.
    pub(super) deadline: Instant,
}

impl Probe {
    /// Nothing if it could not be started, which is remembered. `owner`: who the container's root is.
    pub(super) fn start(
        root: &Path,
        folder: &ContainerFolder,
        (id, command): (&str, &[String]),
        owner: Option<(u32, u32)>,
        deadline: Instant,
    ) -> Option<Probe> {
        let started = clock::now();
        match start(root, id, command, owner) {
            Ok((running, ends)) => {
                Some(Probe { running, ends, output: Vec::new(), started, deadline })
            }
            // No such program, or the container is about to end.
            Err(error) => {
                let times = (started, clock::now());
                health_log::add(folder, times, FAILED, error.to_string().as_bytes());
                None
            }
        }
    }

    /// Where it prints.
    pub(super) fn polled(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.ends.outputs.iter().flatten().map(AsFd::as_fd)
    }

    /// Whether it was successful, once it is over or takes too long, which is remembered.
    pub(super) fn outcome(&mut self, folder: &ContainerFolder, timeout: Duration) -> Option<bool> {
        self.read();
        let (code, said) = match waitpid(Some(self.running.pid), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => {
                // What it printed last.
                self.read();
                (i32::from(super::program::exit_code(status)), std::mem::take(&mut self.output))
            }
            Ok(None) if Instant::now() >= self.deadline => {
                self.kill();
                (FAILED, format!("Health check exceeded timeout ({timeout:?})").into_bytes())
            }
            Ok(None) | Err(_) => return None,
        };
        health_log::add(folder, (self.started, clock::now()), code, &said);
        Some(code == 0)
    }

    /// Only the beginning is kept; the rest is read, so that nobody waits for it to be.
    fn read(&mut self) {
        let mut buffer = [0; 1024];
        for end in &mut self.ends.outputs {
            // One that never stops must not keep others waiting.
            for _ in 0..64 {
                let Some(descriptor) = end else { break };
                match read(&*descriptor, &mut buffer) {
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    Ok(0) | Err(_) => *end = None,
                    Ok(length) => {
                        let room = health_log::LONGEST - self.output.len();
                        self.output.extend_from_slice(&buffer[..length.min(room)]);
                    }
                }
            }
        }
    }

    pub(super) fn kill(&self) {
        // It is our child; that it is dead by now is all we want to know.
        let _ = send_signal(self.running.pidfd.as_fd(), SIGKILL);
        let _ = waitpid(Some(self.running.pid), WaitOptions::empty());
    }
}

fn start(
    root: &Path,
    id: &str,
    command: &[String],
    owner: Option<(u32, u32)>,
) -> Result<(Running, Ends)> {
    let id = runtime_id(id)?;
    let text = runtime::with_configuration(root, &id, |spec| {
        let Some(own) = &spec.process else {
            return Err(runtime::Error::Unsupported("the container has no process".to_owned()));
        };
        let mut process = own.clone();
        process.args = command.iter().map(|word| word.clone().into()).collect();
        process.terminal = false;
        spec::json::to_line(&process)
            .map_err(|error| runtime::Error::Unsupported(error.to_string()))
    })?;
    let process =
        spec::json::parse(text.as_bytes()).map_err(|error| Error::invalid(error.to_string()))?;
    let streams = Streams::new(false, true)?;
    owner.map_or(Ok(()), |owner| streams.give_to(owner))?;
    added::start(root, id.as_str(), &process, streams)
}
