//! Small files, relative to a folder's descriptor.

use std::fmt::Debug;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::process::Spent;
use sys::rustix::buffer::spare_capacity;
use sys::rustix::fs::{
    AtFlags, CWD, Mode, OFlags, SeekFrom, openat, readlink, renameat, seek, unlinkat,
};
use sys::rustix::io::{Errno, read, write};

/// Opens a file or folder.
pub(crate) fn open(
    folder: impl AsFd,
    name: impl AsRef<Path> + Debug,
    flags: OFlags,
) -> Result<OwnedFd, sys::Error> {
    openat(folder, name.as_ref(), flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o600))
        .or_error("openat", || format!("{name:?}, {flags:?}"))
}

/// All of a file, which is refused when it is larger than `limit` bytes.
pub(crate) fn read_all(
    folder: impl AsFd,
    name: impl AsRef<Path> + Debug,
    limit: usize,
) -> Result<Vec<u8>, sys::Error> {
    read_open(&open(folder, &name, OFlags::RDONLY)?, name, limit)
}

/// The same; the file is closed with others.
pub(crate) fn read_all_and_spend(
    folder: impl AsFd,
    name: impl AsRef<Path> + Debug,
    limit: usize,
    spent: &mut Spent,
) -> Result<Vec<u8>, sys::Error> {
    let file = open(folder, &name, OFlags::RDONLY)?;
    let bytes = read_open(&file, name, limit)?;
    spent.add([file]);
    Ok(bytes)
}

/// The same of what ought to be a file of ours: nothing that somebody has put there instead leads
/// elsewhere, or is waited for.
pub(crate) fn read_own(
    folder: impl AsFd,
    name: impl AsRef<Path> + Debug,
    limit: usize,
) -> Result<Vec<u8>, sys::Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    read_open(&open(folder, &name, flags)?, name, limit)
}

fn read_open(file: &OwnedFd, name: impl Debug, limit: usize) -> Result<Vec<u8>, sys::Error> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    loop {
        if bytes.len() == bytes.capacity() {
            if bytes.len() > limit {
                return Err(sys::Error::new("read", format!("{name:?}"), Errno::FBIG));
            }
            bytes.reserve(bytes.len());
        }
        match read(file, spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("read", format!("{name:?}"), errno)),
        }
    }
}

/// A file that the kernel makes up when it is read, and hands over at once if there is room: one
/// of procfs that is no list. Refused when it is larger than 64 kB.
pub(crate) fn read_made_up(
    name: impl AsRef<Path> + Debug,
    spent: &mut Spent,
) -> Result<Vec<u8>, sys::Error> {
    let file = open(CWD, &name, OFlags::RDONLY)?;
    let mut bytes = vec![0; 4 * 1024];
    loop {
        match read(&file, &mut bytes) {
            Ok(length) if length < bytes.len() => {
                bytes.truncate(length);
                spent.add([file]);
                return Ok(bytes);
            }
            Ok(_) if bytes.len() < 64 * 1024 => {
                bytes.resize(bytes.len() * 4, 0);
                seek(&file, SeekFrom::Start(0)).or_error("lseek", || format!("{name:?}"))?;
            }
            Ok(_) => return Err(sys::Error::new("read", format!("{name:?}"), Errno::FBIG)),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("read", format!("{name:?}"), errno)),
        }
    }
}

/// Writes all.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), sys::Error> {
    while !bytes.is_empty() {
        match write(&file, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("write", name_of(file.as_fd()), errno)),
        }
    }
    Ok(())
}

/// How `/proc` calls it.
fn name_of(file: BorrowedFd<'_>) -> String {
    let link = readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new());
    link.map_or_else(|_| String::new(), |path| format!("{path:?}"))
}

/// Replaces a file, or makes it: whoever opens it sees the old bytes or the new ones, never a part.
pub(crate) fn replace(folder: impl AsFd, name: &Path, bytes: &[u8]) -> Result<(), sys::Error> {
    let mut temporary = name.as_os_str().to_owned();
    temporary.push(".new");
    // The folder may be one in which others write: their file, or what their link leads to, is not
    // for us to write. It may also be left from somebody who was killed.
    let make = || open(&folder, &temporary, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL);
    let file = match make() {
        Err(error) if error.errno == Errno::EXIST => {
            unlinkat(&folder, &temporary, AtFlags::empty())
                .or_error("unlinkat", || format!("{temporary:?}"))?;
            make()?
        }
        file => file?,
    };
    write_all(&file, bytes)?;
    renameat(&folder, &temporary, &folder, name)
        .or_error("renameat", || format!("{temporary:?}, {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::{CWD, OFlags, open, write_all};

    #[test]
    fn a_file_that_takes_nothing_is_named() {
        let file = open(CWD, "/dev/full", OFlags::WRONLY).unwrap();
        let text = write_all(&file, b"x").unwrap_err().to_string();
        assert!(text.starts_with("write(\"/dev/full\"): No space left"), "{text}");
    }
}
