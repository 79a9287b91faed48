//! What refers to a manifest: signatures, lists of what is in it.

use super::exchange::Ask;
use super::{RegistryError, Remote, RemoteManifest, Wanted};
use crate::transport::http::Method;
use crate::{Digest, Hasher};
use serde::Deserialize;
use spec::image::{Algorithm, Descriptor, Index, MediaType};
use std::collections::BTreeMap;

/// What a manifest says of its relation to another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relation {
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Remote<'_> {
    /// What refers to a manifest: signatures, lists of what is in it. Registries that do not know
    /// the question may have the answer under a tag made of the digest.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn referrers(
        &self,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let found = self.first(Wanted::ByDigest, |place, is_last| {
            let what = format!("referrers of {digest}");
            let ask = Ask::pull(Method::Get, place, format!("/referrers/{digest}"), what);
            let mut all = Vec::new();
            self.pages(place, is_last, ask, |page: Index| all.extend(page.manifests))?;
            Ok(all)
        });
        let mut all = match found {
            Err(RegistryError::NotFound { .. } | RegistryError::Status { status: 405, .. }) => {
                self.referrers_by_tag(digest)?
            }
            found => found?,
        };
        all.retain(|it| {
            artifact_type.is_none_or(|wanted| it.artifact_type.as_deref() == Some(wanted))
        });
        Ok(all)
    }

    fn referrers_by_tag(&self, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let tag = tag_of(digest);
        let manifest = match self.manifest_by_tag(&tag) {
            Err(RegistryError::NotFound { .. }) => return Ok(Vec::new()),
            manifest => manifest?,
        };
        let index: Index = serde_json::from_slice(&manifest.bytes)
            .map_err(|source| RegistryError::Malformed { what: tag, source })?;
        Ok(index.manifests)
    }

    /// Lists a manifest that is about another one, in a registry that has no list of its own: in
    /// an index under a tag made of the other's digest (distribution-spec, "Pushing Manifests with
    /// Subject").
    pub(super) fn add_referrer(&self, manifest: &RemoteManifest) -> Result<(), RegistryError> {
        let Ok(relation) = serde_json::from_slice::<Relation>(&manifest.bytes) else {
            return Ok(());
        };
        let Some(subject) = &relation.subject else { return Ok(()) };
        let mut manifests = self.referrers_by_tag(&subject.digest)?;
        if manifests.iter().any(|known| known.digest == manifest.descriptor.digest) {
            return Ok(());
        }
        let of_config = || relation.config.map(|config| config.media_type.to_string());
        manifests.push(Descriptor {
            artifact_type: relation.artifact_type.or_else(of_config),
            annotations: relation.annotations.unwrap_or_default(),
            ..manifest.descriptor.clone()
        });
        let index = Index::of(manifests);
        let tag = tag_of(&subject.digest);
        let bytes = serde_json::to_vec(&index)
            .map_err(|source| RegistryError::Malformed { what: tag.clone(), source })?;
        let digest = Hasher::of(Algorithm::Sha256, &bytes);
        let descriptor = Descriptor::new(MediaType::OciIndex, digest, bytes.len() as u64);
        self.put(&tag, &RemoteManifest { descriptor, bytes }).map(drop)
    }
}

/// distribution-spec, "Referrers Tag Schema".
fn tag_of(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().name(), digest.hex())
}
