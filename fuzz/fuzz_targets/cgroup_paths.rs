//! Mounts, groups of processes and `cgroupsPath`: no path leads up.
#![no_main]

use kernel::cgroup::fuzzing;

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    let (mountinfo, text) = input;
    fuzzing::mounts(mountinfo, text);
    fuzzing::location(text);
});
