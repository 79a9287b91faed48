//! What Docker's `save` writes: `manifest.json`, which names a configuration and the archives of
//! the layers. It knows no manifest as registries do, so one is made.

use super::files::{Files, document};
use super::layout::read;
use super::{Error, Packed};
use crate::Hasher;
use crate::flow::Compression;
use serde::{Deserialize, Serialize};
use spec::image::{Algorithm, Descriptor, Digest, ImageConfig, Manifest, MediaType};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// An image in the list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Item {
    /// The path of its configuration.
    pub(super) config: String,
    /// Its names: `alpine:latest`.
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    /// The paths of its layers, lowest first.
    #[serde(default)]
    pub(super) layers: Option<Vec<String>>,
}

/// The images of the list.
pub(super) fn images(files: &dyn Files) -> Result<Vec<Packed>, Error> {
    let items: Vec<Item> = read("manifest.json", &document(files, "manifest.json")?)?;
    items.iter().map(|item| image(files, item)).collect()
}

fn image(files: &dyn Files, item: &Item) -> Result<Packed, Error> {
    let config = document(files, &item.config)?;
    let parsed: ImageConfig = read(&item.config, &config)?;
    let config_digest = Hasher::of(Algorithm::Sha256, &config);
    let mut paths = BTreeMap::from([(config_digest.clone(), item.config.clone())]);
    let mut layers = Vec::new();
    let diff_ids = parsed.rootfs.diff_ids.iter();
    for (path, diff_id) in item.layers.iter().flatten().zip(diff_ids) {
        let layer = layer(files, path, diff_id)?;
        paths.insert(layer.digest.clone(), path.clone());
        layers.push(layer);
    }
    let config_blob = Descriptor::new(MediaType::OciConfig, config_digest, config.len() as u64);
    let manifest = Manifest::of(config_blob, layers);
    let manifest = serde_json::to_vec(&manifest)
        .map_err(|source| Error::Json { path: "manifest.json".into(), source })?;
    let names = item.repo_tags.iter().flatten().filter_map(|name| name.parse().ok()).collect();
    let media_type = MediaType::OciManifest;
    Ok(Packed { names, label: None, manifest, media_type, index: None, paths })
}

/// What is not compressed has the digest that the configuration says, which the store checks. The
/// digest of what is compressed is nowhere said.
fn layer(files: &dyn Files, path: &str, diff_id: &Digest) -> Result<Descriptor, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => Error::File { path: path.to_owned(), source },
    };
    let (mut reader, size) = files.open(path).map_err(failed)?;
    let mut beginning = Vec::new();
    (&mut reader).take(16).read_to_end(&mut beginning).map_err(failed)?;
    let media_type = match Compression::of(&beginning) {
        Compression::None => {
            return Ok(Descriptor::new(MediaType::OciLayer, diff_id.clone(), size));
        }
        Compression::Gzip => MediaType::OciLayerGzip,
        Compression::Zstd => MediaType::OciLayerZstd,
        // There is no name for it. Whoever reads it goes by its first bytes.
        Compression::Xz | Compression::Bzip2 => MediaType::OciLayer,
    };
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&beginning);
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Descriptor::new(media_type, hasher.finish(), size)),
            count => hasher.update(&buffer[..count]),
        }
    }
}
