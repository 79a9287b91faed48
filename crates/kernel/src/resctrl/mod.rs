//! Shares of caches and memory bandwidth: resctrl, `Documentation/filesystems/resctrl.rst`.
//!
//! A class of service is a folder; what it gets is in its file `schemata`, and the processes in
//! it are in `tasks`. A class that is made for a container goes with it; one that was there, which
//! several containers may share, stays.

mod shares;

pub use shares::{DomainUse, Schemata, Shares};

use crate::path::{read_at, write_at};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use sys::OrError;
use sys::rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
use sys::rustix::io::Errno;

/// A machine with more mounts has other troubles.
const MAX_MOUNTINFO: usize = 16 << 20;

/// What a container wants of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// The folder's name.
    pub name: String,
    /// The lines for `schemata`; empty ones are passed over. Without any the class must be there
    /// already if its name was chosen, or has what the machine has left.
    pub schemata: Vec<String>,
    /// Whether the container gets a monitoring group of its own in the class.
    pub monitor: Option<String>,
}

impl Class {
    /// Whether this can be the name of one: that of a folder, and none that resctrl uses itself.
    #[must_use]
    pub fn can_be_named(name: &str) -> bool {
        let reserved = ["", ".", "..", "info", "mon_groups", "mon_data"];
        !reserved.contains(&name) && !name.contains(['/', '\0', '\n'])
    }
}

/// Folders that were made, to be removed with the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The deepest first.
    pub folders: Vec<PathBuf>,
}

/// Why a container's class cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine has none, or it is not mounted.
    #[error("resctrl is not mounted: no caches or memory bandwidth can be shared out here")]
    NotMounted,
    /// A name that is no file's, or that resctrl uses itself.
    #[error("{0:?} cannot be the name of a class")]
    Name(String),
    /// The kernel does not take the lines.
    #[error("schemata {lines:?}: {source} ({hint})")]
    Schemata {
        /// The lines.
        lines: String,
        /// What the kernel answered.
        source: sys::Error,
        /// The kernel's own explanation, from `info/last_cmd_status`.
        hint: String,
    },
    /// A system call failed.
    #[error("{0}")]
    Call(#[from] sys::Error),
}

/// The file system.
#[derive(Debug)]
pub struct Resctrl {
    root: OwnedFd,
    path: PathBuf,
}

impl Resctrl {
    /// Finds where it is mounted.
    ///
    /// # Errors
    /// [`Error::NotMounted`].
    pub fn find() -> Result<Resctrl, Error> {
        let mountinfo = read_at(CWD, c"/proc/self/mountinfo", MAX_MOUNTINFO)?;
        Resctrl::find_in(&String::from_utf8_lossy(&mountinfo))
    }

    fn find_in(mountinfo: &str) -> Result<Resctrl, Error> {
        let point = mountinfo.lines().find_map(mount_point).ok_or(Error::NotMounted)?;
        Resctrl::at(PathBuf::from(point))
    }

    /// The one that is mounted here.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn at(path: PathBuf) -> Result<Resctrl, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            openat(CWD, &path, flags, Mode::empty()).or_error("openat", || format!("{path:?}"))?;
        Ok(Resctrl { root, path })
    }

    /// Puts a process into a class, which is made if it is not there.
    ///
    /// # Errors
    /// See [`Error`]; ENOSPC if the machine has no class left. What was made by then is in `made`.
    pub fn assign(&self, class: &Class, process: i32, made: &mut Made) -> Result<(), Error> {
        check(&class.name)?;
        let folder = self.folder(&class.name, made)?;
        let lines = class.schemata.iter().filter(|line| !line.trim().is_empty());
        let lines: String = lines.map(|line| format!("{}\n", line.trim_end())).collect();
        if !lines.is_empty() {
            write_at(folder.as_fd(), c"schemata", lines.as_bytes())
                .map_err(|source| Error::Schemata { lines, source, hint: self.last_status() })?;
        }
        write_at(folder.as_fd(), c"tasks", process.to_string().as_bytes())?;
        let Some(monitor) = &class.monitor else { return Ok(()) };
        check(monitor)?;
        let group = self.folder(&format!("{}/mon_groups/{monitor}", class.name), made)?;
        Ok(write_at(group.as_fd(), c"tasks", process.to_string().as_bytes())?)
    }

    /// Opens a folder; a new one is noted.
    fn folder(&self, name: &str, made: &mut Made) -> Result<OwnedFd, Error> {
        match mkdirat(&self.root, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => made.folders.insert(0, self.path.join(name)),
            Err(Errno::EXIST) => {}
            Err(errno) => {
                return Err(errno).or_error("mkdirat", || format!("{name:?}")).map_err(Error::from);
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.root, name, flags, Mode::empty())
            .or_error("openat", || format!("{name:?}"))?)
    }

    fn last_status(&self) -> String {
        let text = read_at(self.root.as_fd(), c"info/last_cmd_status", 4096).unwrap_or_default();
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}

impl Made {
    /// Removes what was made; what is gone already is fine.
    ///
    /// # Errors
    /// The first that could not be removed, after all were tried.
    pub fn remove(&self) -> Result<(), sys::Error> {
        let mut first = Ok(());
        for folder in &self.folders {
            match unlinkat(CWD, folder, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                result => first = first.and(result.or_error("unlinkat", || format!("{folder:?}"))),
            }
        }
        first
    }
}

fn check(name: &str) -> Result<(), Error> {
    if Class::can_be_named(name) { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

/// The mount point in a line, if that is of a resctrl; proc_pid_mountinfo(5).
fn mount_point(line: &str) -> Option<&str> {
    let (mount, system) = line.split_once(" - ")?;
    system.starts_with("resctrl ").then(|| mount.split(' ').nth(4)).flatten()
}

#[cfg(test)]
mod tests;
