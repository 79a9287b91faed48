//! Manifests, indexes and configurations: what is taken is taken again as it is written.
#![no_main]

use image::pull::Machine;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use spec::image::{ImageConfig, Index, Manifest};
use std::fmt::Debug;

fuzz_target!(|text: &[u8]| {
    if let Some(manifest) = both_ways::<Manifest>(text) {
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            // It becomes the name of a file.
            let hex = blob.digest.hex();
            assert!(hex.len() >= 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hex}");
        }
    }
    if let Some(index) = both_ways::<Index>(text) {
        let _ = Machine::own().choose(&index.manifests);
    }
    if let Some(config) = both_ways::<ImageConfig>(text) {
        let _ = config.created.as_deref().and_then(image::time::parse);
    }
});

fn both_ways<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(text).ok()?;
    let written = serde_json::to_vec(&value).unwrap();
    assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), value);
    Some(value)
}
