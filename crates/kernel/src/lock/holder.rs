//! Who has a lock: `/proc/PID/fdinfo` has a line for each lock of a descriptor, proc(5). `/proc/locks`
//! names who has taken it, which may be somebody who has handed it on and ended.

use crate::path::read_at;
use std::ffi::CStr;
use std::fmt;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;
use sys::rustix::fs::{CWD, Dir, Mode, OFlags, fstat, open, readlink};

/// No file that is read here is longer.
const LONGEST: usize = 1 << 20;

/// So much is told of a command line.
const LONGEST_COMMAND: usize = 80;

/// Whoever has a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// His process.
    pub pid: i32,
    /// The beginning of its command line.
    pub command: String,
    /// The letter of its state, proc(5).
    pub state: char,
}

/// Which kind of lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of a whole file, flock(2).
    File,
    /// Of a part of it, fcntl(2), as SQLite has them.
    Record,
}

/// A process that has a lock, and how often it was on a processor: who works is there again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    pid: i32,
    count: u64,
}

/// How `/proc` calls a file.
pub(super) struct Name {
    pub(super) path: String,
    inode: u64,
}

/// Who else has such a lock of a file: somebody who keeps all others from it, if there is one. It is not
/// opened, which would take this process's own locks away.
pub fn holder(path: &Path, kind: Kind) -> Option<Holder> {
    let file = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let name = Name::of(std::os::fd::AsFd::as_fd(&file));
    let own = std::process::id().cast_signed();
    let found = |mode: &str| name.pids(kind, mode).into_iter().find(|pid| *pid != own);
    found("WRITE").or_else(|| found("READ")).and_then(Holder::find)
}

/// The same, if he does not get on: he is stopped, or waits for a device before this pause and after it.
pub fn stuck(path: &Path, pause: Duration) -> Option<Holder> {
    let look = || holder(path, Kind::File).map(|it| (turns(it.pid), it));
    let before = look()?;
    if before.1.is_stopped() {
        return Some(before.1);
    }
    if before.1.state != 'D' {
        return None;
    }
    thread::sleep(pause);
    look().filter(|after| *after == before).map(|(_, holder)| holder)
}

/// What a process and those below it have done so far: it is the same later if none of them gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work(Vec<Turns>);

impl Work {
    /// `None` if the process is gone, or the kernel does not tell who is below it.
    pub fn of(pid: i32) -> Option<Work> {
        let mut all = vec![Turns { pid, count: turns(pid) }];
        let mut next = 0;
        while let Some(&Turns { pid, .. }) = all.get(next) {
            for thread in names(&format!("/proc/{pid}/task")) {
                let children = text(&format!("/proc/{pid}/task/{thread}/children"))?;
                let pids = children.split_ascii_whitespace().filter_map(|it| it.parse().ok());
                all.extend(pids.map(|pid| Turns { pid, count: turns(pid) }));
            }
            next += 1;
        }
        Some(Work(all))
    }

    /// Who it is that does not get on.
    pub fn holder(&self) -> Option<Holder> {
        Holder::of(&self.0)
    }
}

impl Holder {
    /// The one who is stopped, or waits for a device, or the first.
    pub(super) fn of(all: &[Turns]) -> Option<Holder> {
        let mut found: Vec<Holder> = all.iter().filter_map(|it| Holder::find(it.pid)).collect();
        found.sort_by_key(|holder| (!holder.is_stopped(), holder.state != 'D'));
        found.into_iter().next()
    }

    /// `None` if there is no such process any more.
    fn find(pid: i32) -> Option<Holder> {
        let status = text(&format!("/proc/{pid}/stat"))?;
        // The name, in brackets, may hold anything.
        let state = status.rsplit_once(") ")?.1.chars().next()?;
        let words = text(&format!("/proc/{pid}/cmdline"))?;
        let command = words.trim_end_matches('\0').chars().take(LONGEST_COMMAND);
        let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
        Some(Holder { pid, command: command.map(shown).collect(), state })
    }

    /// It waits for somebody to continue it.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder { pid, command, state } = self;
        write!(formatter, "process {pid} ({command}), which ")?;
        match state {
            'T' | 't' => {
                let text = "lets it go on";
                write!(
                    formatter,
                    "is stopped: `kill -CONT {pid}` {text}, `kill -KILL {pid}` ends it"
                )
            }
            'D' => formatter.write_str("waits for a disk or another device that does not answer"),
            _ => write!(formatter, "does not get on: `kill -KILL {pid}` ends it"),
        }
    }
}

impl Name {
    pub(super) fn of(file: BorrowedFd<'_>) -> Name {
        let link = readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new());
        let path = link.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        Name { path, inode: fstat(file).map_or(0, |it| it.st_ino) }
    }

    /// Those who have the file locked as a whole.
    pub(super) fn turns(&self) -> Vec<Turns> {
        let pids = self.pids(Kind::File, "");
        pids.into_iter().map(|pid| Turns { pid, count: turns(pid) }).collect()
    }

    /// The processes with a lock of this kind and mode, as far as this user may see them.
    fn pids(&self, kind: Kind, mode: &str) -> Vec<i32> {
        let has = |pid: &i32| {
            let descriptors = names(&format!("/proc/{pid}/fd"));
            // The file itself is not looked at: its disk may not answer.
            let is_it = |number: &String| {
                readlink(format!("/proc/{pid}/fd/{number}"), Vec::new())
                    .is_ok_and(|path| path.as_bytes() == self.path.as_bytes())
            };
            descriptors.iter().filter(|number| is_it(number)).any(|number| {
                let told = text(&format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
                told.lines().any(|line| self.is_said(line, kind, mode))
            })
        };
        names("/proc").iter().filter_map(|name| name.parse().ok()).filter(has).collect()
    }

    /// `lock: 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`
    fn is_said(&self, line: &str, kind: Kind, mode: &str) -> bool {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["lock:", _, found, _, access, _, place, ..] = words[..] else { return false };
        let kinds: &[&str] = match kind {
            Kind::File => &["FLOCK"],
            Kind::Record => &["POSIX", "OFDLCK"],
        };
        let inode = place.rsplit(':').next().and_then(|text| text.parse().ok());
        kinds.contains(&found) && access.contains(mode) && inode == Some(self.inode)
    }
}

/// How often the threads of a process were on a processor.
fn turns(pid: i32) -> u64 {
    let count = |line: &str| line.split_once("ctxt_switches:")?.1.trim().parse::<u64>().ok();
    let of_thread = |thread: &String| {
        let status = text(&format!("/proc/{pid}/task/{thread}/status")).unwrap_or_default();
        status.lines().filter_map(count).sum::<u64>()
    };
    names(&format!("/proc/{pid}/task")).iter().map(of_thread).sum()
}

fn text(path: &str) -> Option<String> {
    let bytes = read_at(CWD, path, LONGEST).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The names in a folder of `/proc`; none if it is gone, or not this user's to see.
fn names(path: &str) -> Vec<String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder: Option<OwnedFd> = open(path, flags, Mode::empty()).ok();
    let entries = folder.and_then(|folder| Dir::new(folder).ok()).into_iter().flatten().flatten();
    let name = |name: &CStr| name.to_str().ok().map(str::to_owned);
    let all = entries.filter_map(|entry| name(entry.file_name()));
    all.filter(|name| name.bytes().next().is_some_and(|it| it.is_ascii_digit())).collect()
}
