//! A list of devices means the same as a program of v2, as operations of v1, and by itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kernel::cgroup::fuzzing::devices(input));
