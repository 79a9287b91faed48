//! Ending processes whose ids the kernel told.

use std::time::{Duration, Instant};

use sys::OrError as _;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;
use sys::rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use std::os::fd::OwnedFd;

use super::error::{Error, Result};

/// How long anything may take that should be done at once. A process in an uninterruptible wait
/// for a dead disk is the only one known to need longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// An end to waiting.
pub(super) struct Deadline {
    what: &'static str,
    at: Instant,
    pause: Duration,
}

impl Deadline {
    pub(super) fn new(what: &'static str) -> Deadline {
        Deadline { what, at: Instant::now() + PATIENCE, pause: Duration::from_micros(20) }
    }

    /// What is left.
    ///
    /// # Errors
    /// Nothing is.
    pub(super) fn left(&self) -> Result<Duration> {
        let left = self.at.checked_duration_since(Instant::now());
        left.ok_or_else(|| Error::TimedOut {
            what: self.what.to_owned(),
            seconds: PATIENCE.as_secs(),
        })
    }

    /// Lets some time pass where the kernel offers nothing to wait for: 20 microseconds, and twice
    /// as long each time, but never more than 10 ms.
    pub(super) fn pause(&mut self) -> Result<()> {
        self.left()?;
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_millis(10));
        Ok(())
    }
}

/// Sends KILL to all; the result is for [`wait`].
pub(super) fn kill(pids: &[i32]) -> Result<Vec<OwnedFd>> {
    let mut killed = Vec::new();
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let sent = pidfd_open(pid, PidfdFlags::empty()).and_then(|process| {
            pidfd_send_signal(&process, Signal::KILL)?;
            Ok(process)
        });
        match sent {
            Ok(process) => killed.push(process),
            Err(Errno::SRCH) => {}
            Err(errno) => {
                let arguments = format!("{}, SIGKILL", pid.as_raw_nonzero());
                return Err(sys::Error::new("pidfd_send_signal", arguments, errno).into());
            }
        }
    }
    Ok(killed)
}

/// Waits until all have ended.
pub(super) fn wait(processes: &[OwnedFd], deadline: &Deadline) -> Result<()> {
    for process in processes {
        poll_until(PollFd::new(process, PollFlags::IN), deadline)?;
    }
    Ok(())
}

/// Waits for an event of a descriptor.
pub(super) fn poll_until(descriptor: PollFd<'_>, deadline: &Deadline) -> Result<()> {
    let mut descriptors = [descriptor];
    loop {
        let limit = Timespec::try_from(deadline.left()?).unwrap_or_default();
        match poll(&mut descriptors, Some(&limit)) {
            Ok(0) | Err(Errno::INTR) => {}
            other => return Ok(other.map(drop).or_error("poll", || "1 descriptor")?),
        }
    }
}
