//! `tmpcopyup`: a new tmpfs that begins with a copy of the folder it covers.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use sys::OrError;
use sys::rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid, chownat, fchmod,
    fstat, mkdirat, mknodat, openat, readlinkat, sendfile, statat, symlinkat, utimensat,
};
use sys::rustix::io::Errno;

/// A folder and its copy.
struct Pair {
    from: OwnedFd,
    to: OwnedFd,
}

/// Copies what is in a folder. Both descriptors are followed nowhere: links are copied as links.
///
/// The content comes from an image, so neither its depth nor how many folders there are is
/// trusted: what is left to do is kept in a list, not on the stack, and by name, below folders that
/// stay open as long as something in them is left.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), sys::Error> {
    let mut left = Vec::new();
    copy_entries(Pair::open(from, to, c".")?, &mut left)?;
    while let Some((parent, name)) = left.pop() {
        let pair = Pair::open(parent.from.as_fd(), parent.to.as_fd(), &name)?;
        drop(parent);
        copy_entries(pair, &mut left)?;
    }
    Ok(())
}

impl Pair {
    fn open(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<Pair, sys::Error> {
        Ok(Pair { from: open_folder(from, name)?, to: open_folder(to, name)? })
    }
}

/// Copies all entries of a folder, and adds those that are folders to what is left to do.
fn copy_entries(pair: Pair, left: &mut Vec<(Rc<Pair>, CString)>) -> Result<(), sys::Error> {
    let pair = Rc::new(pair);
    let Pair { from, to } = &*pair;
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(from, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.or_error("getdents64", || from.as_raw_fd().to_string())?;
        let name = entry.file_name();
        if name != c"." && name != c".." && copy_entry(from.as_fd(), to.as_fd(), name)? {
            left.push((Rc::clone(&pair), name.to_owned()));
        }
    }
    Ok(())
}

/// Copies one entry; of a folder itself alone, and returns true.
fn copy_entry(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<bool, sys::Error> {
    let arguments = || format!("{}, {name:?}", from.as_raw_fd());
    let status = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).or_error("fstatat", arguments)?;
    let mode = Mode::from_raw_mode(status.st_mode & 0o7777);
    let kind = FileType::from_raw_mode(status.st_mode);
    match kind {
        FileType::Directory => mkdirat(to, name, Mode::RWXU).or_error("mkdirat", arguments)?,
        FileType::RegularFile => copy_file(from, to, name)?,
        FileType::Symlink => {
            let target = readlinkat(from, name, Vec::new()).or_error("readlinkat", arguments)?;
            symlinkat(target, to, name).or_error("symlinkat", arguments)?;
        }
        // A socket is of no use without the process that listens.
        FileType::Socket | FileType::Unknown => return Ok(false),
        kind => mknodat(to, name, kind, mode, status.st_rdev).or_error("mknodat", arguments)?,
    }
    take_over(&status, to, name)?;
    Ok(kind.is_dir())
}

fn copy_file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<(), sys::Error> {
    let arguments = || format!("{}, {name:?}", from.as_raw_fd());
    // It may have become a FIFO, which would block.
    let reading = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source = openat(from, name, reading, Mode::empty()).or_error("openat", arguments)?;
    let status = fstat(&source).or_error("fstat", arguments)?;
    if !FileType::from_raw_mode(status.st_mode).is_file() {
        return Err(Errno::INVAL).or_error("openat", arguments);
    }
    let writing =
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let copy = openat(to, name, writing, Mode::RUSR | Mode::WUSR).or_error("openat", arguments)?;
    while sendfile(&copy, &source, None, 1 << 30).or_error("sendfile", arguments)? > 0 {}
    Ok(())
}

/// Gives a copy the owner, the permissions and the time of the original. A folder that is filled
/// afterwards gets another time.
fn take_over(status: &Stat, to: BorrowedFd<'_>, name: &CStr) -> Result<(), sys::Error> {
    let arguments = || format!("{}, {name:?}", to.as_raw_fd());
    let (owner, group) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    chownat(to, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)
        .or_error("fchownat", arguments)?;
    // After the owner: a change of that clears the set-user-ID bit. A link has no permissions.
    let kind = FileType::from_raw_mode(status.st_mode);
    if kind.is_dir() || kind.is_file() {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let copy = openat(to, name, flags, Mode::empty()).or_error("openat", arguments)?;
        let mode = Mode::from_raw_mode(status.st_mode & 0o7777);
        fchmod(&copy, mode).or_error("fchmod", arguments)?;
    }
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.try_into().unwrap_or_default(),
    };
    let times = Timestamps {
        last_access: time(status.st_atime, status.st_atime_nsec),
        last_modification: time(status.st_mtime, status.st_mtime_nsec),
    };
    utimensat(to, name, &times, AtFlags::SYMLINK_NOFOLLOW).or_error("utimensat", arguments)
}

fn open_folder(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, sys::Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
        .or_error("openat", || format!("{}, {name:?}, O_DIRECTORY", parent.as_raw_fd()))
}
