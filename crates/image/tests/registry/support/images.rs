//! Images for the registries of the tests.

use super::fake::State;
use super::sha256;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image that can be put into a registry, as often as needed.
pub(crate) struct Built {
    pub(crate) manifest: Vec<u8>,
    config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
}

impl Built {
    /// An image of these archives, compressed here, for `linux/ARCHITECTURE`.
    pub(crate) fn new(architecture: &str, archives: &[Vec<u8>]) -> Built {
        let diff_ids: Vec<_> = archives.iter().map(|it| format!("\"{}\"", sha256(it))).collect();
        let config = format!(
            r#"{{"os": "linux", "architecture": "{architecture}", "rootfs": {{"type": "layers", "diff_ids": [{}]}}}}"#,
            diff_ids.join(",")
        );
        let layers: Vec<_> = archives.iter().map(|it| gzip(it)).collect();
        let describe = |kind: &str, bytes: &[u8]| {
            let (digest, size) = (sha256(bytes), bytes.len());
            format!(r#"{{"mediaType": "{kind}", "digest": "{digest}", "size": {size}}}"#)
        };
        let described: Vec<_> = layers.iter().map(|it| describe(LAYER, it)).collect();
        let manifest = format!(
            r#"{{"schemaVersion": 2, "mediaType": "{MANIFEST}", "config": {}, "layers": [{}]}}"#,
            describe(CONFIG, config.as_bytes()),
            described.join(",")
        );
        Built { manifest: manifest.into_bytes(), config: config.into_bytes(), layers }
    }

    /// Adds it to a repository.
    pub(crate) fn put(&self, state: &State, path: &str, tag: &str) {
        state.add_blob(path, &self.config);
        self.layers.iter().for_each(|layer| drop(state.add_blob(path, layer)));
        state.add_manifest(path, tag, MANIFEST, &self.manifest);
    }
}

/// An index of images and the platforms that they are for.
pub(crate) fn index(images: &[(&str, &Built)]) -> Vec<u8> {
    let described: Vec<_> = images
        .iter()
        .map(|(architecture, image)| {
            format!(
                r#"{{"mediaType": "{MANIFEST}", "digest": "{}", "size": {}, "platform": {{"os": "linux", "architecture": "{architecture}"}}}}"#,
                sha256(&image.manifest),
                image.manifest.len()
            )
        })
        .collect();
    format!(r#"{{"schemaVersion": 2, "manifests": [{}]}}"#, described.join(",")).into_bytes()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive of files (POSIX.1-1988, ustar).
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files {
        let mut header = [0; 512];
        let mut put = |place: usize, text: &str| {
            header[place..place + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, name);
        put(100, "0000644\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{:011o}\0", content.len()));
        put(136, "00000000000\0");
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend(header);
        archive.extend(*content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}
