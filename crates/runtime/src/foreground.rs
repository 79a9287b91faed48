//! Staying with a process until it ends: signals and the terminal are passed on.

use crate::error::{Error, Result};
use crate::keys::Keys;
use crate::readiness::Readiness;
use crate::running::Running;
use crate::terminal::{self, End, RawMode, Relay};
use std::os::fd::{AsFd, OwnedFd};
use sys::OrError;
use sys::process::{SIGKILL, send_signal};
use sys::rustix::event::{PollFd, PollFlags, poll};
use sys::rustix::io::Errno;
use sys::rustix::process::{Pid, WaitOptions, WaitStatus, set_child_subreaper, wait};
use sys::signal::{self, SIGCHLD, SIGWINCH, Signals};

/// Why a caller that stayed does so no longer.
#[derive(Debug)]
pub enum Left {
    /// The process has ended, with this exit code, or 128 + N after signal N.
    Ended(u8),
    /// Somebody has left it alone. Here is the master of its terminal.
    Running(Option<OwnedFd>),
}

/// A caller that stays. It takes over all signals and all children of the calling process.
#[derive(Debug)]
pub struct Foreground(());

impl Foreground {
    /// Blocks all signals: to be called before the process is made, so that none is lost.
    /// A `subreaper` adopts the processes whose parent ends.
    ///
    /// # Errors
    /// None that the manual knows.
    pub fn begin(subreaper: bool) -> Result<Foreground> {
        signal::block_all();
        if subreaper {
            // Any number but 0 means yes.
            set_child_subreaper(Some(Pid::INIT)).or_error("prctl", || "PR_SET_CHILD_SUBREAPER")?;
        }
        Ok(Foreground(()))
    }

    /// Stays until the process ends, and returns its exit code, or 128 + N after signal N.
    ///
    /// # Errors
    /// A system call that does not fail on a sound machine; the process is killed then.
    pub fn attend(&self, running: &mut Running) -> Result<u8> {
        match self.attend_or_leave(running, Keys::default())? {
            Left::Ended(code) => Ok(code),
            // Without keys nobody leaves.
            Left::Running(_) => Ok(255),
        }
    }

    /// The same, but whoever types these keys on its terminal leaves it.
    ///
    /// # Errors
    /// As [`Foreground::attend`].
    pub fn attend_or_leave(&self, running: &mut Running, keys: Keys) -> Result<Left> {
        let console = running.console.take();
        let readiness = running.readiness.take();
        let result = stay(running.pid, &running.pidfd, (console, keys), readiness.as_ref());
        if result.is_err() {
            pass_on(&running.pidfd, SIGKILL)?;
            wait(WaitOptions::empty()).or_error("wait4", || "-1")?;
        }
        result
    }
}

fn stay(
    pid: Pid,
    pidfd: &OwnedFd,
    (console, keys): (Option<OwnedFd>, Keys),
    readiness: Option<&Readiness>,
) -> Result<Left> {
    let keyboard = console.as_ref().and_then(|_| terminal::of_input());
    let _raw = keyboard.map(RawMode::begin).transpose()?;
    let mut relay = console.map(|master| Relay::new(master, keys)).transpose()?;
    let mut watch = Watch::of(relay.is_some(), readiness)?;
    // It may have been resized since.
    relay.iter().for_each(Relay::resize);
    // Should it have ended already, SIGCHLD waits: it was blocked before there was a process.
    let ended = loop {
        watch.attend(relay.as_mut(), pid)?;
        if relay.as_ref().is_some_and(Relay::is_left) {
            return Ok(Left::Running(relay.and_then(Relay::into_master)));
        }
        match watch.signal()? {
            None => {}
            Some(SIGCHLD) => {
                if let Some(code) = reap(pid)? {
                    break code;
                }
            }
            Some(SIGWINCH) => relay.iter().for_each(Relay::resize),
            Some(signal) => pass_on(pidfd, signal)?,
        }
    };
    if let Some(relay) = relay {
        relay.finish();
    }
    Ok(Left::Ended(ended))
}

/// What a caller that stays waits for.
enum Watch<'a> {
    /// Signals alone.
    Signals,
    /// Also the terminal, and what is to be told the service manager.
    All { signals: Signals, readiness: Option<&'a Readiness> },
}

impl<'a> Watch<'a> {
    fn of(has_terminal: bool, readiness: Option<&'a Readiness>) -> Result<Watch<'a>> {
        if !has_terminal && readiness.is_none() {
            return Ok(Watch::Signals);
        }
        let signals = Signals::of_blocked().or_error("signalfd", || "")?;
        Ok(Watch::All { signals, readiness })
    }

    /// Waits until there is something to do, but for signals alone, and does what is not theirs.
    fn attend(&mut self, relay: Option<&mut Relay>, pid: Pid) -> Result<()> {
        let Watch::All { signals, readiness } = self else { return Ok(()) };
        poll_all(signals, relay, *readiness)?;
        pass_on_readiness(*readiness, pid)
    }

    /// The next signal, if there is one yet.
    fn signal(&mut self) -> Result<Option<i32>> {
        match self {
            Watch::Signals => Ok(Some(signal::wait().or_error("sigwaitinfo", || "")?)),
            Watch::All { signals, .. } => Ok(signals.next().or_error("read", || "signalfd")?),
        }
    }
}

/// Waits for a signal, or for what is to be told the service manager, and copies what the
/// terminal has meanwhile.
fn poll_all(
    signals: &Signals,
    relay: Option<&mut Relay>,
    readiness: Option<&Readiness>,
) -> Result<()> {
    let mut ends = Vec::new();
    let mut polled = vec![PollFd::new(signals, PollFlags::IN)];
    polled.extend(readiness.map(|it| PollFd::new(it, PollFlags::IN)));
    let others = polled.len();
    for (end, wanted) in relay.as_ref().map(|relay| relay.wanted()).unwrap_or_default() {
        ends.push(end);
        polled.push(wanted);
    }
    match poll(&mut polled, None) {
        Err(Errno::INTR) => return Ok(()),
        result => result.or_error("poll", || "")?,
    };
    let ready = polled[others..].iter().map(|polled| !polled.revents().is_empty());
    let ready: Vec<End> =
        ends.into_iter().zip(ready).filter_map(|(end, is)| is.then_some(end)).collect();
    if let Some(relay) = relay {
        ready.into_iter().for_each(|end| relay.copy(end));
    }
    Ok(())
}

/// A service manager that is gone hears nothing, and the program goes on.
fn pass_on_readiness(readiness: Option<&Readiness>, pid: Pid) -> Result<()> {
    match readiness.map(|it| it.pass_on(pid)) {
        Some(Err(Error::Call(error))) if error.call != "sendto" => Err(error.into()),
        _ => Ok(()),
    }
}

/// Waits for children that have ended, up to `pid`, whose exit code it returns: nobody is left
/// then who would care for the others.
fn reap(pid: Pid) -> Result<Option<u8>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((ended, status))) if ended == pid => return Ok(Some(exit_code(status))),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            // Somebody else has waited for it, and only they know how it ended.
            Err(Errno::CHILD) => return Ok(Some(255)),
            Err(errno) => return Err(sys::Error::new("wait4", "-1, WNOHANG", errno).into()),
        }
    }
}

/// As shells tell it.
fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

fn pass_on(process: &OwnedFd, signal: i32) -> Result<()> {
    match send_signal(process.as_fd(), signal) {
        // It has ended; SIGCHLD follows.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(sys::Error::new("pidfd_send_signal", signal.to_string(), errno).into()),
    }
}
