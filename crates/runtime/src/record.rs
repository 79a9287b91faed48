//! What the runtime remembers of a container, and what the kernel says of it.

use crate::file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use sys::process::Spent;
use sys::rustix::io::Errno;
use sys::rustix::process::Pid;
use sys::signal::SIGCHLD;

/// What is written down. What the kernel can tell (does it run?) is asked of the kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The folder of `config.json`, absolute.
    pub(crate) bundle: PathBuf,
    /// The container's root folder on the host, absolute.
    pub(crate) rootfs: PathBuf,
    /// When it was made, as RFC 3339 writes it.
    pub(crate) created: String,
    /// The user who made it.
    pub(crate) owner: u32,
    /// The container's first process; `None` while there is none yet.
    pub(crate) process: Option<Process>,
    /// How to find its cgroup again.
    pub(crate) cgroup: Option<kernel::cgroup::Description>,
    /// The annotations of `config.json`.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The folders in resctrl that were made for it.
    #[serde(default)]
    pub(crate) resctrl: kernel::resctrl::Made,
    /// Whether it comes from a checkpoint: criu has given it a time namespace then, so that its
    /// clocks go on from where they were.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) restored: bool,
    /// The name of its session keyring; without one, its processes stay in that of who starts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keyring: Option<String>,
}

/// A process that cannot be mistaken for a later one of the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its id in the PID namespace in which the runtime was called.
    pub(crate) pid: i32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub(crate) start: u64,
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Our child, which has not executed the container's program yet.
    Waiting,
    /// The container's program.
    Running,
    /// Ended.
    Gone,
}

/// The name of our child while it is not the container's program yet; proc(5), `comm`.
pub(crate) const CHILD_NAME: &std::ffi::CStr = c"tinyort:init";

impl Process {
    /// The process with this id as it is now, or ESRCH.
    pub(crate) fn now(pid: Pid, spent: &mut Spent) -> Result<Process, sys::Error> {
        let pid = pid.as_raw_nonzero().get();
        let stat = stat(pid, spent)?;
        let stat = stat.as_deref().and_then(Stat::parse);
        let stat =
            stat.ok_or_else(|| sys::Error::new("read", format!("/proc/{pid}/stat"), Errno::SRCH))?;
        Ok(Process { pid, start: stat.start })
    }

    /// Its id.
    pub(crate) fn id(self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    /// Whether it has ended, or is about to: its namespaces go before it is a zombie.
    pub(crate) fn is_ending(self) -> bool {
        let Ok(text) = stat(self.pid, &mut Spent::default()) else { return false };
        match text.as_deref().and_then(Stat::parse) {
            Some(Stat { state: b'Z' | b'X', .. }) | None => true,
            Some(Stat { start, flags, .. }) => start != self.start || flags & PF_EXITING != 0,
        }
    }

    /// What it is doing.
    pub(crate) fn life(self) -> Result<Life, sys::Error> {
        let text = stat(self.pid, &mut Spent::default())?;
        let Some(stat) = text.as_deref().and_then(Stat::parse) else { return Ok(Life::Gone) };
        Ok(match stat {
            Stat { start, .. } if start != self.start => Life::Gone,
            Stat { state: b'Z' | b'X', .. } => Life::Gone,
            Stat { name, .. } if name == CHILD_NAME.to_bytes() => Life::Waiting,
            Stat { .. } => Life::Running,
        })
    }
}

/// A process has it while it ends; proc(5) calls it one of the `PF_*` of the kernel's source.
const PF_EXITING: u32 = 4;

/// `/proc/PID/stat`, or `None` if there is no such process.
fn stat(pid: i32, spent: &mut Spent) -> Result<Option<Vec<u8>>, sys::Error> {
    match file::read_made_up(format!("/proc/{pid}/stat"), spent) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.errno, Errno::NOENT | Errno::SRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The signals that this process was started with ignored: bit N - 1 for signal N, `SigIgn` of
/// proc_pid_status(5). SIGCHLD is not ignored any more then, or the end of a child would never be told.
pub(crate) fn ignored_signals(spent: &mut Spent) -> Result<u64, sys::Error> {
    let text = file::read_made_up("/proc/self/status", spent)?;
    let mut lines = text.split(|byte| *byte == b'\n');
    let mask = lines.find_map(|line| line.strip_prefix(b"SigIgn:"));
    let mask = mask.and_then(|mask| std::str::from_utf8(mask).ok());
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX);
    if mask >> (SIGCHLD - 1) & 1 == 1 {
        sys::signal::heed(SIGCHLD);
    }
    Ok(mask)
}

/// What we want of `/proc/PID/stat`, proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat<'a> {
    name: &'a [u8],
    state: u8,
    flags: u32,
    start: u64,
}

impl Stat<'_> {
    fn parse(text: &[u8]) -> Option<Stat<'_>> {
        // The name, in brackets, may hold anything, brackets and spaces included.
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let name = text.get(open + 1..close)?;
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // Fields are counted from 1 and the name is the second.
        let state = *fields.next()?.as_bytes().first()?;
        let flags = fields.nth(9 - 3 - 1)?.parse().ok()?;
        let start = fields.nth(22 - 9 - 1)?.parse().ok()?;
        Some(Stat { name, state, flags, start })
    }
}

#[cfg(test)]
mod tests {
    use super::{Life, Process, Stat};
    use sys::process::Spent;
    use sys::rustix::process::getpid;

    #[test]
    fn a_name_may_hold_anything() {
        let text = b"7 (a) Z (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20\n";
        let stat = Stat { name: b"a) Z (b", state: b'S', flags: 6, start: 4711 };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse(b"7 (a"), None);
        assert_eq!(Stat::parse(b")("), None);
    }

    #[test]
    fn a_process_of_another_start_is_gone() {
        let process = Process::now(getpid(), &mut Spent::default()).unwrap();
        assert!(!process.is_ending());
        assert_eq!(process.life().unwrap(), Life::Running);
        let earlier = Process { start: process.start + 1, ..process };
        assert_eq!(earlier.life().unwrap(), Life::Gone);
        assert!(earlier.is_ending());
    }
}
