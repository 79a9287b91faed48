//! What machine an image is for.

use super::null;
use serde::{Deserialize, Serialize};

/// The machine and operating system that a manifest of an index is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// As Go calls it: `amd64`, `arm64`, `arm`, `riscv64`, ...
    #[serde(default)]
    pub architecture: String,
    /// As Go calls it: `linux`.
    #[serde(default)]
    pub os: String,
    /// For Windows.
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// For Windows.
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "null::is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// `v7` of `arm`, `v3` of `amd64`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}
