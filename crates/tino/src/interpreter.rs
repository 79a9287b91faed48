//! What else a program needs to be executed: the interpreter of a script, the loader of a
//! dynamic executable. Reads files that may be anybody's.

use crate::sys::{self, Buffer, Descriptor};

/// The longest interpreter's name with its NUL; the kernel takes no more of a script's first line.
pub const LONGEST: usize = 256;

/// Reads into the buffer from an offset on. What cannot be read stays as it is.
pub type Read<'a> = &'a mut dyn FnMut(&mut [u8], u64);

/// Writes the interpreter that the file names, if it is a script or an executable that needs
/// one, into `name`; whether there is one.
#[must_use]
pub fn of(fd: Descriptor, name: &mut Buffer<'_>) -> bool {
    find(
        &mut |buffer, offset| {
            let _stays_zero = sys::pread(fd, buffer, offset);
        },
        name,
    )
}

/// The same for anything that can be read from.
#[must_use]
pub fn find(read: Read<'_>, name: &mut Buffer<'_>) -> bool {
    const PT_INTERP: u64 = 3;
    let mut head = [0; LONGEST];
    read(&mut head, 0);
    if let [b'#', b'!', line @ ..] = &head {
        return named(line, name);
    }
    // elf(5), little-endian. The offset and size of each field differ between the 64-bit and the
    // 32-bit form.
    let [0x7f, b'E', b'L', b'F', class, 1, ..] = head else { return false };
    let wide = class == 2;
    let pick = |from: &[u8], wide_at, narrow_at, wide_size, narrow_size| {
        if wide { field(from, wide_at, wide_size) } else { field(from, narrow_at, narrow_size) }
    };
    let mut header_at = pick(&head, 32, 28, 8, 4);
    let size = pick(&head, 54, 42, 2, 2);
    for _ in 0..pick(&head, 56, 44, 2, 2) {
        let mut header = [0; 56];
        read(&mut header, header_at);
        if field(&header, 0, 4) == PT_INTERP {
            head = [0; LONGEST];
            read(&mut head, pick(&header, 8, 4, 8, 4));
            return named(&head, name);
        }
        header_at = header_at.wrapping_add(size);
    }
    false
}

fn field(bytes: &[u8], offset: usize, size: usize) -> u64 {
    let bytes = bytes.get(offset..offset + size).unwrap_or_default();
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The first word, if it is a full path that ends in time.
#[inline(never)]
fn named(line: &[u8], name: &mut Buffer<'_>) -> bool {
    name.clear();
    for byte in line {
        let blank = matches!(byte, b' ' | b'\t');
        if blank && name.bytes().is_empty() {
            continue;
        }
        if blank || matches!(byte, b'\r' | b'\n' | 0) {
            return name.text().first() == b'/';
        }
        name.push(*byte);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::find;

    fn of(file: &[u8]) -> Option<std::string::String> {
        let mut memory = [0; super::LONGEST];
        let mut name = super::Buffer::over(&mut memory);
        let mut read = |buffer: &mut [u8], offset: u64| {
            let rest =
                file.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
        };
        let found = find(&mut read, &mut name);
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
