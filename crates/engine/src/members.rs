//! The processes in the user namespace in which an unprivileged user's containers are. Whoever wants
//! to do anything with these must be in it, too, and of two who come first at the same time only one
//! may make it.
//!
//! Monitors say it by their locks; commands are in a file, a line for each: its process id, and when
//! it started, which both together are nobody else's.

use crate::error::{Error, Result};
use crate::{lock, small_file};
use kernel::lock::{PATIENCE, take};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The file, in the engine's root folder.
pub(crate) const FILE: &str = "namespace";

/// Where a monitor in a user namespace writes its process id.
pub(crate) const PID: &str = "pid";

/// Those that are in the namespace. Nobody else enters it or makes one while this is held.
#[derive(Debug)]
pub struct Members {
    path: PathBuf,
    /// None on a disk that is full or cannot be written.
    file: Option<File>,
    /// Lines of commands that live.
    commands: Vec<String>,
    monitors: Vec<i32>,
}

impl Members {
    /// Waits until nobody else is about to enter.
    ///
    /// # Errors
    /// The root folder or the file in it cannot be made or read.
    pub fn lock(root: &Path) -> Result<Members> {
        let path = root.join(FILE);
        let open = || -> io::Result<File> {
            DirBuilder::new().recursive(true).mode(0o700).create(root)?;
            File::options().read(true).write(true).create(true).truncate(false).open(&path)
        };
        let mut file = match open() {
            // What is there can still be looked at and removed.
            Err(error) if small_file::takes_nothing(&error) => None,
            opened => Some(opened.map_err(Error::file(&path))?),
        };
        let mut text = String::new();
        if let Some(file) = &mut file {
            take(file.as_fd(), PATIENCE)?;
            file.read_to_string(&mut text).map_err(Error::file(&path))?;
        }
        let commands = text.lines().filter(|line| lives(line)).map(str::to_owned).collect();
        // Only now: whoever has started one meanwhile may have ended.
        let monitors = monitors(root);
        Ok(Members { path, file, commands, monitors })
    }

    /// Their process ids. They may end meanwhile.
    pub fn pids(&self) -> impl Iterator<Item = i32> {
        let pid = |line: &String| line.split(' ').next()?.parse().ok();
        self.monitors.iter().copied().chain(self.commands.iter().filter_map(pid))
    }

    /// Adds this process, which is in the namespace by now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add_self(mut self) -> Result<()> {
        let own = std::process::id().to_string();
        let Some(start) = start(&own) else {
            return Err(Error::invalid("/proc does not tell when this process started"));
        };
        self.commands.push(format!("{own} {start}"));
        let text: String = self.commands.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut write = || -> io::Result<()> {
            file.rewind()?;
            file.write_all(text.as_bytes())?;
            file.set_len(text.len() as u64)
        };
        match write() {
            Err(error) if small_file::takes_nothing(&error) => Ok(()),
            written => written.map_err(Error::file(&self.path)),
        }
    }
}

/// Whether the process of a line is there, and no later one of the same id.
fn lives(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(pid, since)| start(pid).as_deref() == Some(since))
}

/// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
fn start(pid: &str) -> Option<String> {
    let pid: i32 = pid.parse().ok()?;
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let (_, fields) = text.rsplit_once(") ")?;
    fields.split(' ').nth(22 - 3).map(str::to_owned)
}

/// Monitors in the namespace.
pub(crate) fn monitors(root: &Path) -> Vec<i32> {
    let folders = fs::read_dir(root.join("containers")).into_iter().flatten().flatten();
    let pid = |folder: fs::DirEntry| {
        // Else somebody else may have that number by now.
        let lives = lock::is_held(&folder.path().join("monitor")).unwrap_or(false);
        let text = lives.then(|| fs::read_to_string(folder.path().join(PID)))?;
        text.ok()?.parse().ok()
    };
    folders.filter_map(pid).collect()
}

#[cfg(test)]
mod tests {
    use super::{FILE, Members};

    #[test]
    fn only_those_who_live_stay() {
        let root = std::env::temp_dir().join(format!("tinyo-members-{}", std::process::id()));
        let first = Members::lock(&root).unwrap();
        assert_eq!(first.pids().count(), 0);
        first.add_self().unwrap();
        let path = root.join(FILE);
        let own = std::fs::read_to_string(&path).unwrap();
        // One of another time, one that has ended, one that was half written.
        let (pid, start) = own.trim_end().split_once(' ').unwrap();
        std::fs::write(&path, format!("{pid} {start}1\n999999999 5\n{own}{pid}")).unwrap();
        let pids: Vec<i32> = Members::lock(&root).unwrap().pids().collect();
        assert_eq!(pids, [std::process::id().cast_signed()]);
        std::fs::remove_dir_all(root).unwrap();
    }
}
