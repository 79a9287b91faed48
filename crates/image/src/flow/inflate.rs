//! From a compressed layer to its tar archive. The first bytes decide how it is compressed: what
//! media types say is not always so.

use super::turns::Turns;
use super::xz::Xz;
use super::zstd::Zstd;
use bzip2::bufread::MultiBzDecoder;
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
    /// In one or more streams.
    Xz,
    /// In one or more streams.
    Bzip2,
}

impl Compression {
    /// From the first bytes of a stream.
    pub fn of(beginning: &[u8]) -> Compression {
        match beginning {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Compression::Bzip2,
            _ => Compression::None,
        }
    }
}

/// A stream that inflates another.
pub enum Inflate<'a, Source: BufRead> {
    /// As it is.
    Plain(Source),
    /// All members of it.
    Gzip(Box<MultiGzDecoder<Source>>),
    /// All frames of it.
    Zstd(Box<Zstd<'a, Source>>),
    /// All streams of it.
    Xz(Box<Xz<'a, Source>>),
    /// All streams of it.
    Bzip2(Box<MultiBzDecoder<Source>>),
}

impl<'a, Source: BufRead> Inflate<'a, Source> {
    /// The source must have its first bytes together. What takes much memory waits for its turn.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(mut source: Source, turns: &'a Turns) -> io::Result<Inflate<'a, Source>> {
        Ok(match Compression::of(source.fill_buf()?) {
            Compression::None => Inflate::Plain(source),
            Compression::Gzip => Inflate::Gzip(Box::new(MultiGzDecoder::new(source))),
            Compression::Zstd => Inflate::Zstd(Box::new(Zstd::new(source, turns)?)),
            Compression::Xz => Inflate::Xz(Box::new(Xz::new(source, turns))),
            Compression::Bzip2 => Inflate::Bzip2(Box::new(MultiBzDecoder::new(source))),
        })
    }
}

impl<Source: BufRead> Read for Inflate<'_, Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Inflate::Plain(source) => source.read(buffer),
            Inflate::Gzip(decoder) => decoder.read(buffer),
            Inflate::Zstd(decoder) => decoder.read(buffer),
            Inflate::Xz(decoder) => decoder.read(buffer),
            Inflate::Bzip2(decoder) => decoder.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Compression, Inflate, Turns};
    use std::io::{Read, Write};
    use std::time::Duration;

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
        Inflate::new(bytes, &Turns::default())?.read_to_end(&mut inflated)?;
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

    /// A frame of one empty block, with a window of 2 to this power.
    fn frame(exponent: u8) -> [u8; 9] {
        [0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3, 1, 0, 0]
    }

    #[test]
    fn a_window_that_takes_too_much_memory_is_refused() {
        assert_eq!(inflate(&frame(27)).unwrap(), b"");
        assert!(inflate(&frame(28)).unwrap_err().to_string().contains("256 MiB of memory"));
        // The second frame is looked at, too, and one whose window is all of its contents.
        let second = [frame(20), frame(28)].concat();
        assert!(inflate(&second).unwrap_err().to_string().contains("256 MiB of memory"));
        let single = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x20, 1, 0, 0];
        assert!(inflate(&single).unwrap_err().to_string().contains("512 MiB of memory"));
    }

    /// What `xz` and `bzip2` make of `hello\n`, with CRC64 and with CRC32.
    const HELLO: [&[u8]; 2] = [
        b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x02\x00\x21\x01\x16\x00\x00\x00\
          t\x2f\xe5\xa3\x01\x00\x05hello\x0a\x00\x00\x00\xa5\x60\x97\xf1\
          \x94\xf6\xfd\xe0\x00\x01\x1e\x06\xc1\x2f\xa4\x1d\x1f\xb6\xf3\x7d\x01\x00\x00\x00\
          \x00\x04YZ",
        b"BZh91AY\x26SY\xc1\xc0\x80\xe2\x00\x00\x01A\x00\x00\
          \x10\x02D\xa0\x000\xcd\x00\xc3F\x29\x97\x17rE8P\x90\xc1\xc0\
          \x80\xe2",
    ];

    #[test]
    fn xz_and_bzip2_are_read_too() {
        // A byte of the contents, and one of their checksum.
        for (hello, index) in HELLO.into_iter().zip([29, 12]) {
            assert_eq!(inflate(hello).unwrap(), b"hello\n");
            assert_eq!(inflate(&[hello, hello].concat()).unwrap(), b"hello\nhello\n");
            for length in 7..hello.len() {
                assert!(inflate(&hello[..length]).is_err(), "{length}");
            }
            let mut damaged = hello.to_vec();
            damaged[index] ^= 1;
            assert!(inflate(&damaged).is_err());
            assert!(inflate(&[hello, b"garbage"].concat()).is_err());
        }
        // Zeros between streams and at the end.
        let padded = [HELLO[0], &[0; 4], HELLO[0], &[0; 8]].concat();
        assert_eq!(inflate(&padded).unwrap(), b"hello\nhello\n");
    }

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        assert_eq!(HELLO.map(Compression::of), [Compression::Xz, Compression::Bzip2]);
        assert_eq!(Compression::of(b"BZh"), Compression::None);
    }

    #[test]
    fn only_one_window_is_large_at_a_time() {
        // With windows of 8 and of 16 MiB: the second must wait.
        let turns = Turns::default();
        let turn = turns.wait();
        let read = |exponent: u8| {
            let bytes = frame(exponent);
            Inflate::new(&bytes[..], &turns).unwrap().read(&mut [0]).unwrap()
        };
        assert_eq!(read(23), 0);
        std::thread::scope(|scope| {
            let (sender, done) = std::sync::mpsc::channel();
            scope.spawn(move || sender.send(read(24)));
            assert!(done.recv_timeout(Duration::from_millis(50)).is_err());
            drop(turn);
            assert_eq!(done.recv().unwrap(), 0);
        });
    }
}
