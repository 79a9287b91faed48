//! A path resolved component by component, and made where it is missing.

use super::{Links, RootedPath};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{
    FileType, Mode, OFlags, PROC_SUPER_MAGIC, fstat, fstatfs, mkdirat, mknodat, openat, readlinkat,
};
use sys::rustix::io::Errno;

/// As many links as the kernel follows (`MAXSYMLINKS`).
const LINKS: usize = 40;

/// So often a component is made again that somebody else keeps removing.
const ATTEMPTS: usize = 40;

/// The number of procfs' root folder.
const PROC_ROOT_INODE: u64 = 1;

/// What is done about a component that does not exist.
#[derive(Clone, Copy)]
pub(super) enum Missing {
    Error,
    /// All are made; the last with this mode.
    Directory(Mode),
    /// The last becomes an empty file.
    File(Mode),
}

/// A walk from the root. `..` returns the way it came, by the descriptors it has kept, so no
/// folder that is moved meanwhile can lead it out of the root.
pub(super) struct Walk<'a> {
    pub(super) root: BorrowedFd<'a>,
    pub(super) links: Links,
    pub(super) missing: Missing,
    /// Whether anything else than a folder at the end is an error.
    pub(super) directory: bool,
}

/// What a component is.
enum Found {
    Directory(OwnedFd),
    Other(OwnedFd),
    Link(CString),
    Nothing,
}

impl Walk<'_> {
    pub(super) fn to(&self, path: &RootedPath) -> Result<OwnedFd, sys::Error> {
        let mut way: Vec<OwnedFd> = Vec::new();
        // Still to go, the next one last.
        let mut rest: Vec<CString> = Vec::new();
        push(&mut rest, path.as_c_str());
        let (mut links, mut attempts) = (LINKS, ATTEMPTS);
        while let Some(name) = rest.pop() {
            match name.as_bytes() {
                b"" | b"." => continue,
                b".." => {
                    way.pop();
                    continue;
                }
                _ => {}
            }
            let parent = way.last().map_or(self.root, AsFd::as_fd);
            match self.find(parent, &name)? {
                Found::Directory(directory) => {
                    attempts = ATTEMPTS;
                    way.push(directory);
                }
                Found::Other(file) if rest.is_empty() && !self.directory => return Ok(file),
                Found::Other(_) => return Err(failed(Errno::NOTDIR, parent, &name)),
                Found::Link(_) if links == 0 => return Err(failed(Errno::LOOP, parent, &name)),
                Found::Link(target) => {
                    links -= 1;
                    if target.as_bytes().starts_with(b"/") {
                        way.clear();
                    }
                    push(&mut rest, &target);
                }
                Found::Nothing if attempts == 0 => {
                    return Err(failed(Errno::NOENT, parent, &name));
                }
                Found::Nothing => {
                    attempts -= 1;
                    self.make(parent, &name, rest.is_empty())?;
                    rest.push(name);
                }
            }
        }
        way.pop().map_or_else(|| open(self.root, c".", OFlags::DIRECTORY), Ok)
    }

    fn find(&self, parent: BorrowedFd<'_>, name: &CStr) -> Result<Found, sys::Error> {
        // Most are folders, and then one call does it.
        match open(parent, name, OFlags::DIRECTORY) {
            Ok(directory) => return Ok(Found::Directory(directory)),
            Err(error) if error.errno == Errno::NOENT => return Ok(Found::Nothing),
            Err(error) if error.errno != Errno::NOTDIR => return Err(error),
            Err(_) => {}
        }
        let place = match open(parent, name, OFlags::empty()) {
            Err(error) if error.errno == Errno::NOENT => return Ok(Found::Nothing),
            place => place?,
        };
        // Of what is no link, readlinkat with an empty path says ENOENT, of a folder EINVAL.
        match readlinkat(&place, c"", Vec::new()) {
            Ok(_) if self.links == Links::Refuse => Err(failed(Errno::LOOP, parent, name)),
            Ok(target) => {
                refuse_magic(parent, &place, name)?;
                Ok(Found::Link(target))
            }
            Err(Errno::NOENT | Errno::INVAL) => Ok(Found::Other(place)),
            Err(errno) => Err(failed(errno, parent, name)),
        }
    }

    /// Makes a component. It is for the next round to open it, as any other: it may be somebody
    /// else's by then.
    fn make(&self, parent: BorrowedFd<'_>, name: &CStr, last: bool) -> Result<(), sys::Error> {
        let (result, call) = match self.missing {
            Missing::Error => return Err(failed(Errno::NOENT, parent, name)),
            Missing::File(mode) if last => {
                (mknodat(parent, name, FileType::RegularFile, mode, 0), "mknodat")
            }
            Missing::Directory(mode) if last => (mkdirat(parent, name, mode), "mkdirat"),
            Missing::File(_) | Missing::Directory(_) => {
                (mkdirat(parent, name, Mode::from_raw_mode(0o755)), "mkdirat")
            }
        };
        match result {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno).or_error(call, || format!("{}, {name:?}", parent.as_raw_fd())),
        }
    }
}

/// Adds the components of a path to those still to go.
fn push(rest: &mut Vec<CString>, path: &CStr) {
    let components = path.to_bytes().split(|byte| *byte == b'/').rev();
    // There is no NUL in a piece of a C string.
    rest.extend(components.filter_map(|component| CString::new(component).ok()));
}

fn open(parent: BorrowedFd<'_>, name: &CStr, kind: OFlags) -> Result<OwnedFd, sys::Error> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC | kind;
    openat(parent, name, flags, Mode::empty()).map_err(|errno| failed(errno, parent, name))
}

fn failed(errno: Errno, parent: BorrowedFd<'_>, name: &CStr) -> sys::Error {
    sys::Error::new("openat", format!("{}, {name:?}, O_PATH|O_NOFOLLOW", parent.as_raw_fd()), errno)
}

/// Refuses the links of procfs that are none: what `/proc/PID/root` leads to is not what its text
/// says. Those in procfs' own root, such as `self`, are ordinary.
fn refuse_magic(parent: BorrowedFd<'_>, link: &OwnedFd, name: &CStr) -> Result<(), sys::Error> {
    let arguments = || format!("{}, {name:?}", parent.as_raw_fd());
    if fstatfs(link).or_error("fstatfs", arguments)?.f_type != PROC_SUPER_MAGIC {
        return Ok(());
    }
    if fstat(parent).or_error("fstat", arguments)?.st_ino == PROC_ROOT_INODE {
        return Ok(());
    }
    Err(failed(Errno::LOOP, parent, name))
}
