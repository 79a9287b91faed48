//! Going through a tree of folders that somebody else may have made: it may be as deep as he likes,
//! and neither descriptors nor stack nor the length of a path are.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::{Mode, OFlags, fstat, openat};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// A folder of a tree, and the way back from it.
pub(crate) struct Cursor {
    here: OwnedFd,
    /// Device and inode of those above, from the top on.
    above: Vec<(u64, u64)>,
}

impl Cursor {
    /// At the top of a tree.
    pub(crate) fn new(top: OwnedFd) -> Cursor {
        Cursor { here: top, above: Vec::new() }
    }

    /// Goes into a folder. No link is followed.
    pub(crate) fn down(&mut self, name: &CStr) -> Result<(), Error> {
        let own = identity(&self.here)?;
        self.here = open(self.here.as_fd(), name)?;
        self.above.push(own);
        Ok(())
    }

    /// Goes back, and returns the folder that was left. ESTALE if somebody has moved that elsewhere.
    pub(crate) fn up(&mut self) -> Result<OwnedFd, Error> {
        let above = open(self.here.as_fd(), c"..")?;
        if self.above.pop() != Some(identity(&above)?) {
            return Err(Error::new("openat", "\"..\", a folder that was moved", Errno::STALE));
        }
        Ok(std::mem::replace(&mut self.here, above))
    }
}

impl AsFd for Cursor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.here.as_fd()
    }
}

/// Whether a folder is this one, given by device and inode, or somewhere below it.
pub(crate) fn is_within(folder: BorrowedFd<'_>, other: (u64, u64)) -> Result<bool, Error> {
    let mut here = open(folder, c".")?;
    loop {
        let own = identity(&here)?;
        if own == other {
            return Ok(true);
        }
        here = open(here.as_fd(), c"..")?;
        // A root is above itself.
        if identity(&here)? == own {
            return Ok(false);
        }
    }
}

fn open(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Error> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty()).or_error("openat", || format!("{name:?}"))
}

fn identity(folder: &OwnedFd) -> Result<(u64, u64), Error> {
    let status = fstat(folder).or_error("fstat", || "a folder")?;
    Ok((status.st_dev, status.st_ino))
}

#[cfg(test)]
mod tests {
    use super::{Cursor, is_within};
    use std::fs::{File, create_dir_all, rename};
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    use sys::rustix::io::Errno;

    #[test]
    fn who_is_moved_meanwhile_does_not_come_back_elsewhere() {
        let top = std::env::temp_dir().join(format!("cursor-{}", std::process::id()));
        create_dir_all(top.join("a/b")).unwrap();
        create_dir_all(top.join("other")).unwrap();
        let mut cursor = Cursor::new(File::open(&top).unwrap().into());
        cursor.down(c"a").unwrap();
        cursor.down(c"b").unwrap();
        cursor.up().unwrap();
        cursor.down(c"b").unwrap();
        let found = std::fs::metadata(top.join("a")).unwrap();
        let identity = (found.dev(), found.ino());
        assert!(is_within(cursor.as_fd(), identity).unwrap());
        rename(top.join("a/b"), top.join("other/b")).unwrap();
        assert!(!is_within(cursor.as_fd(), identity).unwrap());
        assert_eq!(cursor.up().unwrap_err().errno, Errno::STALE);
        std::fs::remove_dir_all(top).unwrap();
    }
}
