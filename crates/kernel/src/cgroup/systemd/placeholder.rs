//! A process that keeps a scope alive until the container is in it.
//!
//! systemd makes no scope without a process, and takes it away with the last one. The container
//! does not exist yet then: it is to be born in the scope's group.

use std::os::fd::{AsFd as _, OwnedFd};

use sys::OrError as _;
use sys::process::{Cloned, clone3_of_single_thread, exit_now};
use sys::rustix::pipe::{PipeFlags, pipe_with};
use sys::rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::super::error::Result;

/// Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Placeholder {
    pid: Pid,
    process: OwnedFd,
    /// The process ends when this closes, be it that this process is killed.
    _alive: OwnedFd,
}

impl Placeholder {
    pub(super) fn start() -> Result<Placeholder> {
        let (closed, alive) = pipe_with(PipeFlags::CLOEXEC).or_error("pipe2", || "O_CLOEXEC")?;
        match clone3_of_single_thread(0, None).or_error("clone3", || "CLONE_PIDFD")? {
            Cloned::Parent(pid, process) => Ok(Placeholder { pid, process, _alive: alive }),
            Cloned::Child => {
                drop(alive);
                // Nothing is ever written: this returns when the other end is gone.
                let _ = sys::rustix::io::read(&closed, &mut [0]);
                exit_now(0)
            }
        }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        // It is a child of ours that nobody else waits for, so both can only succeed.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED);
    }
}
