//! The guard itself.

use super::{ALL, LONG_ENOUGH, LONGEST, SHORTEST, WORD};
use crate::error::Result;
use crate::folders::Folders;
use crate::protocol::Message;
use crate::streams;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::{Errno, fcntl_dupfd_cloexec};
use sys::rustix::net::{RecvFlags, SocketFlags, accept_with, recv};
use sys::rustix::process::{
    Pid, PidfdFlags, Resource, chdir, getrlimit, pidfd_open, setrlimit, setsid,
};
use sys::rustix::stdio;
use sys::rustix::thread::set_name;

/// So many containers are looked at at once: one that somebody holds is not to keep the others waiting.
const AT_ONCE: usize = 8;

/// Descriptors that are none of a monitor's.
const OTHERS: u64 = 32;

/// A byte, and the id of a container.
const LONGEST_MESSAGE: usize = 128;

struct Guard {
    folders: Folders,
    listener: OwnedFd,
    /// Held as long as this lives: there is no other one.
    _lock: OwnedFd,
    /// So many monitors have room.
    most: u64,
    monitors: Vec<Monitor>,
    lost: Vec<Lost>,
    /// Somebody has connected, or nobody is going to.
    has_begun: bool,
    /// As the one before was killed, and a monitor perhaps with it.
    has_looked_at_all: bool,
    looking: Vec<Looking>,
    /// The last wait for a container whose monitor was killed, for the case that it is killed again.
    waits: BTreeMap<String, Duration>,
}

/// One that has connected.
struct Monitor {
    socket: OwnedFd,
    since: Instant,
    /// Its container, as soon as it has said which.
    id: Option<String>,
    is_gone: bool,
}

/// A container that is to be looked at.
struct Lost {
    id: String,
    wait: Duration,
    due: Instant,
}

/// A process that is at it.
struct Looking {
    id: String,
    wait: Duration,
    process: Child,
    pidfd: OwnedFd,
}

/// Watches monitors until there are none. Its standard input is the socket at which it listens, its
/// standard output the lock.
///
/// # Errors
/// The streams are not those that a guard gets; what the kernel answers.
pub fn run(root: &Path, run: &Path) -> Result<()> {
    let take = |stream| fcntl_dupfd_cloexec(stream, 3).or_error("fcntl", || "F_DUPFD_CLOEXEC, 3");
    let (listener, lock) = (take(stdio::stdin())?, take(stdio::stdout())?);
    let null = streams::null()?;
    streams::put(&null, &null, &null)?;
    setsid().or_error("setsid", || "")?;
    set_name(c"tinyo").or_error("prctl", || "PR_SET_NAME")?;
    chdir(c"/").or_error("chdir", || "\"/\"")?;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer descriptors there are fewer monitors; the others try it again and again.
    let _ = setrlimit(Resource::Nofile, limit);
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(OTHERS);
    let mut guard = Guard {
        folders: Folders::new(root, run),
        listener,
        _lock: lock,
        most,
        monitors: Vec::new(),
        lost: Vec::new(),
        has_begun: false,
        has_looked_at_all: false,
        looking: Vec::new(),
        waits: BTreeMap::new(),
    };
    while guard.is_needed() {
        guard.wait()?;
        guard.hear()?;
        guard.reap();
        guard.look();
    }
    // Whoever has just connected hears that nobody listens, and starts another one.
    let _ = std::fs::remove_file(guard.folders.guard_socket());
    Ok(())
}

impl Guard {
    fn is_needed(&self) -> bool {
        let has_work =
            !(self.monitors.is_empty() && self.lost.is_empty() && self.looking.is_empty());
        // Nobody is to make a store anew that somebody has removed.
        (has_work || !self.has_begun) && self.folders.containers().exists()
    }

    /// Waits until something happens.
    fn wait(&self) -> Result<()> {
        let mut polled = Vec::new();
        if (self.monitors.len() as u64) < self.most {
            polled.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        let sockets = self.monitors.iter().map(|it| &it.socket);
        let processes = self.looking.iter().map(|it| &it.pidfd);
        polled.extend(sockets.chain(processes).map(|it| PollFd::new(it, PollFlags::IN)));
        let due = self.lost.iter().map(|it| it.due).min().filter(|_| self.has_room());
        let timeout = due.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = if self.has_begun { timeout } else { Some(LONG_ENOUGH) };
        // Rounded up, or the last moment would be waited for again and again.
        let timeout = timeout
            .map(|left| Timespec::try_from(left + Duration::from_millis(1)).unwrap_or_default());
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(sys::Error::new("poll", "", errno).into()),
        }
    }

