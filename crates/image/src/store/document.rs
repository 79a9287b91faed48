//! Manifests and configurations, checked before anything is fetched for them.

use super::Error;
use super::add::Part;
use crate::Hasher;
use serde::de::DeserializeOwned;
use spec::image::{Algorithm, Digest, ImageConfig, Manifest, MediaType, Platform};

/// A document, and what its bytes hash to.
#[derive(Clone, Debug)]
pub(super) struct Document<T> {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    pub(super) content: T,
}

/// Registries take manifests of 4 MiB; a configuration is never longer.
pub(super) const LONGEST: u64 = 4 << 20;

/// No image has more; overlayfs takes 500.
const MOST_LAYERS: usize = 500;

/// Reads a manifest. What it says of its own type counts more than what was said of it.
pub(super) fn manifest(
    bytes: &[u8],
    said: Option<&MediaType>,
) -> Result<Document<Manifest>, Error> {
    let digest = Hasher::of(Algorithm::Sha256, bytes);
    let content: Manifest = read("manifest", &digest, bytes)?;
    let media_type = content.media_type.clone().or(said.cloned()).unwrap_or(MediaType::OciManifest);
    if !media_type.is_manifest() {
        return Err(Error::NotAnImage { digest, media_type });
    }
    if !content.config.media_type.is_config() {
        let artifact = content.artifact_type.as_deref().map(MediaType::from);
        let media_type = artifact.unwrap_or(content.config.media_type);
        return Err(Error::NotAnImage { digest, media_type });
    }
    if content.layers.len() > MOST_LAYERS {
        let why = format!("{} layers are more than {MOST_LAYERS}", content.layers.len());
        return Err(Error::Document { what: "manifest", digest, why });
    }
    if content.config.size > LONGEST {
        let why = format!("a configuration of {} bytes is too long", content.config.size);
        return Err(Error::Document { what: "manifest", digest, why });
    }
    Ok(Document { digest, media_type, content })
}

/// Reads the configuration that a manifest names.
pub(super) fn config(
    bytes: &[u8],
    manifest: &Document<Manifest>,
) -> Result<Document<ImageConfig>, Error> {
    let digest = manifest.content.config.digest.clone();
    let content = read("configuration", &digest, bytes)?;
    Ok(Document { digest, media_type: manifest.content.config.media_type.clone(), content })
}

/// Which layer of the manifest unpacks to which of the configuration.
pub(super) fn parts(
    manifest: &Document<Manifest>,
    config: &Document<ImageConfig>,
) -> Result<Vec<Part>, Error> {
    let (blobs, diff_ids) = (&manifest.content.layers, &config.content.rootfs.diff_ids);
    let wrong =
        |why| Err(Error::Document { what: "manifest", digest: manifest.digest.clone(), why });
    if blobs.len() != diff_ids.len() {
        let (blobs, diff_ids) = (blobs.len(), diff_ids.len());
        return wrong(format!("it has {blobs} layers, and its configuration {diff_ids}"));
    }
    if let Some(other) = blobs.iter().find(|blob| !blob.media_type.is_layer()) {
        return wrong(format!("{} is no type of a layer", other.media_type));
    }
    let pair = |(blob, diff_id): (&spec::image::Descriptor, &Digest)| Part {
        blob: blob.clone(),
        diff_id: diff_id.clone(),
    };
    Ok(blobs.iter().zip(diff_ids).map(pair).collect())
}

/// `linux/arm/v7`.
pub(super) fn platform(platform: &Platform) -> String {
    let parts = [&platform.os, &platform.architecture, &platform.variant];
    let parts: Vec<_> =
        parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

fn read<T: DeserializeOwned>(
    what: &'static str,
    digest: &Digest,
    bytes: &[u8],
) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Document {
        what,
        digest: digest.clone(),
        why: error.to_string(),
    })
}
