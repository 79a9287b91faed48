//! The maps of sparse files: which parts the archive holds.

use super::Problem;
use super::numbers::{decimal, unsigned};

/// A part of a sparse file that the archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// More parts than any real file has, and no more than 4 MiB of memory.
const MOST_FRAGMENTS: usize = 1 << 18;

/// Adds a part if it is behind all others.
pub(super) fn push(map: &mut Vec<Fragment>, fragment: Fragment) -> Result<(), Problem> {
    let end = map.last().map_or(0, |last| last.offset + last.length);
    let fits = fragment.offset >= end && fragment.offset.checked_add(fragment.length).is_some();
    if !fits || map.len() == MOST_FRAGMENTS {
        return Err(Problem::SparseMap);
    }
    map.push(fragment);
    Ok(())
}

/// `OFFSET,LENGTH,OFFSET,LENGTH...`
pub(super) fn from_commas(text: &[u8]) -> Result<Vec<Fragment>, Problem> {
    let mut numbers = text.split(|byte| *byte == b',').map(decimal);
    let mut map = Vec::new();
    while let Some(offset) = numbers.next() {
        let (Some(offset), Some(Some(length))) = (offset, numbers.next()) else {
            return Err(Problem::SparseMap);
        };
        push(&mut map, Fragment { offset, length })?;
    }
    Ok(map)
}

/// Pairs of fields of 12 bytes, as old GNU headers have them; an empty one ends them.
pub(super) fn from_fields(map: &mut Vec<Fragment>, fields: &[u8]) -> Result<(), Problem> {
    for pair in fields.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let (offset, length) = pair.split_at(12);
        let offset = unsigned(offset).ok_or(Problem::SparseMap)?;
        let length = unsigned(length).ok_or(Problem::SparseMap)?;
        push(map, Fragment { offset, length })?;
    }
    Ok(())
}

/// Version 1.0: lines of numbers before the data, fed in blocks until they are complete.
#[derive(Default)]
pub(super) struct Lines {
    map: Vec<Fragment>,
    /// How many parts there will be, when that is known.
    count: Option<u64>,
    offset: Option<u64>,
    /// The digits of a line that goes on in the next block.
    digits: Vec<u8>,
}

impl Lines {
    /// Takes in a block. The map, if it ends there; what follows in the block is padding.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Option<Vec<Fragment>>, Problem> {
        for byte in block {
            if *byte != b'\n' {
                self.digits.push(*byte);
                if self.digits.len() > 20 {
                    return Err(Problem::SparseMap);
                }
                continue;
            }
            let number = decimal(&self.digits).ok_or(Problem::SparseMap)?;
            self.digits.clear();
            self.number(number)?;
            if self.count == Some(self.map.len() as u64) {
                return Ok(Some(std::mem::take(&mut self.map)));
            }
        }
        Ok(None)
    }

    fn number(&mut self, number: u64) -> Result<(), Problem> {
        if self.count.is_none() {
            self.count = Some(number);
        } else if let Some(offset) = self.offset.take() {
            push(&mut self.map, Fragment { offset, length: number })?;
        } else {
            self.offset = Some(number);
        }
        Ok(())
    }
}

/// Whether a map is of a file of `size` bytes, of which the archive holds `stored`.
pub(super) fn fits(map: &[Fragment], size: u64, stored: u64) -> bool {
    let end = map.last().map_or(0, |last| last.offset + last.length);
    // The parts do not overlap and end within 64 bits, so neither does their sum overflow.
    end <= size && map.iter().map(|fragment| fragment.length).sum::<u64>() == stored
}

#[cfg(test)]
mod tests {
    use super::{Fragment, Lines, fits, from_commas, push};
    use crate::tar::Problem;

    #[test]
    fn parts_are_in_order_and_end() {
        let mut map = vec![Fragment { offset: 0, length: 10 }];
        assert_eq!(push(&mut map, Fragment { offset: 9, length: 1 }), Err(Problem::SparseMap));
        let endless = Fragment { offset: 10, length: u64::MAX };
        assert_eq!(push(&mut map, endless), Err(Problem::SparseMap));
        assert_eq!(push(&mut map, Fragment { offset: 10, length: 0 }), Ok(()));
        assert!(fits(&map, 10, 10) && !fits(&map, 9, 10) && !fits(&map, 10, 9));
        assert!(from_commas(b"1,2,3").is_err());
        assert!(from_commas(b"").is_err());
    }

    #[test]
    fn lines_may_be_cut_anywhere() {
        let expected = vec![Fragment { offset: 1, length: 2 }, Fragment { offset: 30, length: 4 }];
        let text = b"2\n1\n2\n30\n4\n\0\0\0";
        for cut in 0..10 {
            let mut lines = Lines::default();
            assert_eq!(lines.read(&text[..cut]), Ok(None));
            assert_eq!(lines.read(&text[cut..]).unwrap(), Some(expected.clone()), "{cut}");
        }
        assert_eq!(Lines::default().read(b"0\n"), Ok(Some(vec![])));
        assert!(Lines::default().read(b"-1\n").is_err());
        assert!(Lines::default().read(&[b'1'; 21]).is_err());
    }
}