    fn has_room(&self) -> bool {
        self.looking.len() < AT_ONCE
    }

    /// Takes in who is new, and what they say.
    fn hear(&mut self) -> Result<()> {
        while (self.monitors.len() as u64) < self.most {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match accept_with(&self.listener, flags) {
                Ok(socket) => self.monitors.push(Monitor::new(socket)),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(sys::Error::new("accept4", "monitors", errno).into()),
            }
        }
        self.has_begun = true;
        let mut is_guard_lost = false;
        for monitor in &mut self.monitors {
            if monitor.hear(&mut is_guard_lost)
                && let Some(id) = monitor.id.take()
            {
                self.waits.remove(&id);
            }
        }
        if is_guard_lost && !self.has_looked_at_all {
            self.has_looked_at_all = true;
            self.lose(ALL.to_owned(), LONG_ENOUGH);
        }
        let is_gone = |it: &mut Monitor| it.is_gone;
        for monitor in self.monitors.extract_if(.., is_gone).collect::<Vec<_>>() {
            if let Some(id) = monitor.id {
                self.lose(id, monitor.since.elapsed());
            }
        }
        Ok(())
    }

    /// A monitor was killed that had lived for so long.
    fn lose(&mut self, id: String, lived: Duration) {
        let last = self.waits.get(&id).filter(|_| lived < LONG_ENOUGH);
        let wait = last.map_or(SHORTEST, |wait| (*wait * 2).min(LONGEST));
        self.waits.insert(id.clone(), wait);
        self.lost.push(Lost { id, wait, due: Instant::now() + wait });
    }

    /// Starts processes that look at what was lost.
    fn look(&mut self) {
        let now = Instant::now();
        while self.has_room()
            && let Some(place) = self.lost.iter().position(|it| it.due <= now)
        {
            let Lost { id, wait, .. } = self.lost.swap_remove(place);
            match self.start(&id) {
                Ok((process, pidfd)) => self.looking.push(Looking { id, wait, process, pidfd }),
                Err(_) => self.try_again(id, wait),
            }
        }
    }

    /// This program once more: it may open the database, and this one stays small.
    fn start(&self, id: &str) -> Result<(Child, OwnedFd)> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("tinyo").arg(WORD).arg(self.folders.root()).arg(self.folders.run()).arg(id);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map_err(crate::error::Error::file("/proc/self/exe"))?;
        let pid = Pid::from_child(&process);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).or_error("pidfd_open", || "a child")?;
        Ok((process, pidfd))
    }

    /// Takes note of those that have ended.
    fn reap(&mut self) {
        let mut still = Vec::new();
        for mut looking in std::mem::take(&mut self.looking) {
            match looking.process.try_wait() {
                Ok(None) => still.push(looking),
                Ok(Some(status)) if status.success() => {}
                // It was killed itself, or could not do it.
                _ => self.try_again(looking.id, looking.wait),
            }
        }
        self.looking = still;
    }

    fn try_again(&mut self, id: String, wait: Duration) {
        let wait = (wait * 2).min(LONGEST);
        self.lost.push(Lost { id, wait, due: Instant::now() + wait });
    }
}

impl Monitor {
    fn new(socket: OwnedFd) -> Monitor {
        Monitor { socket, since: Instant::now(), id: None, is_gone: false }
    }

    /// Whether it has said that it ends well.
    fn hear(&mut self, is_guard_lost: &mut bool) -> bool {
        let mut buffer = [0; LONGEST_MESSAGE];
        loop {
            let length = match recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN) => return false,
                Err(Errno::INTR) => continue,
                Ok((length @ 1.., _)) => length,
                _ => {
                    self.is_gone = true;
                    return false;
                }
            };
            match Message::parse(&buffer[..length]) {
                Some(Message::Lives(id)) => self.id = Some(id.to_owned()),
                Some(Message::GuardLost) => *is_guard_lost = true,
                Some(Message::Over) => {
                    self.is_gone = true;
                    return true;
                }
                // A newer one may say more.
                _ => {}
            }
        }
    }
}
