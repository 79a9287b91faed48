//! Open files as streams.

use crate::flow::{Inflate, Limits, Turns};
use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::fstat;
use sys::rustix::io::{pread, read, retry_on_intr, write};

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

/// Writes what a file inflates to into another, from where both are on. The first one may be a pipe.
pub(crate) fn inflate(input: &OwnedFd, output: &OwnedFd) -> io::Result<()> {
    let (consumed, turns, limits) = (Cell::new(0), Turns::default(), Limits::default());
    let source = Stream { file: input, consumed: &consumed };
    let mut source = Inflate::new(BufReader::with_capacity(128 << 10, source), &turns)?;
    let mut buffer = vec![0; 256 << 10];
    let mut length = 0;
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        length += count as u64;
        limits.check(length, consumed.get())?;
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let written = retry_on_intr(|| write(output, rest))?;
            rest = &rest[written..];
        }
    }
}

/// A file that may not be able to seek.
struct Stream<'a> {
    file: &'a OwnedFd,
    consumed: &'a Cell<u64>,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = retry_on_intr(|| read(self.file, &mut *buffer))?;
        self.consumed.set(self.consumed.get() + count as u64);
        Ok(count)
    }
}
