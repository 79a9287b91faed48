//! The folders that entries go into.

use super::finish::remembered;
use super::whiteout;
use super::{Error, Marks, metadata};
use crate::tar::{Name, Time, shown};
use kernel::path::{Links, Root, RootedPath};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use sys::rustix::fs::{Mode, OFlags, fstat, mkdirat, openat};
use sys::rustix::io::Errno;
use sys::{Error as CallError, OrError};

/// What folders without an entry of their own are like.
const IMPLIED_MODE: Mode = Mode::from_raw_mode(0o755);

/// The folder that the last entry went into: the next one mostly goes there, too.
pub(super) struct Folders<'a> {
    root: &'a Root,
    marks: Marks,
    umask: Mode,
    last: Option<(Vec<u8>, Rc<Folder>)>,
    /// Made here without an entry of their own, and the time of what first went into them.
    pub(super) implied: BTreeMap<Vec<u8>, Time>,
    /// How many bytes all that has.
    pub(super) remembered: u64,
    /// There are names that say what is gone.
    pub(super) names_say: bool,
}

/// A folder to put something into.
pub(super) struct Folder {
    place: OwnedFd,
    /// What is made in it gets its group.
    pub(super) gives_group: bool,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.place.as_fd()
    }
}

impl<'a> Folders<'a> {
    pub(super) fn new(root: &'a Root, marks: Marks, umask: Mode) -> Folders<'a> {
        let implied = BTreeMap::new();
        Folders { root, marks, umask, last: None, implied, remembered: 0, names_say: false }
    }

    /// The folder at a path, which is that of an entry without its last part. Links in it are
    /// followed within the root. It is made if it is missing.
    pub(super) fn at(&mut self, path: &[u8], time: Time) -> Result<Rc<Folder>, CallError> {
        if let Some((known, folder)) = &self.last
            && known == path
        {
            return Ok(folder.clone());
        }
        let place = self.find_or_make(path, time)?;
        let status = fstat(&place).or_error("fstat", || display(path))?;
        let gives_group = status.st_mode & Mode::SGID.bits() != 0;
        let folder = Rc::new(Folder { place, gives_group });
        self.last = Some((path.to_vec(), folder.clone()));
        Ok(folder)
    }

    /// To be said when something else may be at a path from now on.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// The folder at a path, if there is one.
    pub(super) fn find(&self, path: &[u8]) -> Result<OwnedFd, CallError> {
        self.root.resolve_directory(&rooted(path)?, Links::Follow)
    }

    fn find_or_make(&mut self, path: &[u8], time: Time) -> Result<OwnedFd, CallError> {
        match self.find(path) {
            Err(error) if matches!(error.errno, Errno::NOENT | Errno::NOTDIR) => {
                self.make_all(path, time)
            }
            found => found,
        }
    }

    /// Goes down part by part, and makes what is missing or was deleted by this layer itself.
    fn make_all(&mut self, path: &[u8], time: Time) -> Result<OwnedFd, CallError> {
        let mut above = self.find(b"")?;
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = slashes.map(|(index, _)| index).chain([path.len()]);
        let mut start = 0;
        for end in ends {
            let (whole, name) = (&path[..end], &path[start..end]);
            start = end + 1;
            above = match step(above.as_fd(), name) {
                Err(Errno::NOENT) => {
                    self.make(above.as_fd(), name, whole, time)?;
                    step(above.as_fd(), name).or_error("openat", || display(whole))?
                }
                Err(Errno::NOTDIR) if whiteout::clear(above.as_fd(), name)? => {
                    self.make(above.as_fd(), name, whole, time)?;
                    whiteout::make_opaque(above.as_fd(), name, self.marks)?;
                    step(above.as_fd(), name).or_error("openat", || display(whole))?
                }
                // A link, which only the root can resolve, or something that is no folder.
                Err(Errno::NOTDIR) => self.find(whole)?,
                found => found.or_error("openat", || display(whole))?,
            };
        }
        Ok(above)
    }

    fn make(
        &mut self,
        above: BorrowedFd<'_>,
        name: &[u8],
        whole: &[u8],
        time: Time,
    ) -> Result<(), CallError> {
        mkdirat(above, name, IMPLIED_MODE).or_error("mkdirat", || display(whole))?;
        if self.names_say && whiteout::clear_name(above, name)? {
            whiteout::make_opaque(above, name, self.marks)?;
        }
        if self.umask.intersects(IMPLIED_MODE) {
            metadata::set_mode(above, name, IMPLIED_MODE)?;
        }
        self.implied.insert(whole.to_vec(), time);
        self.remembered += remembered(whole);
        Ok(())
    }
}

/// The folder of this name, if it is one and no link to one.
fn step(above: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(above, name, flags, Mode::empty())
}

/// A name of the archive as a path in the root.
pub(super) fn rooted(path: &[u8]) -> Result<RootedPath, CallError> {
    if path.is_empty() {
        return Ok(RootedPath::root());
    }
    // Names of the archive have no NUL.
    RootedPath::parse(path).map_err(|_| CallError::new("openat2", display(path), Errno::INVAL))
}

/// For messages.
pub(super) fn display(path: &[u8]) -> String {
    format!("{:?}", shown(path))
}

/// Names the entry in an error of the kernel.
pub(super) trait OfEntry<T> {
    fn of_entry(self, name: &Name) -> Result<T, Error>;
}

impl<T> OfEntry<T> for Result<T, CallError> {
    fn of_entry(self, name: &Name) -> Result<T, Error> {
        self.map_err(|error| {
            let arguments = shown(error.arguments.as_bytes());
            Error::Kernel(name.clone(), CallError { arguments, ..error })
        })
    }
}
