//! The grammar of names, and the splitting of one into its parts.

use super::{DOCKER_HUB, Reference, ReferenceError, Repository};
use crate::Digest;

/// Characters that a path may have.
pub(super) const NAME_LIMIT: usize = 255;

/// Longest tag.
const TAG_LIMIT: usize = 128;

/// A name taken apart and checked, with the registry still to be chosen if none was written.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) registry: Option<&'a str>,
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<Digest>,
}

impl Parts<'_> {
    /// The reference in this registry, below `prefix` (empty or with a slash at its end).
    pub(super) fn reference(&self, registry: &str, prefix: &str) -> Reference {
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        let path = if registry == DOCKER_HUB && prefix.is_empty() && !self.path.contains('/') {
            format!("library/{}", self.path)
        } else {
            format!("{prefix}{}", self.path)
        };
        let tag = match (self.tag, &self.digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        Reference {
            repository: Repository { registry: registry.to_ascii_lowercase(), path },
            tag: tag.map(str::to_owned),
            digest: self.digest.clone(),
        }
    }
}

/// Takes a name apart. Digest first, then the tag: both have a colon, as has a port.
pub(super) fn split(text: &str) -> Result<Parts<'_>, ReferenceError> {
    if text.is_empty() {
        return Err(ReferenceError::Empty);
    }
    if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(ReferenceError::LooksLikeId { name: text.to_owned() });
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        // A colon before a slash belongs to the port, one in brackets to an IPv6 address.
        Some((name, tag)) if !tag.contains(['/', ']']) => (name, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => (Some(first), path),
        _ => (None, name),
    };
    if let Some(registry) = registry {
        check_registry(name, registry)?;
    }
    check_path(path)?;
    // A name of Docker Hub's is one of its library's.
    let is_official = registry.is_none_or(|it| it.ends_with("docker.io")) && !path.contains('/');
    let length = path.len() + if is_official { "library/".len() } else { 0 };
    if length > NAME_LIMIT {
        return Err(ReferenceError::TooLong { length });
    }
    Ok(Parts { registry, path, tag, digest })
}

/// Whether the part before the first slash is a host and not a folder of Docker Hub's.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn parse_digest(text: &str) -> Result<Digest, ReferenceError> {
    text.parse().map_err(|_| ReferenceError::Digest { digest: text.to_owned() })
}

pub(super) fn check_registry(name: &str, registry: &str) -> Result<(), ReferenceError> {
    let error =
        || Err(ReferenceError::Registry { name: name.to_owned(), registry: registry.to_owned() });
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("", port),
        Some(_) => return error(),
        None => registry.find(':').map_or((registry, ""), |colon| registry.split_at(colon)),
    };
    let port_is_good = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    let label_is_good = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let host_is_good = host.is_empty() == registry.starts_with('[')
        && (host.is_empty() || host.split('.').all(label_is_good));
    if host_is_good && port_is_good { Ok(()) } else { error() }
}

pub(super) fn check_path(path: &str) -> Result<(), ReferenceError> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ReferenceError::UpperCase { name: path.to_owned() });
    }
    match path.split('/').find(|component| !is_component(component)) {
        None => Ok(()),
        Some(component) => Err(ReferenceError::Component {
            name: path.to_owned(),
            component: component.to_owned(),
        }),
    }
}

/// Words of `a-z0-9` with one separator between two of them: `.`, `_`, `__` or any dashes.
fn is_component(component: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_word(*first) || !is_word(*last) {
        return false;
    }
    bytes.split(|byte| is_word(*byte)).all(|separator| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
    })
}

pub(super) fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = tag.bytes();
    let first_is_good = bytes.next().is_some_and(is_word);
    let rest_is_good = bytes.all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
    if first_is_good && rest_is_good && tag.len() <= TAG_LIMIT {
        Ok(())
    } else {
        Err(ReferenceError::Tag { tag: tag.to_owned() })
    }
}
