//! Manifests and indexes.

use super::exchange::{Ask, Target};
use super::{RegistryError, Remote, Wanted};
use crate::auth::Scope;
use crate::transport::http::{Method, Response};
use crate::{Digest, Hasher};
use serde::Deserialize;
use spec::image::{Algorithm, Descriptor, MediaType};

/// Longest manifest: what registries accept at most.
pub const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

/// What we understand, the preferred first.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// Signed manifests of the first schema, which nobody can verify any more.
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

/// A manifest or an index as the registry has it.
#[derive(Clone, Debug)]
pub struct RemoteManifest {
    /// What it is, how long, and what it hashes to.
    pub descriptor: Descriptor,
    /// Byte for byte.
    pub bytes: Vec<u8>,
}

/// What every manifest may say of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    schema_version: Option<u64>,
    media_type: Option<MediaType>,
    manifests: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

impl Remote<'_> {
    /// Gets a manifest or an index by tag, and checks what the registry says about it.
    ///
    /// # Errors
    /// It does not exist, cannot be had, is longer than [`MANIFEST_LIMIT`] or not what it should be.
    pub fn manifest_by_tag(&self, tag: &str) -> Result<RemoteManifest, RegistryError> {
        self.manifest(Wanted::ByTag, tag, None)
    }

    /// Gets a manifest or an index by digest, and checks it.
    ///
    /// # Errors
    /// As [`Remote::manifest_by_tag`]; or it is not what was asked for.
    pub fn manifest_by_digest(&self, digest: &Digest) -> Result<RemoteManifest, RegistryError> {
        self.manifest(Wanted::ByDigest, digest.as_str(), Some(digest))
    }

    fn manifest(
        &self,
        wanted: Wanted,
        version: &str,
        digest: Option<&Digest>,
    ) -> Result<RemoteManifest, RegistryError> {
        let what = self.manifest_name(version);
        self.first(wanted, |place, is_last| {
            let target = format!("/manifests/{version}");
            let ask = Ask::pull(Method::Get, place, target, what.clone()).header("Accept", ACCEPT);
            // Broken off within the body, it is asked for again as if it had not begun.
            let mut left = self.registries.retry.attempts;
            loop {
                let response = self.ask(place, is_last, &ask)?;
                left = left.saturating_sub(1);
                match read(&what, response, digest) {
                    Err(error @ RegistryError::Body { .. }) if error.is_passing() && left > 0 => {
                        self.wait(&error, self.registries.retry.wait(1));
                    }
                    result => return result,
                }
            }
        })
    }

    /// The descriptor of a manifest, if it exists, without getting it. Its digest is what the
    /// registry says.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn find_manifest(&self, version: &str) -> Result<Option<Digest>, RegistryError> {
        let what = self.manifest_name(version);
        let found = self.first(Wanted::ByTag, |place, is_last| {
            let target = format!("/manifests/{version}");
            let ask = Ask::pull(Method::Head, place, target, what.clone()).header("Accept", ACCEPT);
            self.ask(place, is_last, &ask)
        });
        match found {
            Ok(response) => {
                Ok(response.header("docker-content-digest").and_then(|text| text.parse().ok()))
            }
            Err(RegistryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a manifest under a tag or its digest.
    ///
    /// # Errors
    /// The registry refuses it, or says that it got something else.
    pub fn put_manifest(
        &self,
        version: &str,
        manifest: &RemoteManifest,
    ) -> Result<(), RegistryError> {
        let knows_subject = self.put(version, manifest)?;
        if knows_subject { Ok(()) } else { self.add_referrer(manifest) }
    }

    /// Says whether the registry has noted what the manifest is about.
    pub(super) fn put(
        &self,
        version: &str,
        manifest: &RemoteManifest,
    ) -> Result<bool, RegistryError> {
        let what = self.manifest_name(version);
        self.first(Wanted::Push, |place, is_last| {
            let ask = Ask {
                method: Method::Put,
                target: Target::Repository(format!("/manifests/{version}")),
                headers: vec![("Content-Type", manifest.descriptor.media_type.as_str().to_owned())],
                content: &manifest.bytes,
                scopes: vec![Scope::repository(&place.endpoint.path, "pull,push")],
                what: what.clone(),
            };
            let response = self.ask(place, is_last, &ask)?;
            let said = response.header("docker-content-digest").and_then(|text| text.parse().ok());
            let expected = &manifest.descriptor.digest;
            match said {
                Some(actual) if actual != *expected => {
                    let expected = expected.clone();
                    Err(RegistryError::WrongDigest { what: what.clone(), expected, actual })
                }
                _ => {
                    let knows_subject = response.header("oci-subject").is_some();
                    response.body.skip();
                    Ok(knows_subject)
                }
            }
        })
    }

    /// Removes a manifest, and with it all tags that lead to it.
    ///
    /// # Errors
    /// It does not exist, or the registry does not allow it.
    pub fn delete_manifest(&self, digest: &Digest) -> Result<(), RegistryError> {
        self.delete(&format!("/manifests/{digest}"), &self.manifest_name(digest.as_str()))
    }

    pub(super) fn delete(&self, target: &str, what: &str) -> Result<(), RegistryError> {
        self.first(Wanted::Push, |place, is_last| {
            let mut ask = Ask::pull(Method::Delete, place, target.to_owned(), what.to_owned());
            ask.scopes = vec![Scope::repository(&place.endpoint.path, "delete")];
            match self.ask(place, is_last, &ask) {
                Ok(response) => {
                    response.body.skip();
                    Ok(())
                }
                Err(RegistryError::Status { status: 405, .. }) => Err(RegistryError::Unsupported {
                    registry: place.endpoint.registry.clone(),
                    what: "delete: its configuration does not allow it",
                }),
                Err(error) => Err(error),
            }
        })
    }

    fn manifest_name(&self, version: &str) -> String {
        let separator = if version.contains(':') { '@' } else { ':' };
        format!("{}{separator}{version}", self.repository)
    }
}

/// Reads a manifest, and checks its length, digest and kind.
fn read(
    what: &str,
    mut response: Response,
    digest: Option<&Digest>,
) -> Result<RemoteManifest, RegistryError> {
    let bytes = response.body.read_all(MANIFEST_LIMIT).map_err(|source| match source.kind() {
        std::io::ErrorKind::FileTooLarge => {
            RegistryError::TooLarge { what: what.to_owned(), limit: MANIFEST_LIMIT }
        }
        _ => RegistryError::Body { what: what.to_owned(), source },
    })?;
    let said = response.header("docker-content-digest").and_then(|text| text.parse().ok());
    let expected = digest.cloned().or(said);
    let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    let actual = Hasher::of(algorithm, &bytes);
    if let Some(expected) = expected.filter(|expected| *expected != actual) {
        return Err(RegistryError::WrongDigest { what: what.to_owned(), expected, actual });
    }
    let kind: Kind = serde_json::from_slice(&bytes)
        .map_err(|source| RegistryError::Malformed { what: what.to_owned(), source })?;
    let media_type = media_type(response.header("content-type").unwrap_or_default(), kind);
    if !media_type.is_manifest() && !media_type.is_index() {
        return Err(RegistryError::MediaType { what: what.to_owned(), media_type });
    }
    let descriptor = Descriptor::new(media_type, actual, bytes.len() as u64);
    Ok(RemoteManifest { descriptor, bytes })
}

/// What the document says it is; else what the header says; else what it looks like. A document
/// that contradicts itself (an index with a `config`) is refused by its parser's reader: only one
/// reading of the bytes may be possible (CVE-2021-41190).
fn media_type(header: &str, kind: Kind) -> MediaType {
    let header = MediaType::from(header.split(';').next().unwrap_or_default().trim());
    let claimed = kind.media_type.unwrap_or(header);
    if kind.schema_version != Some(2) {
        return MediaType::Other(format!("{SCHEMA_1} (schema version 1)").into());
    }
    match (kind.manifests.is_some(), kind.config.is_some()) {
        (true, true) => MediaType::Other("both a manifest and an index".into()),
        (true, false) if claimed.is_manifest() => {
            MediaType::Other("an index that says it is a manifest".into())
        }
        (false, true) if claimed.is_index() => {
            MediaType::Other("a manifest that says it is an index".into())
        }
        // Static file servers know no media types.
        (true, false) if !claimed.is_index() && is_generic(&claimed) => MediaType::OciIndex,
        (false, true) if !claimed.is_manifest() && is_generic(&claimed) => MediaType::OciManifest,
        _ => claimed,
    }
}

fn is_generic(media_type: &MediaType) -> bool {
    matches!(
        media_type.as_str(),
        "" | "application/json" | "application/octet-stream" | "text/plain"
    )
}

#[cfg(test)]
mod tests {
    use super::media_type;

    fn found(header: &str, document: &str) -> String {
        media_type(header, serde_json::from_str(document).unwrap()).as_str().to_owned()
    }

    const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";

    #[test]
    fn the_document_goes_before_the_header() {
        let own = format!(r#"{{"schemaVersion": 2, "mediaType": "{OCI}", "config": {{}}}}"#);
        assert_eq!(found("application/json", &own), OCI);
        assert_eq!(found(INDEX, &own), OCI);
        assert_eq!(
            found(&format!("{OCI}; charset=utf-8"), r#"{"schemaVersion": 2, "config": {}}"#),
            OCI
        );
        assert_eq!(found("", r#"{"schemaVersion": 2, "manifests": []}"#), INDEX);
        assert_eq!(found("text/html", r#"{"schemaVersion": 2, "config": {}}"#), "text/html");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (header, document) in [
            (OCI, r#"{"schemaVersion": 2, "manifests": []}"#),
            (INDEX, r#"{"schemaVersion": 2, "config": {}}"#),
            (OCI, r#"{"schemaVersion": 2, "config": {}, "manifests": []}"#),
            (OCI, r#"{"schemaVersion": 1, "config": {}}"#),
        ] {
            let found = found(header, document);
            assert!(found != OCI && found != INDEX, "{document}");
        }
    }
}
