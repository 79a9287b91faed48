//! One layer on its way through the threads.

use super::pipe::{PipeReader, PipeWriter, pipe};
use super::pool::{Buffer, Pool};
use super::{Inflate, Turns};
use crate::Hasher;
use spec::image::{Algorithm, Digest};
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};

/// Buffers between reading and inflating, and between inflating and unpacking: 5 MiB for a layer,
/// enough that a slow moment of one thread does not stop the others.
const COMPRESSED: (usize, usize) = (8, 128 << 10);
const INFLATED: (usize, usize) = (16, 256 << 10);

/// What a layer may become, so that a small file cannot fill a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an uncompressed layer.
    pub bytes: u64,
    /// The most entries.
    pub entries: u64,
    /// How many bytes may become of each compressed one, beyond [`Limits::FREE`].
    pub ratio: u64,
    /// How many bytes the names of its folders may have, which wait on the disk until all else is
    /// done; 32 times less those of folders without an entry of their own, which are many where an
    /// entry is deep, and which are kept in memory.
    pub folders: u64,
}

impl Limits {
    /// So many bytes no ratio is demanded of.
    pub const FREE: u64 = 4 << 30;

    /// Whether so many compressed bytes may become so many.
    pub(crate) fn check(&self, length: u64, compressed: u64) -> io::Result<()> {
        let by_ratio = compressed.saturating_mul(self.ratio);
        let most = self.bytes.min(by_ratio.saturating_add(Limits::FREE));
        if length <= most {
            return Ok(());
        }
        let message = format!("it inflates to more than the {most} bytes that it may have");
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, message))
    }
}

impl Default for Limits {
    /// Twice as much as any image that we know of, and a ratio that only zeros reach.
    fn default() -> Limits {
        Limits { bytes: 1 << 40, entries: 8_000_000, ratio: 200, folders: 256 << 20 }
    }
}

/// What a layer comes with, and what is to be found out.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// How the compressed bytes are hashed.
    pub digest: Algorithm,
    /// How the uncompressed ones are.
    pub diff_id: Algorithm,
    /// When to stop.
    pub limits: Limits,
}

/// What went through.
#[derive(Debug)]
pub struct Passed<T> {
    /// Of the bytes that were read.
    pub digest: Digest,
    /// How many those were.
    pub compressed: u64,
    /// Of the bytes that they inflated to.
    pub diff_id: Digest,
    /// How many those were.
    pub size: u64,
    /// What was made of them.
    pub result: T,
}

/// Why it did not. The compressed digest is known whenever all could be read, and tells whether
/// the layer or its transport is to blame.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The source failed.
    Source(io::Error),
    /// The bytes cannot be inflated.
    Inflate(io::Error, Option<Digest>),
    /// What they inflate to cannot be used.
    Consumer(E, Option<Digest>),
    /// A thread cannot be started.
    Thread(io::Error),
}

/// Reads the source to its end, inflates it and lets `consume` have it, in this thread; the other
/// steps have one each. `is_final` tells of an error of `consume` that the rest of the source
/// could not change anything about, so that it need not be read.
///
/// # Errors
/// The first of the steps that failed, whichever noticed it first.
pub fn pass<T, E>(
    source: impl Read + Send,
    flow: Flow,
    turns: &Turns,
    consume: impl FnOnce(PipeReader) -> Result<T, E>,
    is_final: impl FnOnce(&E) -> bool,
) -> Result<Passed<T>, Stopped<E>> {
    let cancelled = AtomicBool::new(false);
    thread::scope(|scope| {
        let (compressed, to_inflate) = pipe();
        let (inflated, to_consume) = pipe();
        let (copy, to_hash) = pipe();
        let cancelled = &cancelled;
        let reading = start(scope, "read", move || read(source, flow, compressed, cancelled))
            .map_err(Stopped::Thread)?;
        let hashing = start(scope, "hash", move || hash(to_hash, flow)).map_err(Stopped::Thread)?;
        let inflating = start(scope, "inflate", move || {
            inflate(to_inflate, flow.limits, turns, [inflated, copy])
        })
        .map_err(Stopped::Thread)?;
        let consumed = consume(to_consume);
        if consumed.as_ref().is_err_and(is_final) {
            cancelled.store(true, Ordering::Relaxed);
        }
        let (inflated, hashed, read) = (join(inflating), join(hashing), join(reading));
        verdict(read, inflated, hashed, consumed)
    })
}

/// A digest, and of how many bytes.
type Sum = (Digest, u64);

/// Puts the ends of all threads together. A thread whose neighbour failed ends with `None` or a
/// broken pipe, which says nothing by itself.
fn verdict<T, E>(
    read: io::Result<Option<Sum>>,
    inflated: Result<(), io::Error>,
    hashed: Option<Sum>,
    consumed: Result<T, E>,
) -> Result<Passed<T>, Stopped<E>> {
    let read = read.map_err(Stopped::Source)?;
    let digest = read.as_ref().map(|(digest, _)| digest.clone());
    if let Err(error) = inflated
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(Stopped::Inflate(error, digest));
    }
    let result = consumed.map_err(|error| Stopped::Consumer(error, digest))?;
    // Consumed to its end, it has been hashed and read to its end, too.
    let broken = || Stopped::Source(io::ErrorKind::BrokenPipe.into());
    let (digest, compressed) = read.ok_or_else(broken)?;
    let (diff_id, size) = hashed.ok_or_else(broken)?;
    Ok(Passed { digest, compressed, diff_id, size, result })
}

fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name.to_owned()).stack_size(256 << 10).spawn_scoped(scope, work)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Reads and hashes all of the source, even when nobody wants it any more: only the digest tells
/// whether what could not be inflated is what was asked for.
fn read(
    mut source: impl Read,
    flow: Flow,
    next: PipeWriter,
    cancelled: &AtomicBool,
) -> io::Result<Option<Sum>> {
    let pool = Pool::new(COMPRESSED.0, COMPRESSED.1);
    let mut hasher = Hasher::new(flow.digest);
    let mut length = 0;
    loop {
        let mut buffer = pool.take();
        let ended = fill(&mut source, &mut buffer)?;
        let chunk = buffer.share();
        hasher.update(&chunk);
        length += chunk.len() as u64;
        let wanted = next.send(chunk);
        if ended {
            next.end();
            return Ok(Some((hasher.finish(), length)));
        }
        if !wanted && cancelled.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
}

/// Fills the buffer, so that the first one has all that the compression is recognized by. True
/// at the end of the source.
fn fill(source: &mut impl Read, buffer: &mut Buffer) -> io::Result<bool> {
    while !buffer.room().is_empty() {
        match source.read(buffer.room()) {
            Ok(0) => return Ok(true),
            Ok(count) => buffer.advance(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn inflate(
    source: PipeReader,
    limits: Limits,
    turns: &Turns,
    next: [PipeWriter; 2],
) -> io::Result<()> {
    let pool = Pool::new(INFLATED.0, INFLATED.1);
    let consumed = source.consumed();
    let mut source = Inflate::new(source, turns)?;
    let mut length = 0;
    loop {
        let mut buffer = pool.take();
        let ended = fill(&mut source, &mut buffer)?;
        let chunk = buffer.share();
        length += chunk.len() as u64;
        limits.check(length, consumed.load(Ordering::Relaxed))?;
        if !next.iter().all(|pipe| pipe.send(chunk.clone())) {
            return Ok(());
        }
        if ended {
            next.into_iter().for_each(PipeWriter::end);
            return Ok(());
        }
    }
}

fn hash(mut source: PipeReader, flow: Flow) -> Option<Sum> {
    let mut hasher = Hasher::new(flow.diff_id);
    let mut length = 0;
    loop {
        let bytes = source.fill_buf().ok()?;
        if bytes.is_empty() {
            return Some((hasher.finish(), length));
        }
        hasher.update(bytes);
        let count = bytes.len();
        length += count as u64;
        source.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, Limits, Passed, Stopped, Turns, pass};
    use crate::Hasher;
    use spec::image::Algorithm;
    use std::io::{self, Read, Write};

    const FLOW: Flow = Flow {
        digest: Algorithm::Sha256,
        diff_id: Algorithm::Sha256,
        limits: Limits { bytes: 1 << 30, entries: 0, ratio: 200, folders: 0 },
    };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn pass_all(
        source: impl Read + Send,
        flow: Flow,
    ) -> Result<Passed<Vec<u8>>, Stopped<io::Error>> {
        let consume = |mut reader: super::PipeReader| {
            let mut all = Vec::new();
            reader.read_to_end(&mut all)?;
            Ok(all)
        };
        pass(source, flow, &Turns::default(), consume, |_| false)
    }

    /// Longer than all buffers together.
    fn long() -> Vec<u8> {
        (0..1_500_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn both_digests_are_of_all_bytes() {
        let text = long();
        for source in [gzip(&text), zstd::encode_all(&text[..], 1).unwrap(), text.clone()] {
            let passed = pass_all(&source[..], FLOW).unwrap();
            assert_eq!(passed.digest, Hasher::of(Algorithm::Sha256, &source));
            assert_eq!(passed.diff_id, Hasher::of(Algorithm::Sha256, &text));
            assert_eq!((passed.compressed, passed.size), (source.len() as u64, text.len() as u64));
            assert!(passed.result == text);
        }
        assert_eq!(pass_all(&b""[..], FLOW).unwrap().size, 0);
    }

    #[test]
    fn a_damaged_source_is_hashed_to_its_end() {
        let mut source = gzip(&long());
        source[5000] ^= 1;
        let expected = Hasher::of(Algorithm::Sha256, &source);
        let stopped = pass_all(&source[..], FLOW).unwrap_err();
        assert!(matches!(stopped, Stopped::Inflate(_, Some(digest)) if digest == expected));
    }

    #[test]
    fn a_source_that_fails_is_named_before_what_follows_from_it() {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::ConnectionReset)?;
                buffer.fill(0);
                Ok(buffer.len())
            }
        }
        let Stopped::Source(error) = pass_all(Failing(3), FLOW).unwrap_err() else { panic!() };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_consumer_that_fails_stops_the_reading_if_that_is_final() {
        let endless = || io::repeat(1);
        let failed =
            pass(endless(), FLOW, &Turns::default(), |_| Err::<(), _>("disk full"), |_| true);
        assert!(matches!(failed, Err(Stopped::Consumer("disk full", None))));
        let text = long();
        let failed =
            pass(&text[..], FLOW, &Turns::default(), |_| Err::<(), _>("no tar"), |_| false);
        let expected = Hasher::of(Algorithm::Sha256, &text);
        assert!(
            matches!(failed, Err(Stopped::Consumer("no tar", Some(digest))) if digest == expected)
        );
    }

    #[test]
    fn a_bomb_is_stopped() {
        let limits = Limits { bytes: 10_000_000, ..FLOW.limits };
        let bomb = zstd::encode_all(&vec![0; 20_000_000][..], 1).unwrap();
        let Err(Stopped::Inflate(error, _)) = pass_all(&bomb[..], Flow { limits, ..FLOW }) else {
            panic!()
        };
        assert!(error.to_string().contains("10000000 bytes"), "{error}");
    }
}
