//! Entries that are neither files nor folders: links, devices, pipes.

use super::folders::display;
use crate::tar::Kind;
use std::os::fd::BorrowedFd;
use sys::rustix::fs::{AtFlags, FileType, Mode, linkat, makedev, mknodat, statat, symlinkat};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// How making something ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// It is there.
    Yes,
    /// Something else has the name.
    NameTaken,
    /// This process may not make such a thing, nor would a container be able to use it.
    NotAllowed,
}

/// Makes a symbolic link, a device or a pipe.
pub(super) fn make(
    folder: BorrowedFd<'_>,
    name: &[u8],
    kind: &Kind,
    mode: Mode,
) -> Result<Made, Error> {
    let node = |file_type, device| mknodat(folder, name, file_type, mode, device);
    let (result, call) = match kind {
        Kind::SymbolicLink(target) => (symlinkat(target.as_slice(), folder, name), "symlinkat"),
        Kind::CharacterDevice(major, minor) => {
            (node(FileType::CharacterDevice, makedev(*major, *minor)), "mknodat")
        }
        Kind::BlockDevice(major, minor) => {
            (node(FileType::BlockDevice, makedev(*major, *minor)), "mknodat")
        }
        Kind::Fifo => (node(FileType::Fifo, 0), "mknodat"),
        Kind::Regular | Kind::Folder | Kind::HardLink(_) => (Err(Errno::INVAL), "mknodat"),
    };
    match result {
        Ok(()) => Ok(Made::Yes),
        Err(Errno::EXIST) => Ok(Made::NameTaken),
        // Devices in a user namespace: the engine gives containers their devices.
        Err(Errno::PERM) if call == "mknodat" => Ok(Made::NotAllowed),
        Err(errno) => Err(errno).or_error(call, || format!("{}, {kind:?}", display(name))),
    }
}

/// Gives a file of the layer a second name. `NameTaken` also when the name taken is its own, for
/// which see [`is_same`].
pub(super) fn link(
    from: BorrowedFd<'_>,
    target: &[u8],
    to: BorrowedFd<'_>,
    name: &[u8],
) -> Result<Made, Error> {
    match linkat(from, target, to, name, AtFlags::empty()) {
        Ok(()) => Ok(Made::Yes),
        Err(Errno::EXIST) => Ok(Made::NameTaken),
        result => result
            .map(|()| Made::Yes)
            .or_error("linkat", || format!("{}, {}", display(target), display(name))),
    }
}

/// Whether both names are of the same file.
pub(super) fn is_same(
    folder: BorrowedFd<'_>,
    name: &[u8],
    other_folder: BorrowedFd<'_>,
    other: &[u8],
) -> Result<bool, Error> {
    let status = |folder, name: &[u8]| {
        statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).or_error("fstatat", || display(name))
    };
    let (one, two) = (status(folder, name)?, status(other_folder, other)?);
    Ok((one.st_dev, one.st_ino) == (two.st_dev, two.st_ino))
}
