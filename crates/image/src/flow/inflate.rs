//! From a compressed layer to its tar archive. The first bytes decide how it is compressed: what
//! media types say is not always so.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, Read};

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, in one or more members.
    Gzip,
    /// RFC 8878, in one or more frames.
    Zstd,
}

/// The longest window that a zstd frame may demand, as a power of two: what its programs take
/// without being told. It bounds the memory that a layer can make us use.
const LONGEST_WINDOW: u32 = 27;

impl Compression {
    /// From the first bytes of a stream.
    ///
    /// # Errors
    /// They are those of a format that no layer may have.
    pub fn of(beginning: &[u8]) -> io::Result<Compression> {
        let unsupported = |name: &str| {
            let message = format!("compressed by {name}; layers can be gzip, zstd or plain tar");
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        };
        match beginning {
            [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Ok(Compression::Zstd)
            }
            [b'B', b'Z', b'h', ..] => unsupported("bzip2"),
            [0xfd, b'7', b'z', b'X', ..] => unsupported("xz"),
            _ => Ok(Compression::None),
        }
    }
}

/// A stream that inflates another.
pub enum Inflate<Source: BufRead> {
    /// As it is.
    Plain(Source),
    /// All members of it.
    Gzip(Box<MultiGzDecoder<Source>>),
    /// All frames of it.
    Zstd(Box<zstd::Decoder<'static, Source>>),
}

impl<Source: BufRead> Inflate<Source> {
    /// The source must have its first bytes together.
    ///
    /// # Errors
    /// It cannot be read, or is compressed in an unknown way.
    pub fn new(mut source: Source) -> io::Result<Inflate<Source>> {
        match Compression::of(source.fill_buf()?)? {
            Compression::None => Ok(Inflate::Plain(source)),
            Compression::Gzip => Ok(Inflate::Gzip(Box::new(MultiGzDecoder::new(source)))),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(source)?;
                decoder.window_log_max(LONGEST_WINDOW)?;
                Ok(Inflate::Zstd(Box::new(decoder)))
            }
        }
    }
}

impl<Source: BufRead> Read for Inflate<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Inflate::Plain(source) => source.read(buffer),
            Inflate::Gzip(decoder) => decoder.read(buffer),
            Inflate::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Compression, Inflate};
    use std::io::{Read, Write};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn inflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut inflated = Vec::new();
        Inflate::new(bytes)?.read_to_end(&mut inflated)?;
        Ok(inflated)
    }

    #[test]
    fn all_members_and_frames_are_read() {
        let text = b"0123456789".repeat(1000);
        for compress in [gzip, zstd] {
            let twice = [compress(&text[..300]), compress(b""), compress(&text[300..])].concat();
            assert_eq!(inflate(&twice).unwrap(), text);
        }
        assert_eq!(inflate(&text).unwrap(), text);
        assert_eq!(inflate(b"").unwrap(), b"");
        // A frame for something else, which readers skip.
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2][..], &zstd(&text)].concat();
        assert_eq!(inflate(&skipped).unwrap(), text);
    }

    #[test]
    fn what_is_cut_damaged_or_longer_is_an_error() {
        let text: Vec<u8> =
            (0..5000_u32).flat_map(|number| (number * number).to_le_bytes()).collect();
        for compress in [gzip, zstd] {
            let whole = compress(&text);
            for length in [whole.len() - 1, whole.len() - 9, whole.len() / 2, 12] {
                assert!(inflate(&whole[..length]).is_err(), "{length}");
            }
            assert!(inflate(&[&whole[..], b"garbage"].concat()).is_err());
        }
        let mut damaged = gzip(&text);
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        assert!(inflate(&damaged).is_err());
    }

    #[test]
    fn a_window_that_takes_too_much_memory_is_refused() {
        // A frame of one empty block, with a window of 128 or 256 MiB.
        let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3, 1, 0, 0];
        assert_eq!(inflate(&frame(27)).unwrap(), b"");
        assert!(inflate(&frame(28)).unwrap_err().to_string().contains("memory"));
    }

    #[test]
    fn unknown_compressions_are_named() {
        for (beginning, name) in [(&b"BZh91AY"[..], "bzip2"), (b"\xfd7zXZ\0", "xz")] {
            let error = Compression::of(beginning).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
