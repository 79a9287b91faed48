//! A blob on its way in. Parts may come in any order; who reads it waits for those that are
//! missing. What is there when a process is killed is gone on with by the next one.

use super::write_back::WriteBack;
use super::{Event, Progress};
use spec::image::Descriptor;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use sys::rustix::fs::{SeekFrom, fstat, fsync, ftruncate, seek};
use sys::rustix::io::{Errno, pread, pwrite, retry_on_intr};

/// A blob on its way in, of which an origin writes the parts.
pub struct Incoming<'a> {
    file: OwnedFd,
    blob: &'a Descriptor,
    progress: &'a dyn Progress,
    /// No more is wanted of any blob.
    failed: &'a AtomicBool,
    write_back: &'a WriteBack,
    arrived: Mutex<Arrived>,
    changed: Condvar,
}

/// What is there.
#[derive(Debug, Default)]
struct Arrived {
    /// Everything before this byte.
    until: u64,
    /// Parts behind it: where they begin and where they end.
    ahead: BTreeMap<u64, u64>,
    /// No more will come.
    ended: bool,
    /// No more is wanted.
    stopped: bool,
}

/// Block sizes of file systems are no larger, mostly; if they are, the digest tells.
const BLOCK: u64 = 4096;

impl<'a> Incoming<'a> {
    /// A blob in a file that may have the beginning of it already.
    pub(super) fn new(
        file: OwnedFd,
        blob: &'a Descriptor,
        progress: &'a dyn Progress,
        failed: &'a AtomicBool,
        write_back: &'a WriteBack,
    ) -> io::Result<Incoming<'a>> {
        let until = beginning(&file)?.min(blob.size);
        let arrived = Mutex::new(Arrived { until, ..Arrived::default() });
        let changed = Condvar::new();
        Ok(Incoming { file, blob, progress, failed, write_back, arrived, changed })
    }

    /// How many bytes it will have.
    pub fn size(&self) -> u64 {
        self.blob.size
    }

    /// How many bytes are there from its beginning on, without a gap. An origin goes on from here;
    /// a multiple of 4096 before it begins to.
    pub fn received(&self) -> u64 {
        self.lock().until
    }

    /// Takes in some bytes. Those that came already may come again.
    ///
    /// # Errors
    /// There are more than the blob may have; nobody wants them any more; the disk is full.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.size());
        let Some(end) = end else {
            let message = format!("more than the {} bytes that were announced", self.size());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        };
        let (mut rest, mut at) = (bytes, offset);
        while !rest.is_empty() {
            let count = retry_on_intr(|| pwrite(&self.file, rest, at))?;
            rest = &rest[count..];
            at += count as u64;
        }
        let mut arrived = self.lock();
        if arrived.stopped || self.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other("no longer wanted, because something else failed"));
        }
        arrived.add(offset, end);
        let there =
            arrived.until + arrived.ahead.iter().map(|(start, end)| end - start).sum::<u64>();
        drop(arrived);
        self.changed.notify_all();
        self.progress.tell(Event::Receives(&self.blob.digest, there));
        Ok(())
    }

    /// Its bytes from the beginning on, as they arrive.
    pub(super) fn reader(&self) -> Arriving<'_, 'a> {
        Arriving { incoming: self, at: 0 }
    }

    /// Says that no more is wanted: the origin is to stop.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
    }

    /// Says that no more will come: readers are not to wait for it.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Cuts what an earlier try may have left behind the end.
    pub(super) fn trim(&self) -> io::Result<()> {
        Ok(ftruncate(&self.file, self.size())?)
    }

    /// Writes it to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.file)?)
    }

    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrived {
    fn add(&mut self, start: u64, end: u64) {
        let known = self.ahead.entry(start).or_default();
        *known = end.max(*known);
        while let Some(part) = self.ahead.first_entry()
            && *part.key() <= self.until
        {
            self.until = self.until.max(part.remove());
        }
    }
}

/// How much of a file was surely written from its beginning on. Where parts came in any order,
/// those that are missing are holes, and the block before a hole may be half full.
fn beginning(file: &OwnedFd) -> io::Result<u64> {
    let length = u64::try_from(fstat(file)?.st_size).unwrap_or(0);
    let hole = match seek(file, SeekFrom::Hole(0)) {
        Ok(hole) => hole,
        Err(Errno::NXIO) => 0,
        // A file system that knows no holes may have written the parts' zeros.
        Err(errno) => return Err(errno.into()),
    };
    Ok(hole.min(length).saturating_sub(BLOCK) / BLOCK * BLOCK)
}

