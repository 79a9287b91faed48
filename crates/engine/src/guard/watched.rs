//! A monitor's end of its connection with the guard.

use super::{LONG_ENOUGH, LONGEST, SHORTEST, WORD};
use crate::error::{Error, Result};
use crate::folders::{self, Folders};
use crate::protocol::{self, Message, tell};
use crate::{lock, streams};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use sys::rustix::io::Errno;
use sys::rustix::net::{RecvFlags, recv};

/// What a monitor does to be watched.
pub(crate) struct Watched {
    id: String,
    is_wanted: bool,
    /// Of the guard, and since when.
    guard: Option<(OwnedFd, Instant)>,
    /// The next try to find or start one, and the wait before the one after that.
    next: Instant,
    wait: Duration,
    /// It had one, and heard no more of it.
    has_lost_one: bool,
    /// A guard that this one has started, and buries.
    started: Option<Child>,
}

impl Watched {
    /// For the monitor of this container.
    pub(crate) fn new(id: &str, is_wanted: bool) -> Watched {
        Watched {
            id: id.to_owned(),
            is_wanted,
            guard: None,
            next: Instant::now(),
            wait: SHORTEST,
            has_lost_one: false,
            started: None,
        }
    }

    /// From now on it is to be watched, or no more.
    pub(crate) fn want(&mut self, is_wanted: bool) {
        self.is_wanted = is_wanted;
        if !is_wanted {
            self.end();
        }
    }

    /// The guard has nothing to say; its end is heard.
    pub(crate) fn polled(&self) -> Option<BorrowedFd<'_>> {
        self.guard.as_ref().map(|(socket, _)| socket.as_fd())
    }

    /// When there is something to do at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (self.is_wanted && self.guard.is_none()).then_some(self.next)
    }

    /// Sees to it that there is a guard. Never waits, and what fails is tried again: without one, the
    /// next command notices what this one would.
    pub(crate) fn serve(&mut self, folders: &Folders) {
        if let Some((socket, since)) = &self.guard {
            if matches!(recv(socket, &mut [0_u8; 1][..], RecvFlags::DONTWAIT), Err(Errno::AGAIN)) {
                return;
            }
            if since.elapsed() >= LONG_ENOUGH {
                self.wait = SHORTEST;
            }
            self.guard = None;
            self.has_lost_one = true;
            self.postpone();
        }
        // It has ended, or is about to.
        if self.started.as_mut().is_some_and(|it| !matches!(it.try_wait(), Ok(None))) {
            self.started = None;
        }
        let now = Instant::now();
        if !self.is_wanted || now < self.next {
            return;
        }
        self.postpone();
        if let Ok(Some(socket)) = self.find(folders)
            && tell(&socket, &Message::Lives(&self.id)).unwrap_or(false)
        {
            if self.has_lost_one {
                // If it does not arrive, that one has ended as well.
                let _ = tell(&socket, &Message::GuardLost);
            }
            self.guard = Some((socket, now));
        }
    }

    fn postpone(&mut self) {
        self.next = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(LONGEST);
    }

    /// The one that there is, or a new one; none if somebody else is just starting one.
    fn find(&mut self, folders: &Folders) -> Result<Option<OwnedFd>> {
        let (folder, path) = (folders.guard(), folders.guard_socket());
        if let Some(socket) = protocol::connect_at_once(&path)? {
            return Ok(Some(socket));
        }
        folders::make(&folder)?;
        let Some(lock) = lock::try_take_for_child(&folder)? else { return Ok(None) };
        // It is there before its owner is, who finds whoever connects meanwhile.
        let listener = protocol::serve(&path)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("tinyo").arg(WORD).arg(folders.root()).arg(folders.run()).env_clear();
        command.stdin(Stdio::from(listener)).stdout(Stdio::from(lock));
        command.stderr(Stdio::from(streams::null()?));
        self.started = Some(command.spawn().map_err(Error::file("/proc/self/exe"))?);
        protocol::connect_at_once(&path)
    }

    /// This monitor ends well: nothing is to be done about that.
    pub(crate) fn end(&mut self) {
        if let Some((socket, _)) = self.guard.take() {
            // If it is not told, it looks, and finds that there is nothing to do.
            let _ = tell(&socket, &Message::Over);
        }
    }
}
