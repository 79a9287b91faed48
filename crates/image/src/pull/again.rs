//! A repository as the place where something is got again that was here.

use super::FetchOptions;
use super::fetch::RemoteBlobs;
use crate::reference::Repository;
use crate::registry::{OnWait, Registries, RegistryError, Remote};
use crate::store::{Incoming, Origin, OriginError};
use spec::image::Descriptor;

/// Everything of a repository that has a digest, manifests too.
pub struct Again<'a> {
    remote: Remote<'a>,
}

/// The repository. Nothing is asked of its servers yet.
///
/// # Errors
/// A configuration or credentials that cannot be used.
pub fn origin<'a>(
    registries: &'a Registries,
    repository: &Repository,
    on_wait: &'a OnWait<'a>,
) -> Result<Again<'a>, RegistryError> {
    Ok(Again { remote: registries.remote(repository, on_wait)? })
}

impl Origin for Again<'_> {
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        let blobs = RemoteBlobs { remote: &self.remote, options: FetchOptions::default() };
        let as_blob = if blob.media_type.is_manifest() || blob.media_type.is_index() {
            Err("a manifest is no blob".into())
        } else {
            blobs.fetch(blob, into)
        };
        // Manifests and indexes have an address of their own, and nothing here says which they are.
        as_blob.or_else(|error: OriginError| match self.remote.manifest_by_digest(&blob.digest) {
            Ok(manifest) => Ok(into.write_at(0, &manifest.bytes)?),
            Err(_) => Err(error),
        })
    }
}