/// Reads a blob while it arrives.
pub(super) struct Arriving<'a, 'b> {
    incoming: &'a Incoming<'b>,
    at: u64,
}

impl Arriving<'_, '_> {
    /// How many bytes can be read now; 0 at the end.
    fn wait(&self) -> io::Result<u64> {
        let mut arrived = self.incoming.lock();
        loop {
            if arrived.until > self.at || self.at == self.incoming.size() {
                return Ok(arrived.until - self.at);
            }
            if arrived.ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            arrived = self.incoming.changed.wait(arrived).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Read for Arriving<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = usize::try_from(self.wait()?).unwrap_or(usize::MAX).min(buffer.len());
        let count =
            retry_on_intr(|| pread(self.incoming.file.as_fd(), &mut buffer[..there], self.at))?;
        if count == 0 && there > 0 {
            // Somebody else cut the file.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        self.incoming.write_back.add(count as u64);
        self.incoming.progress.tell(Event::Unpacks(&self.incoming.blob.digest, self.at));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrived, BLOCK, Incoming, WriteBack};
    use spec::image::{Algorithm, Descriptor, Digest, MediaType};
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::sync::atomic::AtomicBool;
    use sys::rustix::fs::{MemfdFlags, memfd_create};

    static NOT_FAILED: AtomicBool = AtomicBool::new(false);

    fn file() -> OwnedFd {
        memfd_create("incoming", MemfdFlags::CLOEXEC).unwrap()
    }

    fn blob(size: u64) -> Descriptor {
        Descriptor::new(MediaType::OciLayer, Digest::from_hash(Algorithm::Sha256, &[0; 32]), size)
    }

    #[test]
    fn parts_join_in_any_order() {
        let mut arrived = Arrived::default();
        for (start, end, until) in
            [(5, 9, 0), (5, 7, 0), (20, 30, 0), (0, 2, 2), (1, 5, 9), (8, 10, 10), (10, 20, 30)]
        {
            arrived.add(start, end);
            assert_eq!(arrived.until, until);
        }
        assert!(arrived.ahead.is_empty());
    }

    #[test]
    fn a_reader_waits_for_what_is_missing() {
        let (blob, write_back) = (blob(6), WriteBack::default());
        let incoming = Incoming::new(file(), &blob, &(), &NOT_FAILED, &write_back).unwrap();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let mut text = String::new();
                incoming.reader().read_to_string(&mut text).map(|_| text)
            });
            for (offset, bytes) in [(4, b"ef"), (0, b"ab"), (2, b"cd")] {
                incoming.write_at(offset, bytes).unwrap();
            }
            assert_eq!(reading.join().unwrap().unwrap(), "abcdef");
        });
    }

    #[test]
    fn too_much_is_refused_and_too_little_is_noticed() {
        let (blob, write_back) = (blob(4), WriteBack::default());
        let incoming = Incoming::new(file(), &blob, &(), &NOT_FAILED, &write_back).unwrap();
        incoming.write_at(0, b"abc").unwrap();
        assert!(incoming.write_at(3, b"de").is_err());
        assert!(incoming.write_at(u64::MAX, b"d").is_err());
        incoming.end();
        assert!(incoming.reader().read_to_end(&mut Vec::new()).is_err());
        incoming.stop();
        assert!(incoming.write_at(3, b"d").is_err());
    }

    #[test]
    fn what_surely_is_there_is_gone_on_with() {
        let write = |file: &OwnedFd, at: u64, length: u64| {
            let bytes = vec![1; usize::try_from(length).unwrap()];
            assert_eq!(sys::rustix::io::pwrite(file, &bytes, at).unwrap(), bytes.len());
        };
        for (parts, expected) in [
            (&[][..], 0),
            (&[(0, 10)], 0),
            (&[(0, 10 * BLOCK)], 9 * BLOCK),
            (&[(0, 3 * BLOCK + 5)], 2 * BLOCK),
            // A gap: the block before it may be half full.
            (&[(0, 3 * BLOCK), (8 * BLOCK, BLOCK)], 2 * BLOCK),
            (&[(8 * BLOCK, BLOCK)], 0),
        ] {
            let file = file();
            for (at, length) in parts {
                write(&file, *at, *length);
            }
            let (blob, write_back) = (blob(100 * BLOCK), WriteBack::default());
            let incoming = Incoming::new(file, &blob, &(), &NOT_FAILED, &write_back).unwrap();
            assert_eq!(incoming.received(), expected, "{parts:?}");
        }
    }
}
