//! Who we are to a registry: credentials, where they are kept, and the tokens made of them.

mod challenge;
mod credential;
mod files;
mod helper;
mod token;

pub use challenge::Challenge;
pub use credential::Credential;
pub use files::{CredentialFiles, Kept};
pub(crate) use token::{Authenticator, Scope};

use crate::transport::TransportError;
use crate::transport::url::{Url, UrlError};
use std::path::PathBuf;

/// Why we could not say who we are.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A file with credentials cannot be read or written.
    #[error("credentials: {0}")]
    File(#[from] sys::Error),
    /// It is not what Docker or Podman would write.
    #[error("credentials: {} is not JSON of the right form: {source}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// An entry in it.
    #[error("credentials: \"auth\" of {registry} in {} is not base64 of USER:PASSWORD", path.display())]
    BadEntry {
        /// The file.
        path: PathBuf,
        /// The entry's name.
        registry: String,
    },
    /// No file was given to write to.
    #[error("credentials: there is no file to keep them in, as no home folder is known")]
    NoFile,
    /// A helper program failed.
    #[error("credentials: docker-credential-{name} {verb}: {reason}")]
    Helper {
        /// The helper.
        name: String,
        /// What it was to do.
        verb: &'static str,
        /// What it says.
        reason: String,
    },
    /// The registry refuses whoever we are.
    #[error("{registry} denies access: {reason}")]
    Denied {
        /// The registry.
        registry: String,
        /// What it says, or what could be done.
        reason: String,
    },
    /// The registry wants a kind of authentication that we do not have.
    #[error("{registry} wants authentication by {schemes}; only Basic and Bearer are known")]
    UnknownScheme {
        /// The registry.
        registry: String,
        /// What it offers.
        schemes: String,
    },
    /// The token server's address.
    #[error("the token server: {0}")]
    Realm(#[from] UrlError),
    /// A secret would go over the network in the clear.
    #[error("the token server {realm} is not reached by https, so no password is sent to it")]
    InsecureRealm {
        /// Its address.
        realm: Url,
    },
    /// The token server cannot be reached.
    #[error("the token server: {0}")]
    Transport(#[from] TransportError),
    /// Its answer is not what it should be.
    #[error("the token server {realm}: {reason}")]
    BadToken {
        /// Its address.
        realm: Url,
        /// What is wrong.
        reason: String,
    },
}
