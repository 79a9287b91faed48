//! A message of D-Bus is read, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kernel::cgroup::fuzzing::message(input));
