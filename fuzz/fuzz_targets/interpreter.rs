//! The head of a program's file, which may be anybody's: no panic, and what is found is a path
//! that fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tino::interpreter::{LONGEST, find};
use tino::sys::Buffer;

fuzz_target!(|file: &[u8]| {
    let mut memory = [0xff; LONGEST];
    let mut name = Buffer::over(&mut memory);
    let mut reads = 0;
    let mut read = |buffer: &mut [u8], offset: u64| {
        reads += 1;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = file.get(start..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
    };
    if find(&mut read, &mut name) {
        let name = name.bytes();
        assert!(name.starts_with(b"/") && name.len() < LONGEST && !name.contains(&0));
    }
    assert!(reads <= 0xffff + 2, "as many reads as there can be headers");
});
