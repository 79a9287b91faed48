//! A profile, compiled and run on calls near its rules: it answers what the profile means.
#![no_main]

use kernel::seccomp::{compile, model};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (calls, profile) = input.split_at(input.len().min(64));
    let profile = model::profile(profile);
    let Ok(program) = compile(&profile) else { return };
    model::with(&profile, |model| {
        for call in model::calls(&profile, calls) {
            let answer = model::run(program.instructions(), &call).answer;
            let expected = model.answers(&call);
            assert!(expected.contains(&answer), "{answer:#x} not in {expected:x?}: {call:x?}");
        }
    });
});
