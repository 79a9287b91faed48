//! Shares of caches and memory bandwidth: resctrl, `Documentation/filesystems/resctrl.rst`.
//!
//! A class of service is a folder; what it gets is in its file `schemata`, and the processes in
//! it are in `tasks`. A class that is made for a container alone goes with it; one that has a name
//! of its own, which several containers may share, stays.

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
    /// The folder's name, or [`Class::DEFAULT`].
    pub name: String,
    /// Whether the name was chosen, and so the class may be somebody else's, too.
    pub is_chosen: bool,
    /// The first lines for `schemata`. A chosen class that is there must have them already.
    pub agreed: Vec<String>,
    /// The lines that are written after those. A class that is chosen without any line must be
    /// there already.
    pub schemata: Vec<String>,
    /// Whether the container gets a monitoring group of its own in the class.
    pub monitor: Option<String>,
}

impl Class {
    /// The name of the class of all who are in no other: the root of the file system.
    pub const DEFAULT: &str = "/";

    /// Its folder, from the root of the file system.
    fn folder(name: &str) -> &str {
        if name == Self::DEFAULT { "." } else { name }
    }

    /// Whether this can be the name of one: that of a folder, and none that resctrl uses itself.
    #[must_use]
    pub fn can_be_named(name: &str) -> bool {
        let reserved = ["", ".", "..", "info", "mon_groups", "mon_data"];
        name == Self::DEFAULT || !reserved.contains(&name) && !name.contains(['/', '\0', '\n'])
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
    /// A class that was chosen, and nothing said of what it gets.
    #[error("there is no class {0:?}; make it, or say what it gets, by schemata")]
    Missing(String),
    /// A class that was chosen is there, and gets something else.
    #[error("the class {class:?} is there already, and does not get {line:?}")]
    Disagrees {
        /// Its name.
        class: String,
        /// What was wanted.
        line: String,
    },
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
    /// See [`Error`]; ENOSPC if the machine has no class left. What was made by then, and is to go
    /// with the container, is in `made`.
    pub fn assign(&self, class: &Class, process: i32, made: &mut Made) -> Result<(), Error> {
        let Class { name, is_chosen, agreed, schemata, monitor } = class;
        check(name)?;
        let path = Class::folder(name);
        let says_nothing = agreed.is_empty() && schemata.is_empty();
        let is_new = !(*is_chosen && says_nothing) && self.make(path)?;
        if is_new && !is_chosen {
            made.folders.insert(0, self.path.join(path));
        }
        let folder = self.open(path).map_err(|error| match error.errno {
            Errno::NOENT => Error::Missing(name.clone()),
            _ => Error::Call(error),
        })?;
        if *is_chosen && !is_new {
            self.compare(name, agreed)?;
        } else {
            self.write(&folder, agreed)?;
        }
        self.write(&folder, schemata)?;
        write_at(folder.as_fd(), c"tasks", process.to_string().as_bytes())?;
        let Some(monitor) = monitor else { return Ok(()) };
        check(monitor)?;
        let path = format!("{path}/mon_groups/{monitor}");
        if self.make(&path)? {
            made.folders.insert(0, self.path.join(&path));
        }
        Ok(write_at(self.open(&path)?.as_fd(), c"tasks", process.to_string().as_bytes())?)
    }

    /// Makes a folder, if it is not there yet.
    fn make(&self, path: &str) -> Result<bool, sys::Error> {
        match mkdirat(&self.root, path, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => Ok(false),
            result => result.or_error("mkdirat", || format!("{path:?}")).map(|()| true),
        }
    }

    fn open(&self, path: &str) -> Result<OwnedFd, sys::Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.root, path, flags, Mode::empty()).or_error("openat", || format!("{path:?}"))
    }

    /// In one go: the kernel takes all of it, or nothing.
    fn write(&self, folder: &OwnedFd, lines: &[String]) -> Result<(), Error> {
        let lines: String = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect();
        if lines.is_empty() {
            return Ok(());
        }
        write_at(folder.as_fd(), c"schemata", lines.as_bytes()).map_err(|source| Error::Schemata {
            lines,
            source,
            hint: self.last_status(),
        })
    }

    /// Whether a class gets this.
    fn compare(&self, class: &str, lines: &[String]) -> Result<(), Error> {
        let present = self.text(&format!("{}/schemata", Class::folder(class)))?;
        match lines.iter().find(|line| !is_among(line, &present)) {
            None => Ok(()),
            Some(line) => Err(Error::Disagrees { class: class.to_owned(), line: line.clone() }),
        }
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

/// Whether what these lines say is said by the text of a `schemata` file as well, which has blanks
/// and zeros in front.
fn is_among(wanted: &str, present: &str) -> bool {
    wanted.lines().filter(|line| !line.trim().is_empty()).all(|line| {
        let kind = line.split(':').next().unwrap_or_default().trim();
        let same = |it: &&str| it.split(':').next().is_some_and(|it| it.trim() == kind);
        let shares = |line: &str| -> Vec<(String, String)> {
            let shares = line.split_once(':').map_or("", |(_, shares)| shares).split(';');
            let bare = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
            shares.filter_map(|it| it.split_once('=')).map(|(a, b)| (bare(a), bare(b))).collect()
        };
        let found = present.lines().find(same).map(shares).unwrap_or_default();
        shares(line).iter().all(|share| found.contains(share))
    })
}

/// The mount point in a line, if that is of a resctrl; proc_pid_mountinfo(5).
fn mount_point(line: &str) -> Option<&str> {
    let (mount, system) = line.split_once(" - ")?;
    system.starts_with("resctrl ").then(|| mount.split(' ').nth(4)).flatten()
}

#[cfg(test)]
mod tests;
