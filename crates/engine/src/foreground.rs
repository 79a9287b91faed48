//! Staying with a process that `exec` has added: its pipes and the caller's standard streams.

use crate::error::Result;
use crate::monitor::exit_code;
use crate::streams::Ends;
use runtime::Running;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::process::send_signal;
use sys::rustix::event::{PollFd, PollFlags, poll};
use sys::rustix::io::{Errno, read, write};
use sys::rustix::process::{WaitOptions, waitpid};
use sys::rustix::stdio;
use sys::signal::{SIGCHLD, SIGWINCH, Signals};

const CHUNK: usize = 16 << 10;

/// A caller that stays.
pub(crate) struct Foreground {
    signals: Signals,
    /// The caller's input may have more.
    input_open: bool,
    typed: Vec<u8>,
}

impl Foreground {
    /// To be called before the process is made, so that no signal is lost.
    pub(crate) fn begin(input: bool) -> Result<Foreground> {
        let signals = Signals::block_all().or_error("signalfd", || "")?;
        Ok(Foreground { signals, input_open: input, typed: Vec::new() })
    }

    /// Stays until the process has ended and was read to the end.
    pub(crate) fn stay(mut self, running: &Running, mut ends: Ends) -> Result<u8> {
        let mut ended = None;
        loop {
            self.take_signals(running)?;
            if ended.is_none() {
                let reaped = waitpid(Some(running.pid), WaitOptions::NOHANG);
                let reaped = reaped.or_error("waitpid", || "the process")?;
                ended = reaped.map(|(_, status)| exit_code(status));
            }
            // What it has started may hold its streams; that is not waited for.
            let is_over = ended.is_some();
            for (end, to) in ends.outputs.iter_mut().zip([stdio::stdout(), stdio::stderr()]) {
                copy_output(end, to, is_over)?;
            }
            self.copy_input(&mut ends);
            if let Some(code) = ended {
                return Ok(code);
            }
            self.wait(&ends)?;
        }
    }

    fn wait(&self, ends: &Ends) -> Result<()> {
        let mut polled = vec![PollFd::new(&self.signals, PollFlags::IN)];
        for end in ends.outputs.iter().flatten() {
            polled.push(PollFd::new(end, PollFlags::IN));
        }
        match &ends.input {
            Some(end) if !self.typed.is_empty() => {
                polled.push(PollFd::new(end, PollFlags::OUT));
            }
            Some(_) if self.input_open => {
                polled.push(PollFd::from_borrowed_fd(stdio::stdin(), PollFlags::IN));
            }
            _ => {}
        }
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(sys::Error::new("poll", "", errno).into()),
        }
    }

    fn take_signals(&self, running: &Running) -> Result<()> {
        while let Some(signal) = self.signals.next().or_error("read", || "signalfd")? {
            if signal != SIGCHLD && signal != SIGWINCH {
                // It may have ended; then SIGCHLD follows.
                let _ = send_signal(running.pidfd.as_fd(), signal);
            }
        }
        Ok(())
    }

    fn copy_input(&mut self, ends: &mut Ends) {
        let Some(end) = &ends.input else { return };
        if self.typed.is_empty() && self.input_open && is_ready(stdio::stdin()) {
            let mut buffer = vec![0; CHUNK];
            match read(stdio::stdin(), &mut buffer) {
                Ok(length) if length > 0 => {
                    buffer.truncate(length);
                    self.typed = buffer;
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                _ => self.input_open = false,
            }
        }
        match write(end, &self.typed) {
            Ok(length) => drop(self.typed.drain(..length)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // It does not read any more.
            Err(_) => (self.input_open, self.typed) = (false, Vec::new()),
        }
        if !self.input_open && self.typed.is_empty() {
            ends.input = None;
        }
    }
}

fn is_ready(stream: BorrowedFd<'_>) -> bool {
    let now = sys::rustix::event::Timespec::default();
    poll(&mut [PollFd::from_borrowed_fd(stream, PollFlags::IN)], Some(&now)) == Ok(1)
}

/// Copies what there is; to the end if the process is over.
fn copy_output(end: &mut Option<OwnedFd>, to: BorrowedFd<'_>, is_over: bool) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    while let Some(open) = end {
        match read(&*open, &mut buffer) {
            Ok(0) => *end = None,
            Ok(length) => write_all(to, &buffer[..length])?,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(_) => *end = None,
        }
        // Signals are looked after now and then.
        if !is_over {
            return Ok(());
        }
    }
    Ok(())
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None)
                    .or_error("poll", || "a standard stream")?;
            }
            Err(errno) => return Err(sys::Error::new("write", "a standard stream", errno).into()),
        }
    }
    Ok(())
}
