//! The contents of regular files.

use super::Error;
use super::folders::{OfEntry, display};
use crate::tar::{self, Entry, Fragment, Reader};
use std::io::BufRead;
use std::os::fd::BorrowedFd;
use sys::OrError;
use sys::rustix::fs::ftruncate;
use sys::rustix::io::{Errno, pwrite, retry_on_intr, write};

/// Writes an entry's data to its new and empty file.
pub(super) fn write_data<Source: BufRead>(
    archive: &mut Reader<Source>,
    file: BorrowedFd<'_>,
    entry: &Entry,
) -> Result<(), Error> {
    let Some(fragments) = &entry.fragments else {
        return copy(archive, entry, entry.size, |bytes| write(file, bytes));
    };
    for Fragment { mut offset, length } in fragments.iter().copied() {
        copy(archive, entry, length, |bytes| {
            let count = pwrite(file, bytes, offset)?;
            offset += count as u64;
            Ok(count)
        })?;
    }
    // The zeros behind the last part.
    ftruncate(file, entry.size)
        .or_error("ftruncate", || format!("{}, {}", display(entry.name.as_bytes()), entry.size))
        .of_entry(&entry.name)
}

/// The data of an entry that is small.
pub(super) fn read_all<Source: BufRead>(
    archive: &mut Reader<Source>,
    entry: &Entry,
) -> Result<Vec<u8>, Error> {
    let mut contents = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0));
    copy(archive, entry, entry.size, |bytes| {
        contents.extend_from_slice(bytes);
        Ok(bytes.len())
    })?;
    Ok(contents)
}

/// Writes data that was read already.
pub(super) fn write_all(
    file: BorrowedFd<'_>,
    mut contents: &[u8],
    entry: &Entry,
) -> Result<(), Error> {
    while !contents.is_empty() {
        let written = retry_on_intr(|| write(file, contents))
            .or_error("write", || arguments(contents.len(), entry))
            .of_entry(&entry.name)?;
        contents = &contents[written..];
    }
    Ok(())
}

/// Hands over the next `length` bytes of the data, straight from the archive's buffer.
fn copy<Source: BufRead>(
    archive: &mut Reader<Source>,
    entry: &Entry,
    mut length: u64,
    mut write: impl FnMut(&[u8]) -> Result<usize, Errno>,
) -> Result<(), Error> {
    while length > 0 {
        let bytes = archive.data()?;
        let wanted = bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        if wanted == 0 {
            // A sparse file's map was checked against what the archive holds of it.
            let problem = tar::Problem::SparseMap;
            return Err(tar::Error::Format { at: archive.position(), problem }.into());
        }
        let written = match write(&bytes[..wanted]) {
            Ok(0) => Err(Errno::IO),
            Err(Errno::INTR) => continue,
            result => result,
        };
        let written =
            written.or_error("write", || arguments(wanted, entry)).of_entry(&entry.name)?;
        archive.consume(written);
        length -= written as u64;
    }
    Ok(())
}

fn arguments(count: usize, entry: &Entry) -> String {
    format!("{count} bytes of {}", display(entry.name.as_bytes()))
}
