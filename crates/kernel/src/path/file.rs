//! Small files, read and written by the descriptor of their folder.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::{Errno, read, retry_on_intr, write};
use sys::rustix::path::Arg;

/// Reads a whole file of a folder that only trusted processes write, at most `limit` bytes of it.
/// A link is not followed.
///
/// # Errors
/// ENOENT, ELOOP, EACCES; EFBIG if it is longer.
pub fn read_at(
    directory: BorrowedFd<'_>,
    name: impl Arg + Copy,
    limit: usize,
) -> Result<Vec<u8>, sys::Error> {
    let arguments = || format!("{}, {:?}", directory.as_raw_fd(), name.to_string_lossy());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty()).or_error("openat", arguments)?;
    let mut content = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = retry_on_intr(|| read(&file, &mut buffer)).or_error("read", arguments)?;
        if length == 0 {
            return Ok(content);
        }
        if content.len() + length > limit {
            return Err(Errno::FBIG).or_error("read", arguments);
        }
        content.extend_from_slice(&buffer[..length]);
    }
}

/// Writes to a file that exists, in one call, as the files of procfs and cgroupfs demand. A link
/// is not followed.
///
/// # Errors
/// ENOENT, ELOOP, EACCES, and whatever the file answers; EIO if it took only a part.
pub fn write_at(
    directory: BorrowedFd<'_>,
    name: impl Arg + Copy,
    content: &[u8],
) -> Result<(), sys::Error> {
    let arguments = || format!("{}, {:?}", directory.as_raw_fd(), name.to_string_lossy());
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty()).or_error("openat", arguments)?;
    let written = retry_on_intr(|| write(&file, content)).or_error("write", || {
        let name = name.to_string_lossy();
        format!("{:?} to {name:?}", String::from_utf8_lossy(content))
    })?;
    if written == content.len() { Ok(()) } else { Err(Errno::IO).or_error("write", arguments) }
}

/// Opens what an `O_PATH` descriptor names, for what `flags` say.
///
/// It goes through `/proc/self/fd`, so the caller's `/proc` must be the machine's: not after the
/// root was changed to that of a container.
///
/// # Errors
/// EACCES, ETXTBSY and others of open(2); ENOENT without `/proc`.
pub fn reopen(place: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd, sys::Error> {
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    openat(CWD, path.as_str(), flags | OFlags::CLOEXEC, Mode::empty())
        .or_error("openat", || format!("AT_FDCWD, {path:?}, {flags:?}"))
}
