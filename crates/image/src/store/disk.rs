//! What is the matter with the disk, where SQLite does not say why it failed.

use super::Error;
use rusqlite::ErrorCode;
use std::path::Path;
use sys::rustix::fs::{CWD, Mode, OFlags, fdatasync, openat, statvfs};
use sys::rustix::io::{Errno, write};

/// Errors some of which the store may have made.
pub trait OfStore: From<Error> + From<rusqlite::Error> {
    /// The same, with another one in the place of the store's, if it is one.
    #[must_use]
    fn of_store(self, change: impl FnOnce(Error) -> Error) -> Self;
}

impl OfStore for Error {
    fn of_store(self, change: impl FnOnce(Error) -> Error) -> Error {
        change(self)
    }
}

/// The same error, with what the disk answers if it was its fault.
pub(super) fn explained(error: Error, folder: &Path) -> Error {
    let Error::Database(inner) = &error else { return error };
    match inner.sqlite_error_code() {
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly,
        ) => {}
        _ => return error,
    }
    match try_to_write(folder) {
        // No room for as much as was wanted, but for this.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => error,
        Err(errno) => {
            let has_inodes =
                !matches!(statvfs(folder), Ok(it) if it.f_files > 0 && it.f_favail == 0);
            let why = match errno {
                Errno::NOSPC if has_inodes => "is full".to_owned(),
                Errno::NOSPC => "has no inode left for one more file".to_owned(),
                Errno::DQUOT => "has a quota, which is used up".to_owned(),
                Errno::ROFS => "is read-only".to_owned(),
                Errno::IO => "fails".to_owned(),
                errno => format!("refuses a new file: {errno}"),
            };
            let said = inner.to_string();
            let what = said.split(": Error code").next().unwrap_or_default().to_owned();
            Error::Disk { what, why, errno }
        }
    }
}

/// Does what needs an inode, two blocks, and a disk that works; nothing is left of it.
fn try_to_write(folder: &Path) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR)?;
    // A part of it is no error, but what comes then is.
    while write(&file, &[1; 8192])? < 8192 {}
    fdatasync(&file)
}
