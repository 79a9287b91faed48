//! A process on a terminal that one may leave alone, as Docker's `exec -it` lets one.
//!
//! ```text
//! caller                     keeper, a copy of the caller
//!   passes signals on ------>  makes the process, is its parent, and in front of its terminal
//!     <------ Exit or Failed
//!     <---------------- Left   the keys were typed: from now on the keeper has a session of its own,
//!                              throws away what the process prints, and buries it
//! ```

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::exec::Exec;
use crate::protocol::{self, Message, hear, tell};
use crate::streams::{Streams, null, put};
use runtime::{Foreground, Keys, Left, Running};
use std::os::fd::{AsFd, OwnedFd};
use sys::OrError;
use sys::process::{
    Cloned, SIGKILL, clone3_of_single_thread, close_all_but, exit_now, send_signal,
};
use sys::rustix::event::{PollFd, PollFlags, poll};
use sys::rustix::io::{Errno, read};
use sys::rustix::net::RecvFlags;
use sys::rustix::process::{
    Pid, Signal, WaitOptions, chdir, getpid, getppid, set_parent_process_death_signal, setsid,
    waitpid,
};
use sys::signal::{SIGCHLD, Signals};

/// Bytes that are thrown away at once.
const CHUNK: usize = 4096;

/// How somebody is in front of it no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has ended, with this exit code.
    Ended(u8),
    /// It was left alone.
    Detached,
}

impl Engine {
    /// Adds a process with a terminal to a container whose first process is `pid`, and stays until
    /// it ends or these keys are typed. The caller has one thread.
    pub(crate) fn exec_kept(
        &self,
        container: &Container,
        exec: &Exec,
        pid: i32,
        keys: &Keys,
    ) -> Result<Outcome> {
        let signals = Signals::block_all().or_error("signalfd", || "")?;
        let (ours, theirs) = protocol::pair()?;
        let caller = getpid();
        match clone3_of_single_thread(0, None).or_error("clone3", || "0")? {
            Cloned::Parent(keeper, pidfd) => {
                drop(theirs);
                follow(&signals, (keeper, &pidfd), &ours)
            }
            Cloned::Child => {
                drop(ours);
                // The store's own connection is the caller's: nothing here asks the database.
                let kept = tie_to(caller).and_then(|()| self.keep(container, exec, pid, keys));
                let told = match kept {
                    Ok((Left::Ended(code), _)) => tell(&theirs, &Message::Exit(code)),
                    Ok((Left::Running(master), running)) => {
                        bury(&theirs, master.as_ref(), &running)
                    }
                    Err(error) => {
                        let code = match &error {
                            Error::NotStarted { code, .. } => *code,
                            _ => 1,
                        };
                        let is_full = error.is_disk_full();
                        tell(&theirs, &Message::Failed(code, &error.to_string(), is_full))
                    }
                };
                exit_now(i32::from(told.is_err()))
            }
        }
    }

    fn keep(
        &self,
        container: &Container,
        exec: &Exec,
        pid: i32,
        keys: &Keys,
    ) -> Result<(Left, Running)> {
        let foreground = Foreground::begin(false)?;
        let streams = Streams::new(false, false)?;
        let (mut running, _) = streams.during(|| self.add_process(container, exec, pid))?;
        let left = foreground.attend_or_leave(&mut running, keys.clone())?;
        Ok((left, running))
    }
}

/// The caller: it waits for what the keeper says.
fn follow(
    signals: &Signals,
    (keeper, pidfd): (Pid, &OwnedFd),
    socket: &OwnedFd,
) -> Result<Outcome> {
    let mut buffer = Vec::new();
    loop {
        let mut polled = [PollFd::new(signals, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("poll", "", errno).into()),
        }
        while let Some(signal) = signals.next().or_error("read", || "signalfd")? {
            if signal != SIGCHLD {
                // It may have ended; then the socket says so.
                let _ = send_signal(pidfd.as_fd(), signal);
            }
        }
        let heard = match hear(socket, &mut buffer, RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => continue,
            heard => heard.or_error("recv", || "the keeper")?,
        };
        let outcome = match heard {
            // It goes on, and is buried by whoever buries orphans.
            Some(Message::Left) => return Ok(Outcome::Detached),
            Some(Message::Exit(code)) => Ok(Outcome::Ended(code)),
            Some(Message::Failed(code, text, is_disk_full)) => {
                Err(Error::NotStarted { code, message: text.to_owned(), is_disk_full })
            }
            _ => Err(Error::not_started(137, "it was killed")),
        };
        waitpid(Some(keeper), WaitOptions::empty()).or_error("waitpid", || "the keeper")?;
        return outcome;
    }
}

/// Nobody is to be in front of a terminal whose caller was killed.
fn tie_to(caller: Pid) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).or_error("prctl", || "PR_SET_PDEATHSIG")?;
    if getppid() == Some(caller) { Ok(()) } else { exit_now(128 + SIGKILL) }
}

/// Lets the caller go, and stays until the process has ended. Does not return if all is well.
fn bury(caller: &OwnedFd, master: Option<&OwnedFd>, running: &Running) -> Result<bool> {
    set_parent_process_death_signal(None).or_error("prctl", || "PR_SET_PDEATHSIG, 0")?;
    setsid().or_error("setsid", || "")?;
    chdir("/").or_error("chdir", || "/")?;
    let nothing = null()?;
    put(&nothing, &nothing, &nothing)?;
    tell(caller, &Message::Left)?;
    // Locks are in what the caller had open.
    let kept: Vec<_> = master.into_iter().chain([&running.pidfd]).map(AsFd::as_fd).collect();
    close_all_but(&kept, 3).or_error("close_range", || "3")?;
    let mut bytes = vec![0; CHUNK];
    let mut shown = master;
    loop {
        let ended = waitpid(Some(running.pid), WaitOptions::NOHANG);
        if !matches!(ended, Ok(None) | Err(Errno::INTR)) {
            exit_now(0)
        }
        let mut polled = vec![PollFd::new(&running.pidfd, PollFlags::IN)];
        polled.extend(shown.map(|master| PollFd::new(master, PollFlags::IN)));
        // The worst is that it is looked once more.
        let _ = poll(&mut polled, None);
        shown = shown.filter(|master| match read(*master, &mut bytes) {
            Ok(length) => length > 0,
            Err(errno) => matches!(errno, Errno::AGAIN | Errno::INTR),
        });
    }
}
