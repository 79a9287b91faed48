//! Open files as streams.

use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::fstat;
use sys::rustix::io::{pread, retry_on_intr};

/// A file that is read from its beginning on, whatever else is done with its descriptor.
#[derive(Debug)]
pub(crate) struct FileReader<File> {
    file: File,
    at: u64,
}

impl FileReader<OwnedFd> {
    pub(crate) fn new(file: OwnedFd) -> FileReader<OwnedFd> {
        FileReader { file, at: 0 }
    }
}

impl<'a> FileReader<BorrowedFd<'a>> {
    pub(crate) fn at(file: BorrowedFd<'a>, at: u64) -> FileReader<BorrowedFd<'a>> {
        FileReader { file, at }
    }
}

impl<File: AsFd> Read for FileReader<File> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = retry_on_intr(|| pread(self.file.as_fd(), &mut *buffer, self.at))?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<File: AsFd> Seek for FileReader<File> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, distance) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(distance) => (self.at, distance),
            SeekFrom::End(distance) => {
                let length = fstat(self.file.as_fd())?.st_size;
                (u64::try_from(length).unwrap_or(0), distance)
            }
        };
        self.at = from.checked_add_signed(distance).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
