//! A reference to some bytes.

use super::{Digest, MediaType, Platform, null};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What some bytes are, how many, and what they hash to (image-spec, descriptor.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What they are said to be.
    pub media_type: MediaType,
    /// What they hash to.
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
    /// Where else they may be had.
    #[serde(default, deserialize_with = "null::is_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Anything about them.
    #[serde(
        default,
        deserialize_with = "null::is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// What kind of artifact it is, if a manifest of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// In an index: what machine it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// One without the optional fields.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            artifact_type: None,
            platform: None,
        }
    }
}
