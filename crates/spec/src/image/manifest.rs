//! Manifests and indexes, OCI and Docker schema 2.

use super::{Descriptor, MediaType, null};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One image: its configuration and its layers, lowest first (image-spec, manifest.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u8,
    /// Optional in OCI's; the HTTP header or the descriptor then says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact it is, if not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "null::is_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about: a signature's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Anything about it.
    #[serde(
        default,
        deserialize_with = "null::is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// OCI's, and nothing more about it.
    #[must_use]
    pub fn of(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: Some(MediaType::OciManifest),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// A list of manifests (image-spec, image-index.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u8,
    /// Optional in OCI's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact it is, if not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests, or further indexes.
    #[serde(default, deserialize_with = "null::is_default")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Anything about it.
    #[serde(
        default,
        deserialize_with = "null::is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// OCI's, and nothing more about it.
    #[must_use]
    pub fn of(manifests: Vec<Descriptor>) -> Index {
        Index {
            schema_version: 2,
            media_type: Some(MediaType::OciIndex),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, Manifest};
    use crate::image::MediaType;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn manifest(size: &str) -> String {
        format!(
            r#"{{"schemaVersion": 2, "config": {{"mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": "{DIGEST}", "size": {size}, "urls": null}}, "layers": null, "annotations": null, "new": 1}}"#
        )
    }

    #[test]
    fn null_is_empty_and_the_unknown_is_ignored() {
        let manifest: Manifest = serde_json::from_str(&manifest("7")).unwrap();
        assert_eq!(manifest.layers, []);
        assert_eq!(manifest.config.media_type, MediaType::OciConfig);
        assert_eq!(manifest.config.size, 7);
        let index: Index = serde_json::from_str(r#"{"schemaVersion": 2}"#).unwrap();
        assert_eq!(index.manifests, []);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for size in ["-1", "1.5", "\"7\"", "18446744073709551616", "null"] {
            assert!(serde_json::from_str::<Manifest>(&manifest(size)).is_err(), "{size}");
        }
        let without_digest = manifest("7").replace(DIGEST, "sha256:../../etc/passwd");
        let error = serde_json::from_str::<Manifest>(&without_digest).unwrap_err();
        assert!(error.to_string().contains("is not a digest"), "{error}");
    }

    #[test]
    fn what_is_written_has_no_empty_fields() {
        let manifest: Manifest = serde_json::from_str(&manifest("7")).unwrap();
        let expected = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{DIGEST}","size":7}},"layers":[]}}"#
        );
        assert_eq!(serde_json::to_string(&manifest).unwrap(), expected);
    }
}
