//! Chunks on their way to another thread.

use super::pool::Chunk;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The end where chunks go in. Dropped without [`PipeWriter::end`], it makes the reader fail: a
/// stream that broke off must not look like a short one.
pub(super) struct PipeWriter(Sender<Option<Chunk>>);

/// The end where they come out.
pub struct PipeReader {
    chunks: Receiver<Option<Chunk>>,
    current: Option<Chunk>,
    used: usize,
    ended: bool,
    consumed: Arc<AtomicU64>,
}

/// A pipe. How many chunks it holds is bounded by how many the pool has.
pub(super) fn pipe() -> (PipeWriter, PipeReader) {
    let (writer, chunks) = channel();
    let consumed = Arc::default();
    (PipeWriter(writer), PipeReader { chunks, current: None, used: 0, ended: false, consumed })
}

impl PipeWriter {
    /// Hands over a chunk; false if nobody reads any more.
    pub(super) fn send(&self, chunk: Chunk) -> bool {
        self.0.send(Some(chunk)).is_ok()
    }

    /// Says that all has been sent.
    pub(super) fn end(self) {
        // If nobody reads any more, nobody misses it.
        let _ = self.0.send(None);
    }
}

impl PipeReader {
    /// How many bytes were read so far, to be asked by another thread.
    pub(super) fn consumed(&self) -> Arc<AtomicU64> {
        self.consumed.clone()
    }
}

impl BufRead for PipeReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while !self.ended && self.current.as_ref().is_none_or(|chunk| self.used == chunk.len()) {
            // Given back first: there may be no other buffer left.
            self.current = None;
            self.used = 0;
            match self.chunks.recv() {
                Ok(Some(chunk)) => self.current = Some(chunk),
                Ok(None) => self.ended = true,
                Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(self.current.as_ref().map_or(&[], |chunk| &chunk[self.used..]))
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pool::Pool;
    use super::{PipeWriter, pipe};
    use std::io::Read;

    fn send(writer: &PipeWriter, pool: &Pool, text: &[u8]) -> bool {
        let mut buffer = pool.take();
        buffer.room()[..text.len()].copy_from_slice(text);
        buffer.advance(text.len());
        writer.send(buffer.share())
    }

    #[test]
    fn what_goes_in_comes_out_through_one_buffer() {
        let pool = Pool::new(1, 8);
        let (writer, mut reader) = pipe();
        let sending = std::thread::spawn(move || {
            for text in [&b"ab"[..], b"", b"cde"] {
                assert!(send(&writer, &pool, text));
            }
            writer.end();
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        sending.join().unwrap();
        assert_eq!(text, "abcde");
    }

    #[test]
    fn what_breaks_off_is_no_end() {
        let pool = Pool::new(1, 8);
        let (writer, mut reader) = pipe();
        assert!(send(&writer, &pool, b"ab"));
        drop(writer);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
        let (writer, reader) = pipe();
        drop(reader);
        assert!(!send(&writer, &pool, b"ab"));
    }
}
