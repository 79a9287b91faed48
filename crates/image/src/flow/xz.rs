//! All streams of an xz file.

use super::turns::{LONGEST_WINDOW, Turn, Turns};
use std::io::{self, BufRead, Read};
use xz4rust::{XzDecoder, XzError};

/// What it begins with; more if the file demands it.
const FIRST_WINDOW: usize = 64 << 10;

/// A stream that inflates another.
pub struct Xz<'a, Source> {
    source: Source,
    decoder: Box<XzDecoder<'static>>,
    /// How much it takes shows only on the way.
    _turn: Turn<'a>,
    is_in_stream: bool,
}

impl<'a, Source: BufRead> Xz<'a, Source> {
    pub(super) fn new(source: Source, turns: &'a Turns) -> Xz<'a, Source> {
        let longest = usize::try_from(LONGEST_WINDOW).unwrap_or(usize::MAX);
        let decoder = XzDecoder::in_heap_with_alloc_dict_size(FIRST_WINDOW, longest);
        Xz { source, decoder, _turn: turns.wait(), is_in_stream: true }
    }

    /// Goes on to the next stream, past the zeros in between; false if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.source.fill_buf()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let (is_end, is_next) = (bytes.is_empty(), zeros < bytes.len());
            self.source.consume(zeros);
            if is_end || is_next {
                self.decoder.reset();
                self.is_in_stream = is_next;
                return Ok(is_next);
            }
        }
    }
}

impl<Source: BufRead> Read for Xz<'_, Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() && (self.is_in_stream || self.begin()?) {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let result = self.decoder.decode(bytes, buffer).map_err(failed)?;
            self.source.consume(result.input_consumed());
            self.is_in_stream = !result.is_end_of_stream();
            if result.output_produced() > 0 {
                return Ok(result.output_produced());
            }
        }
        Ok(0)
    }
}

fn failed(error: XzError) -> io::Error {
    let message = match error {
        XzError::DictionaryTooLarge(size) => {
            let (size, most) = (size >> 20, LONGEST_WINDOW >> 20);
            format!("it takes {size} MiB of memory to inflate; at most {most} are spent")
        }
        error => format!("xz: {error}"),
    };
    io::Error::new(io::ErrorKind::InvalidData, message)
}
