//! What can go wrong with a registry.

use crate::Digest;
use crate::auth::AuthError;
use crate::hosts::ConfigError;
use crate::reference::Repository;
use crate::transport::url::{Url, UrlError};
use crate::transport::{TlsError, TransportError};
use serde::Deserialize;
use spec::image::MediaType;
use std::io;
use std::time::Duration;

/// Why a registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The network.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Our configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Credentials.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// No configured server may be asked for this.
    #[error("no server is configured for {repository} that can do this")]
    NoServer {
        /// What was asked for.
        repository: Repository,
    },
    /// There is no such thing.
    #[error("{what} does not exist on {registry}{}", because(detail))]
    NotFound {
        /// `docker.io/library/alpine:nope`, a blob's digest.
        what: String,
        /// The registry.
        registry: String,
        /// What the registry adds.
        detail: String,
    },
    /// The registry cannot do this at all.
    #[error("{registry} cannot {what}")]
    Unsupported {
        /// The registry.
        registry: String,
        /// What it cannot do.
        what: &'static str,
    },
    /// Too many requests, and the wait is longer than ours.
    #[error("{registry} asks to wait {} s before the next request{}", wait.as_secs(), because(detail))]
    Busy {
        /// The registry.
        registry: String,
        /// What it said.
        wait: Duration,
        /// What the registry adds.
        detail: String,
    },
    /// Any other status.
    #[error("{method} {url}: the registry answered {status}{}", because(detail))]
    Status {
        /// The request's method.
        method: &'static str,
        /// Its address.
        url: Url,
        /// The status.
        status: u16,
        /// What the registry adds.
        detail: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// A server that keeps sending us elsewhere.
    #[error("{url} redirects more than {limit} times")]
    RedirectLoop {
        /// Where it began.
        url: Url,
        /// How often we followed.
        limit: usize,
    },
    /// A redirect from an encrypted connection to one that is not.
    #[error("{from} redirects to {to}, which is not encrypted")]
    InsecureRedirect {
        /// Where it began.
        from: Url,
        /// Where it was to lead.
        to: Url,
    },
    /// A header that makes no address.
    #[error("{header} of the response: {source}")]
    BadLocation {
        /// The header.
        header: &'static str,
        /// What is wrong.
        source: UrlError,
    },
    /// The connection failed within a body.
    #[error("{what}: {source}")]
    Body {
        /// What was read.
        what: String,
        /// What happened.
        source: io::Error,
    },
    /// The bytes are not those that were asked for.
    #[error("{what} has the wrong content: expected {expected}, got {actual}")]
    WrongDigest {
        /// What was read.
        what: String,
        /// What it should hash to.
        expected: Digest,
        /// What it hashes to.
        actual: Digest,
    },
    /// There are more or fewer bytes than there should be.
    #[error("{what} has the wrong length: expected {expected} bytes, got {actual}")]
    WrongSize {
        /// What was read.
        what: String,
        /// What the descriptor says.
        expected: u64,
        /// What the registry says or sent; "more" if it did not end.
        actual: String,
    },
    /// More bytes than anyone needs.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What was read.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// Something else than was asked for.
    #[error("{what} is of a kind that cannot be used here: {media_type}")]
    MediaType {
        /// What was read.
        what: String,
        /// What it says it is.
        media_type: MediaType,
    },
    /// JSON that is none, or has other fields.
    #[error("{what} is malformed: {source}")]
    Malformed {
        /// What was read.
        what: String,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// A response without what it must have.
    #[error("{what}: the registry's answer {reason}")]
    BadAnswer {
        /// What was asked.
        what: String,
        /// What is missing.
        reason: String,
    },
    /// What is to be sent cannot be read.
    #[error("{what} cannot be read to be sent: {source}")]
    Source {
        /// What was to be sent.
        what: String,
        /// What happened.
        source: io::Error,
    },
}

impl RegistryError {
    /// Whether nobody was reached, so that another server should be asked.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, RegistryError::Transport(_))
    }

    /// How long the registry asks us to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let RegistryError::Status { retry_after, .. } = self else { return None };
        *retry_after
    }

    /// Whether the same request may succeed a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            RegistryError::Transport(error) => error.reason.is_passing(),
            RegistryError::Auth(AuthError::Transport(error)) => error.reason.is_passing(),
            RegistryError::Status { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            RegistryError::Body { source, .. } => source.kind() != io::ErrorKind::FileTooLarge,
            _ => false,
        }
    }
}

fn because(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The body of an error (distribution-spec, "Error Codes").
#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<ErrorItem>,
}

#[derive(Deserialize)]
struct ErrorItem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What an error's body says, in one line without control characters.
pub(super) fn explain(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Errors>(body) {
        Ok(found) if !found.errors.is_empty() => {
            let texts = found.errors.iter().map(|item| {
                if item.message.is_empty() { item.code.clone() } else { item.message.clone() }
            });
            texts.collect::<Vec<_>>().join("; ")
        }
        // A page for people, of which the first line may be of use if it is no HTML.
        _ => {
            let text = String::from_utf8_lossy(body);
            let line = text.lines().map(str::trim).find(|line| !line.is_empty());
            line.filter(|line| !line.starts_with(['<', '{'])).unwrap_or_default().to_owned()
        }
    };
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn what_registries_say() {
        let body =
            br#"{"errors": [{"code": "DENIED", "message": "no\u001b[31m way"}, {"code": "X"}]}"#;
        assert_eq!(explain(body), "no[31m way; X");
        assert_eq!(explain(b"\n oops \n"), "oops");
        assert_eq!(explain(b"<html>"), "");
        assert_eq!(explain(b"{\"errors\": 1}"), "");
        assert_eq!(explain(&[0xff; 4000]).chars().count(), 300);
    }
}
