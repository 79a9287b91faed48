//! Reads the program headers of a 64-bit little-endian ELF file (elf(5)).

use anyhow::{Context, Result, ensure};

pub(crate) const LOAD: u32 = 1;
pub(crate) const DYNAMIC: u32 = 2;
pub(crate) const INTERPRETER: u32 = 3;
pub(crate) const STACK: u32 = 0x6474_e551;

/// One program header: a part of the file as it will lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    /// 1 execute, 2 write, 4 read.
    pub(crate) flags: u32,
    pub(crate) file_bytes: u64,
    pub(crate) memory_bytes: u64,
}

impl Segment {
    pub(crate) fn is_executable(&self) -> bool {
        self.flags & 1 != 0
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.flags & 2 != 0
    }

    /// `r-x` and the like.
    pub(crate) fn permissions(&self) -> String {
        let letters = [(4, 'r'), (2, 'w'), (1, 'x')];
        letters
            .map(|(bit, letter)| if self.flags & bit != 0 { letter } else { '-' })
            .iter()
            .collect()
    }

    pub(crate) fn name(&self) -> String {
        match self.kind {
            LOAD => "LOAD".to_owned(),
            DYNAMIC => "DYNAMIC".to_owned(),
            INTERPRETER => "INTERP".to_owned(),
            STACK => "GNU_STACK".to_owned(),
            other => format!("{other:#x}"),
        }
    }
}

/// All segments of a file.
pub(crate) fn segments(file: &[u8]) -> Result<Vec<Segment>> {
    ensure!(file.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let start = usize::try_from(number(file, 32, 8)?)?;
    let size = usize::try_from(number(file, 54, 2)?)?;
    let count = usize::try_from(number(file, 56, 2)?)?;
    (0..count).map(|index| segment(file, start + index * size)).collect()
}

fn segment(file: &[u8], at: usize) -> Result<Segment> {
    Ok(Segment {
        kind: u32::try_from(number(file, at, 4)?)?,
        flags: u32::try_from(number(file, at + 4, 4)?)?,
        file_bytes: number(file, at + 32, 8)?,
        memory_bytes: number(file, at + 40, 8)?,
    })
}

fn number(file: &[u8], at: usize, length: usize) -> Result<u64> {
    let bytes = file.get(at..at + length).context("the ELF file is cut short")?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::{INTERPRETER, LOAD, segments};

    #[test]
    fn this_very_program_has_the_usual_segments() {
        let file = std::fs::read("/proc/self/exe").expect("/proc is mounted");
        let segments = segments(&file).expect("an ELF file");
        assert!(segments.iter().any(|it| it.kind == LOAD && it.permissions() == "r-x"));
        assert!(!segments.iter().any(|it| it.kind == INTERPRETER), "static, as all programs");
        assert!(!segments.iter().any(|it| it.is_writable() && it.is_executable()));
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(segments(b"#!/bin/sh\n").is_err());
        assert!(segments(b"\x7fELF\x02\x01\x01").is_err());
    }
}
