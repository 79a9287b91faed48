//! Detached mounts: made where nobody sees them, and then attached.

use super::{Error, Step};
use std::ffi::CStr;
use std::fmt::Display;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{AtFlags, CWD, FileType, statat};
use sys::rustix::io::Errno;
use sys::rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

/// A copy of the mount that shows a path of the machine; with `recursive`, of all below it too.
pub(super) fn of_path(
    source: &CStr,
    recursive: bool,
    path: &impl Display,
) -> Result<OwnedFd, Error> {
    clone(CWD, source, recursive).map_err(|error| match error.errno {
        Errno::INVAL if !recursive => Error::NotAlone { path: path.to_string(), error },
        _ => Error::at(Step::Source, path)(error),
    })
}

/// A copy of the mount that shows what a descriptor names.
pub(super) fn of_descriptor(place: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd, sys::Error> {
    clone(place, c"", recursive)
}

/// A copy of the mount that shows an entry of a folder, with all below it. A link is not followed:
/// its copy can be attached nowhere.
pub(super) fn of_entry(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, sys::Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    open_tree(folder, name, flags)
        .or_error("open_tree", || format!("{}, {name:?}, {flags:?}", folder.as_raw_fd()))
}

fn clone(directory: BorrowedFd<'_>, path: &CStr, recursive: bool) -> Result<OwnedFd, sys::Error> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if path.is_empty() {
        flags |= OpenTreeFlags::AT_EMPTY_PATH;
    }
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(directory, path, flags).or_error("open_tree", || {
        let directory = directory.as_raw_fd();
        if path.is_empty() {
            format!("{directory}, {flags:?}")
        } else {
            format!("{path:?}, {flags:?}")
        }
    })
}

/// Attaches a detached mount at a place.
pub(super) fn attach(tree: impl AsFd, place: BorrowedFd<'_>) -> Result<(), sys::Error> {
    let tree = tree.as_fd();
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, c"", place, c"", flags)
        .map_err(|errno| refused(errno, tree, place, c""))
        .or_error("move_mount", || format!("{}, {}", tree.as_raw_fd(), place.as_raw_fd()))
}

/// Attaches a detached mount on a name in a folder.
pub(super) fn attach_at(
    tree: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    name: &CStr,
) -> Result<(), sys::Error> {
    move_mount(tree, c"", parent, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|errno| refused(errno, tree, parent, name))
        .or_error("move_mount", || {
            format!("{}, {}, {name:?}", tree.as_raw_fd(), parent.as_raw_fd())
        })
}

/// What mount(2) would say: of a folder on a file, or the other way round, `move_mount(2)` says no
/// more than EINVAL. Docker tells its user what is wrong by ENOTDIR.
fn refused(errno: Errno, tree: BorrowedFd<'_>, parent: BorrowedFd<'_>, name: &CStr) -> Errno {
    let is_folder = |parent: BorrowedFd<'_>, name: &CStr| {
        statat(parent, name, AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)
            .map(|status| FileType::from_raw_mode(status.st_mode) == FileType::Directory)
    };
    if errno != Errno::INVAL {
        return errno;
    }
    match (is_folder(tree, c""), is_folder(parent, name)) {
        (Ok(tree), Ok(place)) if tree != place => Errno::NOTDIR,
        _ => errno,
    }
}
