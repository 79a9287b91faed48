//! Credential helpers: programs that keep secrets for Docker and its like.
//!
//! The protocol: `docker-credential-NAME get` reads a server's name and answers with a JSON
//! object; `store` reads such an object; `erase` reads a name.

use super::{AuthError, Credential};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::process::{Command, Stdio};

/// What helpers print and read. A user name of `<token>` says that the secret is a refresh token.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

const TOKEN_USER: &str = "<token>";

/// What every helper prints when it has nothing for a server.
const NOT_FOUND: &str = "credentials not found";

/// Asks a helper. None if it has nothing.
pub(super) fn get(name: &str, server: &str) -> Result<Option<Credential>, AuthError> {
    let output = match run(name, "get", server.as_bytes()) {
        Ok(output) => output,
        Err(AuthError::Helper { reason, .. }) if reason.contains(NOT_FOUND) => return Ok(None),
        Err(error) => return Err(error),
    };
    let entry: Entry = serde_json::from_slice(&output)
        .map_err(|_| failure(name, "get", "it printed no JSON object with Username and Secret"))?;
    Ok(match entry {
        Entry { secret, .. } if secret.is_empty() => None,
        Entry { username, secret, .. } if username == TOKEN_USER => {
            Some(Credential::IdentityToken(secret))
        }
        Entry { username, secret, .. } => {
            Some(Credential::Password { user: username, password: secret })
        }
    })
}

/// Gives a helper something to keep.
pub(super) fn store(name: &str, server: &str, credential: &Credential) -> Result<(), AuthError> {
    let (user, secret) = match credential {
        Credential::Password { user, password } => (user.as_str(), password),
        Credential::IdentityToken(token) => (TOKEN_USER, token),
    };
    let entry =
        Entry { server: server.to_owned(), username: user.to_owned(), secret: secret.clone() };
    let text = serde_json::to_vec(&entry).unwrap_or_default();
    run(name, "store", &text).map(drop)
}

/// Lets a helper forget. That it knew nothing is no failure.
pub(super) fn erase(name: &str, server: &str) -> Result<(), AuthError> {
    match run(name, "erase", server.as_bytes()) {
        Err(AuthError::Helper { reason, .. }) if reason.contains(NOT_FOUND) => Ok(()),
        result => result.map(drop),
    }
}

fn run(name: &str, verb: &'static str, input: &[u8]) -> Result<Vec<u8>, AuthError> {
    // The name is part of a file name, looked up in $PATH; with a slash it could be any program.
    if name.is_empty()
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        return Err(failure(name, verb, "its name may have only letters, digits, - _ and ."));
    }
    let mut command = Command::new(format!("docker-credential-{name}"));
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failure(name, verb, "it is not installed (not in $PATH)"),
        _ => failure(name, verb, error.to_string()),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read to the end says itself what is wrong, by its exit code.
        let _ = stdin.write_all(input);
    }
    let output =
        child.wait_with_output().map_err(|error| failure(name, verb, error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    // Helpers print their errors on standard output; others on standard error.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    Err(failure(name, verb, line.map_or(output.status.to_string(), str::to_owned)))
}

fn failure(name: &str, verb: &'static str, reason: impl Into<String>) -> AuthError {
    AuthError::Helper { name: name.to_owned(), verb, reason: reason.into() }
}
