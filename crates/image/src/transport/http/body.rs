//! The body of a response.

use super::{Framing, Head, HttpError, SLOWEST, Timeouts};
use crate::transport::pool::Lease;
use std::io::{self, BufRead, BufReader, Read};
use std::time::{Duration, Instant};

/// The longest line before a chunk: its length, and extensions that nobody uses.
const CHUNK_LINE_LIMIT: u64 = 1024;

/// All that may follow the last chunk.
const TRAILER_LIMIT: u64 = 16 * 1024;

/// What is skipped of a body that nobody wants, to keep the connection.
const SKIPPED: u64 = 64 * 1024;

/// Reads a body up to its end. A body that ends early is an error, not an end. When it was read
/// completely, the connection goes back to the pool.
#[derive(Debug)]
pub struct Body {
    /// Gone when the end was reached.
    connection: Option<BufReader<Lease>>,
    framing: Framing,
    /// Bytes left of the body, or of the current chunk.
    left: u64,
    /// Whether the first chunk has begun: a later one has the end of line of the one before.
    is_within_chunks: bool,
    keeps_alive: bool,
    pace: Pace,
}

impl Body {
    /// The body that follows `head` on this connection.
    ///
    /// # Errors
    /// The head contradicts itself.
    pub(crate) fn new(
        connection: BufReader<Lease>,
        head: &Head,
        to_head: bool,
        timeouts: &Timeouts,
    ) -> Result<Body, HttpError> {
        let framing = head.framing(to_head)?;
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        let mut body = Body {
            connection: Some(connection),
            framing,
            left,
            is_within_chunks: false,
            keeps_alive: head.keeps_alive() && framing != Framing::UntilClose,
            pace: Pace::new(timeouts.stall),
        };
        if matches!(framing, Framing::None | Framing::Length(0)) {
            body.finish();
        }
        Ok(body)
    }

    /// The whole body.
    ///
    /// # Errors
    /// It is longer than `limit` (`FileTooLarge`), ends early, or the connection fails.
    pub fn read_all(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        if self.left > limit {
            return Err(too_large(limit));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.left).unwrap_or(0));
        self.by_ref().take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
    }

    /// Reads what is left if that is little, so that the connection can be used again.
    pub fn skip(mut self) {
        // A failure only costs the connection.
        let _ = io::copy(&mut self.by_ref().take(SKIPPED), &mut io::sink());
    }

    fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.keeps_alive
            // Bytes that nobody asked for: the server has another idea of where the body ends.
            && connection.buffer().is_empty()
        {
            connection.into_inner().give_back();
        }
    }

    fn read_length(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.read_part(buffer)?;
        if self.left == 0 {
            self.finish();
        }
        Ok(count)
    }

    /// Up to `left` bytes; none is an error, as more were announced.
    fn read_part(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(connection) = &mut self.connection else { return Ok(0) };
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = connection.read(&mut buffer[..wanted])?;
        if count == 0 {
            let text = format!("the body ends {} bytes early", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.left -= count as u64;
        Ok(count)
    }

    fn read_chunked(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.left = self.next_chunk()?;
        }
        if self.left == 0 {
            self.skip_trailers()?;
            self.finish();
            return Ok(0);
        }
        self.read_part(buffer)
    }

    /// The length of the next chunk, 0 for the last one.
    fn next_chunk(&mut self) -> io::Result<u64> {
        if std::mem::replace(&mut self.is_within_chunks, true) && !self.line(2)?.is_empty() {
            return Err(bad_chunk());
        }
        let line = self.line(CHUNK_LINE_LIMIT)?;
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let text = str::from_utf8(digits).ok().filter(|_| is_hex).ok_or_else(bad_chunk)?;
        u64::from_str_radix(text, 16).map_err(|_| bad_chunk())
    }

    fn skip_trailers(&mut self) -> io::Result<()> {
        let mut left = TRAILER_LIMIT;
        loop {
            let line = self.line(left)?;
            if line.is_empty() {
                return Ok(());
            }
            left = left.saturating_sub(line.len() as u64 + 2);
        }
    }

    /// One line without its end, of at most `limit` bytes with it.
    fn line(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        let mut line = Vec::new();
        connection.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            let is_end = (line.len() as u64) < limit.saturating_sub(1);
            return Err(if is_end { io::ErrorKind::UnexpectedEof.into() } else { bad_chunk() });
        }
        line.pop_if(|byte| *byte == b'\r');
        Ok(line)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.connection.is_none() || buffer.is_empty() {
            return Ok(0);
        }
        let count = match self.framing {
            Framing::None => Ok(0),
            Framing::Length(_) => self.read_length(buffer),
            Framing::Chunked => self.read_chunked(buffer),
            Framing::UntilClose => self.connection.as_mut().map_or(Ok(0), |it| it.read(buffer)),
        };
        let count = count.map_err(|error| self.pace.explain(error))?;
        self.pace.check(count)?;
        Ok(count)
    }
}

/// Whether bytes come fast enough to be worth the wait.
#[derive(Debug)]
struct Pace {
    window: Duration,
    since: Instant,
    bytes: u64,
}

impl Pace {
    fn new(window: Duration) -> Pace {
        Pace { window, since: Instant::now(), bytes: 0 }
    }

    fn check(&mut self, count: usize) -> io::Result<()> {
        self.bytes += count as u64;
        // The clock is asked only as long as too little came.
        if self.bytes >= SLOWEST {
            (self.since, self.bytes) = (Instant::now(), 0);
        } else if count > 0 && self.since.elapsed() > self.window {
            return Err(self.explain(io::ErrorKind::TimedOut.into()));
        }
        Ok(())
    }

    /// A time-out of the socket as what it means.
    fn explain(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                let text = format!("nothing came for {} s", self.window.as_secs());
                io::Error::new(io::ErrorKind::TimedOut, text)
            }
            _ => error,
        }
    }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("the body is longer than {limit} bytes"))
}

fn bad_chunk() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the chunks of the body are malformed")
}
