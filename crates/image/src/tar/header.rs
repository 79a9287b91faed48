//! The block in front of each entry.

use super::{BLOCK, Problem, Time, numbers};
use std::ops::Range;

/// A header block whose checksum is right.
pub(super) struct Header<'a> {
    block: &'a [u8; BLOCK],
    dialect: Dialect,
}

/// Who made the header, which tells what its last third is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Before POSIX: nothing there.
    Old,
    /// POSIX: the beginning of a long name.
    Posix,
    /// Jörg Schilling's star: the beginning of a long name, and times.
    Star,
    /// GNU: times, and the map of a sparse file.
    Gnu,
}

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const USER: Range<usize> = 108..116;
const GROUP: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MODIFIED: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;
const STAR_PREFIX: Range<usize> = 345..476;
const STAR_MAGIC: Range<usize> = 508..512;
const GNU_SPARSE: Range<usize> = 386..482;
const GNU_SPARSE_GOES_ON: usize = 482;
const GNU_REAL_SIZE: Range<usize> = 483..495;

impl<'a> Header<'a> {
    /// Checks the sum, which is all that tells a header from anything else.
    pub(super) fn new(block: &'a [u8; BLOCK]) -> Result<Header<'a>, Problem> {
        let expected = numbers::field(&block[CHECKSUM]).ok_or(Problem::Checksum)?;
        let in_sum = |index: usize, byte: u8| if CHECKSUM.contains(&index) { b' ' } else { byte };
        let bytes = || block.iter().enumerate().map(|(index, byte)| in_sum(index, *byte));
        let unsigned: i128 = bytes().map(i128::from).sum();
        // Some old programs took bytes for signed.
        let signed: i128 = bytes().map(|byte| i128::from(byte.cast_signed())).sum();
        if expected != unsigned && expected != signed {
            return Err(Problem::Checksum);
        }
        Ok(Header { block, dialect: dialect(block) })
    }

    pub(super) fn type_byte(&self) -> u8 {
        self.block[TYPE]
    }

    pub(super) fn name(&self) -> Vec<u8> {
        let prefix = match self.dialect {
            Dialect::Posix => text(&self.block[PREFIX]),
            Dialect::Star => text(&self.block[STAR_PREFIX]),
            Dialect::Old | Dialect::Gnu => b"",
        };
        let name = text(&self.block[NAME]);
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn link(&self) -> &[u8] {
        text(&self.block[LINK])
    }

    pub(super) fn mode(&self) -> Result<u32, Problem> {
        let mode = numbers::field(&self.block[MODE]).ok_or(Problem::Number("mode"))?;
        // Some programs put the type of the file into the upper bits.
        Ok((mode & 0o7777) as u32)
    }

    pub(super) fn user(&self) -> Result<u64, Problem> {
        numbers::unsigned(&self.block[USER]).ok_or(Problem::Number("uid"))
    }

    pub(super) fn group(&self) -> Result<u64, Problem> {
        numbers::unsigned(&self.block[GROUP]).ok_or(Problem::Number("gid"))
    }

    /// How many bytes follow, for entries that have data.
    pub(super) fn size(&self) -> Result<u64, Problem> {
        numbers::unsigned(&self.block[SIZE]).ok_or(Problem::Number("size"))
    }

    pub(super) fn modified(&self) -> Result<Time, Problem> {
        let seconds = numbers::field(&self.block[MODIFIED]).and_then(|it| i64::try_from(it).ok());
        let seconds = seconds.ok_or(Problem::Number("mtime"))?;
        Ok(Time { seconds, nanoseconds: 0 })
    }

    /// The numbers of a device.
    pub(super) fn device(&self) -> Result<(u32, u32), Problem> {
        if self.dialect == Dialect::Old {
            return Ok((0, 0));
        }
        let number = |range: Range<usize>, what| {
            let value = numbers::unsigned(&self.block[range]).and_then(|it| it.try_into().ok());
            value.ok_or(Problem::Number(what))
        };
        Ok((number(MAJOR, "major device number")?, number(MINOR, "minor device number")?))
    }

    /// GNU's sparse files: the first fields of the map, whether more follow, the real size.
    pub(super) fn gnu_sparse(&self) -> Result<(&[u8], bool, u64), Problem> {
        if self.dialect != Dialect::Gnu {
            return Err(Problem::SparseMap);
        }
        let size = numbers::unsigned(&self.block[GNU_REAL_SIZE]).ok_or(Problem::SparseMap)?;
        Ok((&self.block[GNU_SPARSE], self.block[GNU_SPARSE_GOES_ON] != 0, size))
    }
}

fn dialect(block: &[u8; BLOCK]) -> Dialect {
    match &block[MAGIC] {
        b"ustar  \0" => Dialect::Gnu,
        magic if magic.starts_with(b"ustar\0") => {
            if block[STAR_MAGIC] == *b"tar\0" {
                Dialect::Star
            } else {
                Dialect::Posix
            }
        }
        _ => Dialect::Old,
    }
}

/// What is before the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
