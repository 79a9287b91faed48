//! What `/proc` tells of processes.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// The fields of `/proc/PID/stat` that the tests look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `R`, `S`, `T` (stopped), `Z` (zombie), ...
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// The foreground group of its terminal, or -1.
    pub(crate) foreground: i32,
    /// User and system time in clock ticks.
    pub(crate) ticks: (u64, u64),
}

/// Reads `/proc/PID/stat`; None when there is no such process.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    let bytes = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The name in brackets may hold anything, even a bracket.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
    Some(Stat {
        state: fields[0].chars().next()?,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        foreground: number(5)?,
        ticks: (fields[11].parse().ok()?, fields[12].parse().ok()?),
    })
}

/// True while the process exists and is no zombie.
pub(crate) fn alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| stat.state != 'Z')
}

/// All processes with their stat, as this process' `/proc` shows them.
pub(crate) fn all() -> Vec<(i32, Stat)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The children of a process, zombies too, in the order of their ids.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    let mut children: Vec<i32> =
        all().into_iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| pid).collect();
    children.sort_unstable();
    children
}

/// Children, their children, and so on.
pub(crate) fn descendants(of: i32) -> Vec<i32> {
    let everything = all();
    let mut found = vec![of];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(everything.iter().filter(|(_, it)| it.parent == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// One line of `/proc/PID/status`, such as `SigBlk`.
pub(crate) fn status(pid: i32, field: &str) -> Result<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("no {field} in /proc/{pid}/status"))?.trim().to_owned())
}

/// A signal set of `/proc/PID/status`.
pub(crate) fn signals(pid: i32, field: &str) -> Result<u64> {
    Ok(u64::from_str_radix(&status(pid, field)?, 16)?)
}

/// The open descriptors of a process and what they are.
pub(crate) fn descriptors(pid: i32) -> Result<Vec<(i32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        let number = entry.file_name().to_str().context("a name in fd")?.parse()?;
        found.push((number, std::fs::read_link(entry.path()).unwrap_or_default()));
    }
    found.sort();
    Ok(found)
}

/// A process that can open nothing for a second in which `begin` has somebody come to it: it waits for
/// better times, and does not spend that second on asking for them.
pub(crate) fn without_descriptors<T>(pid: Pid, begin: impl FnOnce() -> Result<T>) -> Result<T> {
    let number = pid.as_raw_nonzero();
    // Less would be too little for poll(2).
    let is_free = |it: &u64| !PathBuf::from(format!("/proc/{number}/fd/{it}")).is_symlink();
    let maximum = getrlimit(Resource::Nofile).maximum;
    let none = Rlimit { current: (0..).find(is_free), maximum };
    let usual = prlimit(Some(pid), Resource::Nofile, none)?;
    let begun = begin()?;
    let ticks = || {
        let (user, system) = stat(number.get()).context("it has ended")?.ticks;
        Ok::<u64, anyhow::Error>(user + system)
    };
    std::thread::sleep(std::time::Duration::from_millis(500));
    let before = ticks()?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let spent = ticks()? - before;
    prlimit(Some(pid), Resource::Nofile, usual)?;
    ensure!(spent < 20, "it has worked for {spent} ticks");
    Ok(begun)
}
