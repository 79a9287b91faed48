//! The folder in which something is made.

use super::{Error, Step};
use crate::path::{Links, Root, RootedPath};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{FileType, Mode, OFlags, mknodat, openat};
use sys::rustix::io::Errno;
use sys::rustix::mount::{MoveMountFlags, move_mount};

/// A folder of the container, and who else may write there.
pub enum Folder<'a> {
    /// In a file system that this process has just made: whatever is there was put there by it.
    Own(BorrowedFd<'a>),
    /// Any other. Its entries may be links, and may change at any moment.
    Any(OwnedFd),
}

impl<'a> Folder<'a> {
    /// The folder at a path, made if it is missing. `own` are folders that this process has made.
    ///
    /// # Errors
    /// See [`Root::create_directory`].
    pub fn find(
        root: &Root,
        path: &RootedPath,
        own: impl Fn(&RootedPath) -> Option<BorrowedFd<'a>>,
    ) -> Result<Folder<'a>, Error> {
        if let Some(folder) = own(path) {
            return Ok(Folder::Own(folder));
        }
        let mode = Mode::from_raw_mode(0o755);
        let folder = root.create_directory(path, Links::Follow, mode);
        folder.map(Folder::Any).map_err(Error::at(Step::Folder, path))
    }

    /// Whether nobody else can have put anything there.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Folder::Own(_))
    }

    /// Mounts a file over the one of this name, which is made if there is none.
    pub(super) fn mount_file(&self, tree: BorrowedFd<'_>, name: &CStr) -> Result<(), sys::Error> {
        let arguments = || format!("{}, {name:?}", self.as_fd().as_raw_fd());
        match mknodat(self, name, FileType::RegularFile, Mode::empty(), 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            result => result.or_error("mknodat", arguments)?,
        }
        let source = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        if self.is_own() {
            return move_mount(tree, c"", self, name, source).or_error("move_mount", arguments);
        }
        // move_mount on a name follows mounts but no links; what it found could not be told.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat(self, name, flags, Mode::empty()).or_error("openat", arguments)?;
        move_mount(tree, c"", &place, c"", source | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH)
            .or_error("move_mount", arguments)
    }
}

impl AsFd for Folder<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Folder::Own(folder) => *folder,
            Folder::Any(folder) => folder.as_fd(),
        }
    }
}
