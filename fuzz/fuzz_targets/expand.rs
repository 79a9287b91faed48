//! `--expand-env`: no panic, nothing beyond its memory, and what has no dollar stays as it is.
#![no_main]

use fuzz::List;
use libfuzzer_sys::fuzz_target;
use tino::expand::expand;
use tino::sys::{Buffer, room};

fuzz_target!(|input: &[u8]| {
    let mut list = List::new(input);
    let list = list.texts();
    let Some(text) = list.get(0) else { return };
    let before = text.bytes().to_vec();
    let mut room = room::<1000>();
    let expanded = expand(text, list.from(1), Buffer::over(&mut room));
    assert_eq!(text.bytes(), before, "it was cut, and not joined again");
    if let Some(out) = &expanded {
        assert!(out.length() < 999 && !out.bytes().contains(&0));
    }
    if !before.contains(&b'$') && before.len() < 999 {
        assert_eq!(expanded.expect("there is nothing to expand").bytes(), before);
    }
});
