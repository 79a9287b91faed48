//! `--expand-env`: no panic, nothing beyond its memory, and what has no dollar stays as it is.
#![no_main]

use fuzz::List;
use libfuzzer_sys::fuzz_target;
use tino::expand::expand;
use tino::sys::Buffer;

fuzz_target!(|input: &[u8]| {
    let mut list = List::new(input);
    let list = list.texts();
    let Some(text) = list.get(0) else { return };
    let mut memory = [0xff; 1000];
    let mut out = Buffer::over(&mut memory);
    let mut rest = text;
    let done = expand(&mut rest, list.from(1), 0, &mut out, true);
    assert!(out.bytes().len() < 1000 && !out.bytes().contains(&0));
    let plain = text.bytes();
    if !plain.contains(&b'$') && plain.len() < 999 {
        assert!(done.is_some());
        assert_eq!(out.bytes(), plain);
    }
});
