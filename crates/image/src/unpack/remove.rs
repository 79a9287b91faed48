//! Removes whole trees by descriptor.

use super::folders::display;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, renameat, unlinkat};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// Removes whatever has this name, and all that is in it. No link is followed. Others may be at the
/// same, but nobody may add anything meanwhile.
///
/// # Errors
/// EROFS, EPERM for an immutable file, and others of unlink(2).
pub fn remove(folder: BorrowedFd<'_>, name: &[u8]) -> Result<(), Error> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(errno) => return Err(errno).or_error("unlinkat", || display(name)),
    }
    while let Some(opened) = open(folder, name)? {
        let top = opened.as_fd();
        if empty(top, top, 0)? && remove_folder(folder, name)? {
            break;
        }
    }
    Ok(())
}

/// So many folders are open at once. Deeper ones are first moved up, for a layer can be as deep as
/// its maker likes, and neither descriptors nor stack are.
const DEEPEST: usize = 32;

/// Empties a folder. False if something was moved to `top` that a further round must empty.
fn empty(folder: BorrowedFd<'_>, top: BorrowedFd<'_>, depth: usize) -> Result<bool, Error> {
    let mut is_empty = true;
    let entries = Dir::read_from(folder).or_error("getdents64", String::new)?;
    for entry in entries {
        let entry = entry.or_error("getdents64", String::new)?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if entry.file_type() != FileType::Directory {
            match unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                // Some file systems do not say what an entry is.
                Err(Errno::ISDIR) => {}
                Err(errno) => return Err(errno).or_error("unlinkat", || display(name)),
            }
        }
        is_empty &= remove_below(folder, name, top, depth + 1)?;
    }
    Ok(is_empty)
}

fn remove_below(
    folder: BorrowedFd<'_>,
    name: &[u8],
    top: BorrowedFd<'_>,
    depth: usize,
) -> Result<bool, Error> {
    // Empty ones need not be opened.
    if matches!(unlinkat(folder, name, AtFlags::REMOVEDIR), Ok(()) | Err(Errno::NOENT)) {
        return Ok(true);
    }
    if depth == DEEPEST {
        move_up(folder, name, top)?;
        return Ok(false);
    }
    let Some(opened) = open(folder, name)? else { return Ok(true) };
    let is_empty = empty(opened.as_fd(), top, depth)?;
    Ok(remove_folder(folder, name)? && is_empty)
}

fn move_up(folder: BorrowedFd<'_>, name: &[u8], top: BorrowedFd<'_>) -> Result<(), Error> {
    for number in 0_u64.. {
        let other = format!(".moved-up.{number}");
        match renameat(folder, name, top, other.as_str()) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            Err(Errno::NOENT) => return Ok(()),
            result => return result.or_error("renameat", || display(name)),
        }
    }
    Ok(())
}

fn open(folder: BorrowedFd<'_>, name: &[u8]) -> Result<Option<OwnedFd>, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = CString::new(name).map_err(|_| Error::new("openat", display(name), Errno::INVAL))?;
    match openat(folder, &*name, flags, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        opened => opened.map(Some).or_error("openat", || display(name.as_bytes())),
    }
}

/// False if another one has moved something up into it.
fn remove_folder(folder: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Error> {
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => {
            Err(errno).or_error("unlinkat", || format!("{}, AT_REMOVEDIR", display(name)))
        }
    }
}
