//! What else a program needs to be executed: the interpreter of a script, the loader of a
//! dynamic executable. Reads files that may be anybody's.

use crate::sys::{self, Buffer, Descriptor};

/// The longest interpreter's name with its NUL; the kernel takes no more of a script's first line.
pub const LONGEST: usize = 256;

/// So many bytes of a file, zeros behind its end.
pub type Part = [u8; LONGEST];

/// Writes the interpreter that the file names, if it is a script or an executable that needs
/// one, into `name`; whether there is one.
#[must_use]
pub fn of(fd: Descriptor, name: &mut Buffer<'_>) -> bool {
    find(|part, offset| sys::pread(fd, part, offset), name)
}

/// The same for anything that can be read from.
#[must_use]
#[inline]
pub fn find(mut read_into: impl FnMut(&mut Part, u64), name: &mut Buffer<'_>) -> bool {
    const PT_INTERP: u32 = 3;
    let mut part = [0; LONGEST];
    let mut read = |part: &mut Part, offset| {
        *part = [0; LONGEST];
        read_into(part, offset);
    };
    read(&mut part, 0);
    let magic = number(&part, 0) as u32;
    if magic as u16 == u16::from_le_bytes(*b"#!") {
        return named(&part[2..], name);
    }
    // elf(5), little-endian: where the program headers begin, and there where their content does.
    // The 32-bit form has 32 bits for such places.
    if magic != u32::from_le_bytes(*b"\x7fELF") || part[5] != 1 {
        return false;
    }
    let wide = part[4] == 2;
    let place = |part: &Part, wide_at, narrow_at| {
        if wide { number(part, wide_at) } else { number(part, narrow_at) & u64::from(u32::MAX) }
    };
    let mut header_at = place(&part, 32, 28);
    // Their size and their count, 16 bits each.
    let sizes = number(&part, if wide { 54 } else { 42 });
    let mut left = sizes >> 16 & 0xffff;
    while left != 0 {
        read(&mut part, header_at);
        if number(&part, 0) as u32 == PT_INTERP {
            let name_at = place(&part, 8, 4);
            read(&mut part, name_at);
            return named(&part, name);
        }
        header_at = header_at.wrapping_add(sizes & 0xffff);
        left -= 1;
    }
    false
}

fn number(part: &Part, at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&part[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// The first word, if it is a full path that ends in time.
#[inline(never)]
fn named(line: &[u8], name: &mut Buffer<'_>) -> bool {
    name.shorten(0);
    for byte in line {
        if *byte > b' ' {
            name.push(*byte);
        } else if name.length() > 0 || !matches!(byte, b' ' | b'\t') {
            return name.text().first() == b'/';
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::find;

    fn of(file: &[u8]) -> Option<std::string::String> {
        let mut room = crate::sys::room::<{ super::LONGEST }>();
        let mut name = super::Buffer::over(&mut room);
        let read = |buffer: &mut super::Part, offset: u64| {
            let rest =
                file.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
        };
        let found = find(read, &mut name);
        found.then(|| std::str::from_utf8(name.bytes()).unwrap().into())
    }

    #[test]
    fn scripts() {
        assert_eq!(of(b"#!/bin/sh\n").as_deref(), Some("/bin/sh"));
        assert_eq!(of(b"#! \t/usr/bin/env python3\n").as_deref(), Some("/usr/bin/env"));
        assert_eq!(of(b"#!/bin/sh").as_deref(), Some("/bin/sh"));
        for none in [&b"#!\n/bin/sh"[..], b"#!sh\n", b"", b"#", b"#!", b"plain text"] {
            assert_eq!(of(none), None, "{none:?}");
        }
        assert_eq!(
            of(&[b"#!/".as_slice(), &[b'a'; 300]].concat()),
            None,
            "longer than the kernel takes"
        );
    }

    #[test]
    fn a_real_dynamic_executable() {
        let shell = std::fs::read("/bin/sh").unwrap();
        assert!(of(&shell).is_some_and(|path| path.starts_with("/lib")), "{:?}", of(&shell));
    }

    #[test]
    fn a_header_cut_short_at_any_byte_is_no_interpreter_and_no_panic() {
        let shell = std::fs::read("/bin/sh").unwrap();
        for length in 0..600 {
            let _ = of(&shell[..length]);
        }
        let mut wild = shell[..64].to_vec();
        wild[32..40].fill(0xff);
        wild[54..58].fill(0xff);
        assert_eq!(of(&wild), None, "headers beyond the end of any file");
    }
}
