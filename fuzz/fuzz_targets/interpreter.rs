//! The head of a program's file, which may be anybody's: no panic, and what is found is a path
//! that fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tino::interpreter::{LONGEST, Part, find};
use tino::sys::{Buffer, room};

fuzz_target!(|file: &[u8]| {
    let mut room = room::<LONGEST>();
    let mut name = Buffer::over(&mut room);
    let mut reads = 0;
    let read = |part: &mut Part, offset: u64| {
        reads += 1;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = file.get(start..).unwrap_or_default();
        let length = rest.len().min(part.len());
        part[..length].copy_from_slice(&rest[..length]);
    };
    if find(read, &mut name) {
        let name = name.bytes();
        assert!(name.starts_with(b"/") && name.len() < LONGEST && !name.contains(&0));
    }
    assert!(reads <= 0xffff + 2, "as many reads as there can be headers");
});
