//! Signals as something to wait for or to poll: signal(7), sigwaitinfo(2), signalfd(2).

#![allow(unsafe_code)]

use crate::rustix::io::{Errno, read};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr;

/// SIGCHLD, signal(7).
pub const SIGCHLD: i32 = libc::SIGCHLD;
/// SIGTERM, signal(7).
pub const SIGTERM: i32 = libc::SIGTERM;
/// SIGWINCH, signal(7).
pub const SIGWINCH: i32 = libc::SIGWINCH;

/// `signal(number, SIG_DFL)`, signal(2): it is not ignored any more.
pub fn heed(number: i32) {
    // SAFETY: SIG_DFL is no handler.
    unsafe { libc::signal(number, libc::SIG_DFL) };
}

/// `int sigprocmask(SIG_BLOCK, all, NULL)`: from now on every signal that can be blocked waits. The
/// calling thread's children inherit that it is blocked, over execve(2) too.
pub fn block_all() {
    let all = all();
    // SAFETY: a live set.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut()) };
}

/// Waits for a signal, `sigwaitinfo(2)`, once [`block_all`] was called.
///
/// # Errors
/// None that the manual knows but EINTR, after which this goes on.
pub fn wait() -> Result<i32, Errno> {
    let all = all();
    loop {
        // SAFETY: a live set; where it came from is not asked for.
        let number = unsafe { libc::sigwaitinfo(&raw const all, ptr::null_mut()) };
        match last_error() {
            _ if number > 0 => return Ok(number),
            Errno::INTR => {}
            errno => return Err(errno),
        }
    }
}

fn all() -> libc::sigset_t {
    // SAFETY: plain data, for which all zeroes is a value, and which is live.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// A descriptor from which signals are read, `signalfd(2)`, Linux 2.6.27. It does not block.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// [`block_all`] and [`Signals::of_blocked`].
    ///
    /// # Errors
    /// As the latter.
    pub fn block_all() -> Result<Signals, Errno> {
        block_all();
        Signals::of_blocked()
    }

    /// `int signalfd(-1, all, SFD_CLOEXEC | SFD_NONBLOCK)`: those that are blocked are read.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENODEV, ENOMEM.
    pub fn of_blocked() -> Result<Signals, Errno> {
        let all = all();
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: a live set; it gives a new descriptor, which is ours alone.
        let descriptor = unsafe { libc::signalfd(-1, &raw const all, flags) };
        if descriptor < 0 {
            return Err(last_error());
        }
        // SAFETY: see above.
        Ok(Signals(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// The next signal that waits, if there is one.
    ///
    /// # Errors
    /// None that the manual knows.
    pub fn next(&self) -> Result<Option<i32>, Errno> {
        let mut record = [0; size_of::<libc::signalfd_siginfo>()];
        match read(&self.0, &mut record) {
            Ok(length) if length == record.len() => {
                // `ssi_signo` comes first.
                let (number, _) = record.split_first_chunk().ok_or(Errno::IO)?;
                Ok(i32::try_from(u32::from_ne_bytes(*number)).ok())
            }
            Ok(_) => Err(Errno::IO),
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::Signals;
    use crate::rustix::process::{Signal, getpid};
    use crate::rustix::thread::gettid;

    #[test]
    fn a_blocked_signal_waits() {
        // The mask is that of this thread alone; so the signal must be for it, too.
        let signals = Signals::block_all().unwrap();
        assert_eq!(signals.next(), Ok(None));
        signal_myself(Signal::USR1);
        assert_eq!(signals.next(), Ok(Some(libc::SIGUSR1)));
        assert_eq!(signals.next(), Ok(None));
        signal_myself(Signal::TERM);
        assert_eq!(super::wait(), Ok(libc::SIGTERM));
        assert_eq!(signals.next(), Ok(None));
    }

    fn signal_myself(signal: Signal) {
        // SAFETY: no memory is passed.
        let result = unsafe {
            libc::syscall(
                libc::SYS_tgkill,
                getpid().as_raw_nonzero().get(),
                gettid().as_raw_nonzero().get(),
                signal.as_raw(),
            )
        };
        assert_eq!(result, 0);
    }
}
