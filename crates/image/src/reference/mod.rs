//! Names of images: `alpine`, `ghcr.io/owner/app:1.2@sha256:...`.
//!
//! The grammar is that of the distribution project's `reference` package, which Docker, Podman
//! and containerd share. Parsing gives proof types: a [`Reference`] always has a registry, a
//! repository that the registry's API accepts, and a tag or a digest.

mod grammar;
mod search;
mod source;

pub use search::SearchList;
pub use source::Source;

use crate::Digest;
use std::fmt;
use std::str::FromStr;

/// The registry that short names mean unless the search list says otherwise.
pub const DOCKER_HUB: &str = "docker.io";

/// Why a name is none. Each says what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is nothing.
    #[error("the image name is empty")]
    Empty,
    /// `Alpine`: Docker refuses it too, and a registry would answer with "not found".
    #[error("image name {name:?} must be in lower case: {}", name.to_lowercase())]
    UpperCase {
        /// The repository as it was written.
        name: String,
    },
    /// A component of the repository's name.
    #[error(
        "image name {name:?}: {component:?} may have only a-z, 0-9 and between them one of . _ __ or dashes"
    )]
    Component {
        /// The whole name.
        name: String,
        /// The part that is wrong.
        component: String,
    },
    /// The part before the first slash.
    #[error("image name {name:?}: {registry:?} is no host name with an optional :PORT")]
    Registry {
        /// The whole name.
        name: String,
        /// The part that is wrong.
        registry: String,
    },
    /// The part after the colon.
    #[error("tag {tag:?} must have 1 to 128 of a-z A-Z 0-9 _ . - and not begin with . or -")]
    Tag {
        /// The tag as it was written.
        tag: String,
    },
    /// The part after the at sign.
    #[error("digest {digest:?} is not sha256: and 64 (or sha512: and 128) digits of a-f and 0-9")]
    Digest {
        /// The digest as it was written.
        digest: String,
    },
    /// More than [`grammar::NAME_LIMIT`] characters.
    #[error("image name has {length} characters, more than {}", grammar::NAME_LIMIT)]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// 64 hexadecimal digits could be an image id or a name.
    #[error("{name:?} looks like an image id; to name a digest write NAME@sha256:{name}")]
    LooksLikeId {
        /// The digits.
        name: String,
    },
    /// A short name, and a search list with nothing in it.
    #[error("{name:?} names no registry, and the list of registries for short names is empty")]
    NoSearchList {
        /// The short name.
        name: String,
    },
    /// `docker:`, `oci:` and the like with nothing usable behind.
    #[error("{source_name:?}: {reason}")]
    Source {
        /// The source as it was written.
        source_name: String,
        /// What is missing.
        reason: &'static str,
    },
}

/// A repository in a registry: `docker.io/library/alpine`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Host name and optional port of the registry, as the user writes it (`docker.io`, not
    /// `registry-1.docker.io`). An IPv6 address stands in brackets.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within the registry, as in `/v2/PATH/manifests/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The shortest name that still means this repository to Docker: `alpine`.
    pub fn familiar(&self) -> String {
        if self.registry != DOCKER_HUB {
            return self.to_string();
        }
        // `docker.io/library/user/app` is not what `user/app` would mean.
        match self.path.strip_prefix("library/") {
            Some(name) if !name.contains('/') => name.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// Whether a registry would take this as the path of a repository.
    pub(crate) fn check_path(path: &str) -> Result<(), ReferenceError> {
        grammar::check_path(path)
    }

    /// The same registry, another path (mounting a blob from there).
    ///
    /// # Errors
    /// A path that the grammar does not allow.
    pub fn with_path(&self, path: &str) -> Result<Repository, ReferenceError> {
        grammar::check_path(path)?;
        Ok(Repository { registry: self.registry.clone(), path: path.to_owned() })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.path)
    }
}

/// Whether this is a registry: a host name and an optional port.
///
/// # Errors
/// It is not.
pub fn check_registry(text: &str) -> Result<(), ReferenceError> {
    grammar::check_registry(text, text)
}

/// An image in a registry: a repository, and a tag, a digest or both.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// A reference out of parts that are checked already.
    pub fn new(repository: Repository, tag: Option<Tag>, digest: Option<Digest>) -> Reference {
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.0),
            (None, Some(_)) => None,
            (None, None) => Some("latest".to_owned()),
        };
        Reference { repository, tag, digest }
    }

    /// Where the image is.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag, `latest` when neither tag nor digest was given. None if only a digest was.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that the manifest must have.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What stands behind `/manifests/` to ask for it: the digest if there is one.
    pub fn version(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// The same image under exactly this digest.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { digest: Some(digest), ..self.clone() }
    }

    /// As Docker shows it: without `docker.io/library/`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.repository.familiar(), self.suffix())
    }

    fn suffix(&self) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        let digest = self.digest.iter().map(|digest| format!("@{digest}"));
        tag.chain(digest).collect()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.repository, self.suffix())
    }
}

/// As Docker reads it: a name without a registry is on Docker Hub.
impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        let parts = grammar::split(text)?;
        let registry = parts.registry.unwrap_or(DOCKER_HUB);
        Ok(parts.reference(registry, ""))
    }
}

/// A tag that the grammar allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Tag, ReferenceError> {
        grammar::check_tag(text)?;
        Ok(Tag(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
