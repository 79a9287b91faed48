//! What a child says to its parent, and the other way round, is understood, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| runtime::fuzzing::message(input));
