//! The times of a layer's folders, until all else is done. There may be many, so most of them wait in
//! a file without a name.

use crate::input::FileReader;
use crate::tar::{Entry, Name, Time};
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, openat};
use sys::rustix::io::{Errno, retry_on_intr, write};
use sys::{Error, OrError};

/// More bytes go to the file: no usual layer needs it.
const IN_MEMORY: usize = 256 << 10;

/// Folders and what they are to say of when they were changed, in the order of their entries.
#[derive(Default)]
pub(super) struct Times {
    file: Option<OwnedFd>,
    /// What is not in the file yet: of each the length of the name, name, seconds, nanoseconds.
    recent: Vec<u8>,
    /// How many bytes all of it has.
    pub(super) length: u64,
}

impl Times {
    /// Remembers a folder. The file is made in `place`.
    pub(super) fn add(&mut self, folder: &Entry, place: BorrowedFd<'_>) -> Result<(), Error> {
        let (name, Time { seconds, nanoseconds }) = (folder.name.as_bytes(), folder.modified);
        let before = self.recent.len();
        // No path is longer than 4096 bytes.
        self.recent.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
        self.recent.extend(name);
        self.recent.extend(seconds.to_le_bytes());
        self.recent.extend(nanoseconds.to_le_bytes());
        self.length += (self.recent.len() - before) as u64;
        if self.recent.len() < IN_MEMORY {
            return Ok(());
        }
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(new_file(place)?),
        };
        let mut rest = &self.recent[..];
        while !rest.is_empty() {
            let count = retry_on_intr(|| write(file, rest))
                .or_error("write", || format!("times of folders, {} bytes", rest.len()))?;
            rest = &rest[count..];
        }
        self.recent.clear();
        Ok(())
    }

    /// All of them, in the order in which they came.
    pub(super) fn all(&self) -> impl Iterator<Item = io::Result<(Name, Time)>> {
        let file = self.file.as_ref().map(|file| FileReader::at(file.as_fd(), 0));
        let file = file.map(|file| Box::new(file) as Box<dyn Read + '_>);
        let file = file.unwrap_or_else(|| Box::new(io::empty()));
        let mut all = BufReader::new(file).chain(&self.recent[..]);
        let mut left = self.length;
        std::iter::from_fn(move || {
            let next = (left > 0).then(|| next(&mut all))?;
            left = next.as_ref().map_or(0, |(_, _, length)| left.saturating_sub(*length));
            Some(next.map(|(name, time, _)| (name, time)))
        })
    }
}

/// A name, its time, and how many bytes they took.
fn next(all: &mut impl Read) -> io::Result<(Name, Time, u64)> {
    let length = u16::from_le_bytes(array(all)?);
    let mut name = vec![0; length.into()];
    all.read_exact(&mut name)?;
    let name = Name::new(&name).map_err(|_| io::ErrorKind::InvalidData)?;
    let seconds = i64::from_le_bytes(array(all)?);
    let nanoseconds = u32::from_le_bytes(array(all)?);
    Ok((name, Time { seconds, nanoseconds }, 14 + u64::from(length)))
}

fn array<const LENGTH: usize>(all: &mut impl Read) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    all.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn new_file(place: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    match openat(place, c".", flags, Mode::RUSR | Mode::WUSR) {
        // Not every file system can.
        Err(Errno::OPNOTSUPP) => memfd_create("times", MemfdFlags::CLOEXEC),
        result => result,
    }
    .or_error("openat", || "times of folders, O_TMPFILE")
}

#[cfg(test)]
mod tests {
    use super::{IN_MEMORY, Times};
    use crate::tar::{Entry, Kind, Name, Time};
    use std::os::fd::AsFd;
    use sys::rustix::fs::{CWD, Mode, OFlags, openat};

    #[test]
    fn many_come_back_in_their_order_and_take_little_memory() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, std::env::temp_dir(), flags, Mode::empty()).unwrap();
        let mut times = Times::default();
        let entry = |number: u32| {
            let name = Name::new(format!("{number}/").repeat(20).as_bytes()).unwrap();
            let modified = Time { seconds: -i64::from(number), nanoseconds: number };
            Entry { modified, ..Entry::new(name, Kind::Folder, 0o755) }
        };
        for number in 0..50_000 {
            times.add(&entry(number), folder.as_fd()).unwrap();
        }
        assert!(times.recent.capacity() <= 2 * IN_MEMORY && times.file.is_some());
        let all: Vec<_> = times.all().map(Result::unwrap).collect();
        assert_eq!(all.len(), 50_000);
        for (number, (name, time)) in all.into_iter().enumerate() {
            let expected = entry(u32::try_from(number).unwrap());
            assert_eq!((name, time), (expected.name, expected.modified));
        }
    }
}
