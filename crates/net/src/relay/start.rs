//! Starting a relay when somebody comes.

use super::{Listener, words};
use crate::Error;
use std::convert::Infallible;
use std::ffi::CString;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use sys::OrError;
use sys::process::{
    Cloned, SIGKILL, Words, clone3_of_single_thread, execve, exit_now, send_signal,
};
use sys::rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use sys::rustix::io::{Errno, FdFlags, fcntl_setfd, retry_on_intr};
use sys::rustix::process::{
    Pid, Signal, WaitOptions, getpid, set_parent_process_death_signal, waitpid,
};

/// A relay that ends sooner than that did not end because nobody came, and the next one waits.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// The sockets of published ports at `::1`, and a process that serves them as long as somebody
/// is there. It ends when this is dropped, or the process that has it, which must have one thread
/// and be a program that knows the word [`super::WORD`].
#[derive(Debug)]
pub struct Relay {
    listeners: Vec<Listener>,
    /// Readable when somebody has come.
    come: OwnedFd,
    targets: Vec<IpAddr>,
    is_open: bool,
    running: Option<Running>,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Running {
    pid: Pid,
    pidfd: OwnedFd,
    since: Instant,
}

impl Relay {
    /// One for these sockets, and a container with these addresses: the first one that answers is
    /// taken. As long as there never was one, connections are refused.
    ///
    /// # Errors
    /// What the kernel answers: EADDRINUSE if somebody listens on a port all the same.
    pub fn new(listeners: Vec<Listener>, targets: Vec<IpAddr>) -> Result<Relay, Error> {
        let failed = || Error::doing("listen at [::1]");
        let come = epoll::create(epoll::CreateFlags::CLOEXEC)
            .or_error("epoll_create1", || "EPOLL_CLOEXEC")
            .map_err(failed())?;
        for listener in &listeners {
            let data = epoll::EventData::new_u64(0);
            epoll::add(&come, listener, data, epoll::EventFlags::IN)
                .or_error("epoll_ctl", || "EPOLL_CTL_ADD")
                .map_err(failed())?;
        }
        let (is_open, running, not_before) = (false, None, None);
        let mut relay =
            Relay { listeners, come, targets: Vec::new(), is_open, running, not_before };
        relay.set_targets(targets)?;
        Ok(relay)
    }

    /// The container has other addresses now, or none. Connections of before end.
    ///
    /// # Errors
    /// As of [`Relay::new`].
    pub fn set_targets(&mut self, targets: Vec<IpAddr>) -> Result<(), Error> {
        if targets == self.targets {
            return Ok(());
        }
        self.running = None;
        self.targets = targets;
        if !self.is_open {
            // A socket that does not listen is always readable.
            self.listeners
                .iter()
                .try_for_each(Listener::open)
                .map_err(Error::doing("listen at [::1]"))?;
            self.is_open = true;
        }
        Ok(())
    }

    /// Readable when there is something to do; none if there is nothing before [`Relay::deadline`].
    #[must_use]
    pub fn polled(&self) -> Option<BorrowedFd<'_>> {
        match &self.running {
            Some(running) => Some(running.pidfd.as_fd()),
            None => (self.is_open && self.not_before.is_none()).then_some(self.come.as_fd()),
        }
    }

    /// When there is something to do at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.not_before
    }

    /// Starts a process if somebody has come and there is none. Never waits.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn serve(&mut self) -> Result<(), Error> {
        if self.not_before.is_some_and(|at| at <= Instant::now()) {
            self.not_before = None;
        }
        let Some(polled) = self.polled() else { return Ok(()) };
        if !is_readable(polled) {
            return Ok(());
        }
        if let Some(ended) = self.running.take() {
            let is_early = ended.since.elapsed() < LONG_ENOUGH;
            self.not_before = is_early.then(|| Instant::now() + LONG_ENOUGH);
            return Ok(());
        }
        let started = self.start();
        if started.is_err() {
            self.not_before = Some(Instant::now() + LONG_ENOUGH);
        }
        self.running = Some(started.map_err(Error::doing("start a process for [::1]"))?);
        Ok(())
    }

    fn start(&self) -> Result<Running, sys::Error> {
        let text = |word: String| {
            CString::new(word).map_err(|_| Errno::INVAL).or_error("execve", || "a NUL in a word")
        };
        let parent = getpid();
        let all = words(parent.as_raw_nonzero().get(), &self.targets, &self.listeners);
        let words = Words::new(all.into_iter().map(text).collect::<Result<_, _>>()?);
        let environment = Words::new(Vec::new());
        let cloned = clone3_of_single_thread(0, None).or_error("clone3", || "0")?;
        let Cloned::Parent(pid, pidfd) = cloned else {
            let Err(_) = self.become_relay(&words, &environment);
            exit_now(1)
        };
        Ok(Running { pid, pidfd, since: Instant::now() })
    }

    /// In the new process. It inherits the sockets and nothing else.
    fn become_relay(&self, words: &Words, environment: &Words) -> Result<Infallible, Errno> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        for listener in &self.listeners {
            fcntl_setfd(listener, FdFlags::empty())?;
        }
        sys::process::reset_signals(0);
        execve(c"/proc/self/exe", words, environment)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is only its body.
        let _ = send_signal(self.pidfd.as_fd(), SIGKILL);
        let _ = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
    }
}

fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // What cannot be found out now can be the next time.
    matches!(poll(&mut polled, Some(&now)), Ok(1..))
}
