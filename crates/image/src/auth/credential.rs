//! What proves to a registry who we are.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::fmt;

/// A secret for one registry. It is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password, or an access token in its place.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// An OAuth2 refresh token, which a token server takes.
    IdentityToken(String),
}

impl Credential {
    /// What `Authorization: Basic` must say. A refresh token cannot be said so.
    pub(super) fn basic(&self) -> Option<String> {
        let Credential::Password { user, password } = self else { return None };
        Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// `auth` of Docker's files: name and password in base64.
    pub(super) fn encode_pair(user: &str, password: &str) -> String {
        STANDARD.encode(format!("{user}:{password}"))
    }

    /// The opposite of [`Credential::encode_pair`]. Docker cuts zeros off the end, and so must we.
    pub(super) fn decode_pair(auth: &str) -> Option<Credential> {
        let bytes = STANDARD_NO_PAD.decode(auth.trim().trim_end_matches('=')).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        let password = password.trim_matches('\0').to_owned();
        Some(Credential::Password { user: user.to_owned(), password })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Credential::Password { .. } => "Password",
            Credential::IdentityToken(_) => "IdentityToken",
        })
    }
}
