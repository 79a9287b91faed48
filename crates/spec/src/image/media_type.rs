//! What the bytes behind a descriptor are said to be.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The media types that images are made of; anything else is kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// A list of manifests, one a platform.
    OciIndex,
    /// One image.
    OciManifest,
    /// What a container of the image is like.
    OciConfig,
    /// `{}`, where an artifact has no configuration.
    OciEmpty,
    /// A tar archive of changes.
    OciLayer,
    /// The same through gzip.
    OciLayerGzip,
    /// The same through Zstandard.
    OciLayerZstd,
    /// Docker's index.
    DockerList,
    /// Docker's manifest, schema 2.
    DockerManifest,
    /// Docker's configuration.
    DockerConfig,
    /// Docker's tar archive of changes.
    DockerLayer,
    /// The same through gzip.
    DockerLayerGzip,
    /// The same through Zstandard.
    DockerLayerZstd,
    /// A layer that is not in the registry but elsewhere.
    DockerForeignLayer,
    /// Something else.
    Other(Box<str>),
}

// tidy: table
const NAMES: &[(MediaType, &str)] = &[
    (MediaType::OciIndex, "application/vnd.oci.image.index.v1+json"),
    (MediaType::OciManifest, "application/vnd.oci.image.manifest.v1+json"),
    (MediaType::OciConfig, "application/vnd.oci.image.config.v1+json"),
    (MediaType::OciEmpty, "application/vnd.oci.empty.v1+json"),
    (MediaType::OciLayer, "application/vnd.oci.image.layer.v1.tar"),
    (MediaType::OciLayerGzip, "application/vnd.oci.image.layer.v1.tar+gzip"),
    (MediaType::OciLayerZstd, "application/vnd.oci.image.layer.v1.tar+zstd"),
    (MediaType::DockerList, "application/vnd.docker.distribution.manifest.list.v2+json"),
    (MediaType::DockerManifest, "application/vnd.docker.distribution.manifest.v2+json"),
    (MediaType::DockerConfig, "application/vnd.docker.container.image.v1+json"),
    (MediaType::DockerLayer, "application/vnd.docker.image.rootfs.diff.tar"),
    (MediaType::DockerLayerGzip, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    (MediaType::DockerLayerZstd, "application/vnd.docker.image.rootfs.diff.tar.zstd"),
    (MediaType::DockerForeignLayer, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
];

impl MediaType {
    /// As it is written in a document or an HTTP header.
    pub fn as_str(&self) -> &str {
        if let MediaType::Other(text) = self {
            return text;
        }
        NAMES.iter().find(|(known, _)| known == self).map_or("", |(_, text)| text)
    }

    /// Whether it is a manifest of one image.
    pub fn is_manifest(&self) -> bool {
        matches!(self, MediaType::OciManifest | MediaType::DockerManifest)
    }

    /// Whether it lists the manifests of several platforms.
    pub fn is_index(&self) -> bool {
        matches!(self, MediaType::OciIndex | MediaType::DockerList)
    }

    /// Whether it is the configuration of an image that can be run.
    pub fn is_config(&self) -> bool {
        matches!(self, MediaType::OciConfig | MediaType::DockerConfig)
    }

    /// Whether it is a tar archive that belongs into a root file system. How it is compressed, its
    /// first bytes tell.
    pub fn is_layer(&self) -> bool {
        match self {
            MediaType::OciLayer
            | MediaType::OciLayerGzip
            | MediaType::OciLayerZstd
            | MediaType::DockerLayer
            | MediaType::DockerLayerGzip
            | MediaType::DockerLayerZstd
            | MediaType::DockerForeignLayer => true,
            MediaType::Other(text) => {
                text.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
            }
            _ => false,
        }
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> MediaType {
        match NAMES.iter().find(|(_, known)| *known == text) {
            Some((known, _)) => known.clone(),
            None => MediaType::Other(text.into()),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MediaType, D::Error> {
        Ok(String::deserialize(deserializer)?.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::{MediaType, NAMES};

    #[test]
    fn each_name_leads_to_its_type_and_back() {
        for (known, text) in NAMES {
            assert_eq!(MediaType::from(*text), *known);
            assert_eq!(known.as_str(), *text);
        }
        let other = MediaType::from("text/plain");
        assert_eq!(other.as_str(), "text/plain");
        assert!(!other.is_layer() && !other.is_manifest() && !other.is_index());
    }

    #[test]
    fn layers_that_are_not_to_be_pushed_are_layers() {
        let text = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        assert!(MediaType::from(text).is_layer());
        assert!(!MediaType::OciConfig.is_layer());
    }
}
