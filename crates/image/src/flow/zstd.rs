//! All frames of a zstd stream (RFC 8878). What each demands is looked at before it gets it.

use super::turns::{LONGEST_WINDOW, SMALL_WINDOW, Turn, Turns};
use std::io::{self, BufRead, Read};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

/// A stream that inflates another.
pub struct Zstd<'a, Source> {
    source: Source,
    context: DCtx<'static>,
    turns: &'a Turns,
    /// Kept until the end: the library keeps the memory, too.
    turn: Option<Turn<'a>>,
    /// The beginning of the frame, as long as it takes to know its window.
    header: Vec<u8>,
    /// How much of it was inflated. Anything else follows in the source.
    used: usize,
    is_in_frame: bool,
}

impl<'a, Source: BufRead> Zstd<'a, Source> {
    pub(super) fn new(source: Source, turns: &'a Turns) -> io::Result<Zstd<'a, Source>> {
        let mut context = DCtx::create();
        let longest = DParameter::WindowLogMax(LONGEST_WINDOW.ilog2());
        context.set_parameter(longest).map_err(failed)?;
        let (header, used, is_in_frame) = (Vec::new(), 0, false);
        Ok(Zstd { source, context, turns, turn: None, header, used, is_in_frame })
    }

    /// Reads the beginning of the next frame; false if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        self.header.clear();
        self.used = 0;
        let window = loop {
            if let Some(window) = window(&self.header) {
                break window;
            }
            match self.source.fill_buf()?.first() {
                Some(byte) => self.header.push(*byte),
                None if self.header.is_empty() => return Ok(false),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            self.source.consume(1);
        };
        if window > LONGEST_WINDOW {
            let (window, most) = (window >> 20, LONGEST_WINDOW >> 20);
            let message =
                format!("it takes {window} MiB of memory to inflate; at most {most} are spent");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        if window > SMALL_WINDOW && self.turn.is_none() {
            self.turn = Some(self.turns.wait());
        }
        self.is_in_frame = true;
        Ok(true)
    }

    /// Inflates what is at hand: how many bytes came out, or none if more must come in.
    fn step(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_header = self.used < self.header.len();
        let bytes = if is_header { &self.header[self.used..] } else { self.source.fill_buf()? };
        let is_end = bytes.is_empty();
        let (mut input, mut output) = (InBuffer::around(bytes), OutBuffer::around(buffer));
        let missing = self.context.decompress_stream(&mut output, &mut input).map_err(failed)?;
        let (read, written) = (input.pos(), output.pos());
        if is_header {
            self.used += read;
        } else {
            self.source.consume(read);
        }
        self.is_in_frame = missing > 0;
        if is_end && written == 0 && self.is_in_frame {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(written)
    }
}

impl<Source: BufRead> Read for Zstd<'_, Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() && (self.is_in_frame || self.begin()?) {
            let count = self.step(buffer)?;
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, get_error_name(code))
}

/// The window that a frame demands, from its beginning; none if that is too short to know. Of what
/// is no frame at all, or one to be skipped, it is 0.
fn window(header: &[u8]) -> Option<u64> {
    let (magic, header) = header.split_at_checked(4)?;
    if magic != [0x28, 0xb5, 0x2f, 0xfd] {
        return Some(0);
    }
    let (descriptor, header) = header.split_first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let (exponent, mantissa) = (header.first()? >> 3, header.first()? & 7);
        let base = 1_u64 << (10 + exponent);
        return Some(base + base / 8 * u64::from(mantissa));
    }
    // All of its contents, whose size follows the number of the dictionary.
    let skipped = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let mut size = [0; 8];
    size[..length].copy_from_slice(header.get(skipped..skipped + length)?);
    Some(u64::from_le_bytes(size))
}
