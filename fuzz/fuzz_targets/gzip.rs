//! Compressed layers: on their way through the threads they become what they become without, and
//! no more than the limits allow.
#![no_main]

use image::Hasher;
use image::flow::{Flow, Inflate, Limits, Turns, pass};
use libfuzzer_sys::fuzz_target;
use spec::image::Algorithm;
use std::io::Read;

const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 0, ratio: 200, folders: 1 << 20 };

fuzz_target!(|layer: &[u8]| {
    let flow = Flow { digest: Algorithm::Sha256, diff_id: Algorithm::Sha256, limits: LIMITS };
    let turns = Turns::default();
    let passed = pass(
        layer,
        flow,
        &turns,
        |mut reader| {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        },
        |_| true,
    );
    let mut expected = Vec::new();
    // One more than is allowed.
    let inflated = Inflate::new(layer, &turns)
        .and_then(|inflate| inflate.take(LIMITS.bytes + 1).read_to_end(&mut expected));
    match passed {
        Ok(passed) => {
            assert!(inflated.is_ok() && passed.result == expected);
            assert_eq!((passed.compressed, passed.size), (layer.len() as u64, expected.len() as u64));
            assert_eq!(passed.digest, Hasher::of(Algorithm::Sha256, layer));
            assert_eq!(passed.diff_id, Hasher::of(Algorithm::Sha256, &expected));
            assert!(passed.size <= LIMITS.bytes);
        }
        Err(_) => assert!(inflated.is_err() || expected.len() as u64 > LIMITS.bytes),
    }
});
