//! What was removed is freed.

use super::{Error, Store};
use crate::unpack;
use std::os::fd::AsFd;
use sys::OrError;
use sys::rustix::fs::{Dir, FlockOperation, flock};
use sys::rustix::io::Errno;

impl Store {
    /// Whether there is something to free.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn has_trash(&self) -> Result<bool, Error> {
        Ok(!self.trash_names()?.is_empty())
    }

    /// Frees all that was removed, which takes as long as there are files. Does nothing if another
    /// process is at it.
    ///
    /// # Errors
    /// Something cannot be removed; the rest is.
    pub fn empty_trash(&self) -> Result<(), Error> {
        let trash = self.layout.trash();
        match flock(trash, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(()),
            result => result.or_error("flock", || "trash")?,
        }
        let result = self.free();
        flock(trash, FlockOperation::Unlock).or_error("flock", || "trash")?;
        result
    }

    fn free(&self) -> Result<(), Error> {
        loop {
            let names = self.trash_names()?;
            let removed = names.iter().map(|name| unpack::remove(self.layout.trash(), name));
            let failures: Vec<_> = removed.filter_map(Result::err).collect();
            // While this removes, others may throw away more.
            if failures.len() == names.len() {
                return failures.into_iter().next().map_or(Ok(()), |error| Err(error.into()));
            }
        }
    }

    fn trash_names(&self) -> Result<Vec<Vec<u8>>, Error> {
        names(self.layout.trash())
    }
}

/// What is in a folder.
pub(super) fn names(folder: impl AsFd) -> Result<Vec<Vec<u8>>, Error> {
    let entries = Dir::read_from(folder).or_error("getdents64", String::new)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_bytes().to_vec()));
    let names = names.collect::<Result<Vec<_>, Errno>>().or_error("getdents64", String::new)?;
    Ok(names.into_iter().filter(|name| !matches!(name.as_slice(), b"." | b"..")).collect())
}
