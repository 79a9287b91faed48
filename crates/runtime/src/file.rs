//! Small files, relative to a folder's descriptor.

use std::fmt::Debug;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::rustix::fs::{Mode, OFlags, openat, renameat};
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
    let file = open(folder, &name, OFlags::RDONLY)?;
    let mut bytes = vec![0; 16 * 1024];
    let mut length = 0;
    loop {
        if length == bytes.len() {
            if length > limit {
                return Err(sys::Error::new("read", format!("{name:?}"), Errno::FBIG));
            }
            bytes.resize(length * 2, 0);
        }
        match read(&file, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("read", format!("{name:?}"), errno)),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Writes all.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), sys::Error> {
    while !bytes.is_empty() {
        match write(&file, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("write", "", errno)),
        }
    }
    Ok(())
}

/// Replaces a file, or makes it: whoever opens it sees the old bytes or the new ones, never a part.
pub(crate) fn replace(folder: impl AsFd, name: &Path, bytes: &[u8]) -> Result<(), sys::Error> {
    let mut temporary = name.as_os_str().to_owned();
    temporary.push(".new");
    let file = open(&folder, &temporary, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    write_all(&file, bytes)?;
    renameat(&folder, &temporary, &folder, name)
        .or_error("renameat", || format!("{temporary:?}, {name:?}"))
}
