//! Docker's `config.json` and Podman's `auth.json`, which have the same form.

use super::{AuthError, Credential, helper};
use crate::file;
use crate::reference::{DOCKER_HUB, Repository};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Docker's name for Docker Hub in these files.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Where credentials are kept: files, and the helpers that they name.
#[derive(Clone, Debug, Default)]
pub struct CredentialFiles {
    files: Vec<PathBuf>,
}

/// Where a credential was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In a file, readable by whoever can read it.
    File(PathBuf),
    /// By a helper.
    Helper(String),
}

impl CredentialFiles {
    /// Files in the order in which they are read; the first is the one that is written. None of
    /// them needs to exist.
    pub fn new(files: Vec<PathBuf>) -> CredentialFiles {
        CredentialFiles { files }
    }

    /// What is known for a repository: the most precise entry of the first file that has any.
    ///
    /// # Errors
    /// A file or a helper that is broken: to go on without could pull something else.
    pub fn find(&self, repository: &Repository) -> Result<Option<Credential>, AuthError> {
        for path in &self.files {
            let Some(config) = read(path)? else { continue };
            if let Some(credential) = find_in(&config, path, repository)? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    /// What is known for a registry, whatever the repository.
    ///
    /// # Errors
    /// As [`CredentialFiles::find`].
    pub fn find_registry(&self, registry: &str) -> Result<Option<Credential>, AuthError> {
        for path in &self.files {
            let Some(config) = read(path)? else { continue };
            if let Some(credential) = find_registry_in(&config, path, registry)? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    /// Keeps a credential: with the helper that the first file names, or in that file.
    ///
    /// # Errors
    /// There is no file to write to, it cannot be written, or the helper failed.
    pub fn store(&self, registry: &str, credential: &Credential) -> Result<Kept, AuthError> {
        let path = self.files.first().ok_or(AuthError::NoFile)?;
        let config = read(path)?.unwrap_or_default();
        if let Some(name) = helper_for(&config, registry) {
            helper::store(name, &key(registry), credential)?;
            return Ok(Kept::Helper(name.to_owned()));
        }
        let entry = match credential {
            Credential::Password { user, password } => {
                json!({"auth": Credential::encode_pair(user, password)})
            }
            Credential::IdentityToken(token) => json!({"auth": "", "identitytoken": token}),
        };
        change(path, |config| {
            let auths = config.entry("auths").or_insert_with(|| json!({}));
            if let Some(auths) = auths.as_object_mut() {
                auths.insert(key(registry), entry);
            }
        })?;
        Ok(Kept::File(path.clone()))
    }

    /// Forgets a registry, in all files and helpers. Says where it was known.
    ///
    /// # Errors
    /// A file that cannot be written, or a helper that failed.
    pub fn erase(&self, registry: &str) -> Result<Vec<Kept>, AuthError> {
        let mut forgotten = Vec::new();
        for path in &self.files {
            let Some(config) = read(path)? else { continue };
            if let Some(name) = helper_for(&config, registry)
                && helper::get(name, &key(registry))?.is_some()
            {
                helper::erase(name, &key(registry))?;
                forgotten.push(Kept::Helper(name.to_owned()));
            }
            let is_ours = |known: &str| normal(known) == registry;
            if auths(&config).is_some_and(|auths| auths.keys().any(|known| is_ours(known))) {
                change(path, |config| {
                    if let Some(auths) = config.get_mut("auths").and_then(Value::as_object_mut) {
                        auths.retain(|known, _| !is_ours(known));
                    }
                })?;
                forgotten.push(Kept::File(path.clone()));
            }
        }
        Ok(forgotten)
    }
}

/// The entry for the longest part of `registry/path` (Podman's rule), then the registry's.
fn find_in(
    config: &Map<String, Value>,
    path: &Path,
    repository: &Repository,
) -> Result<Option<Credential>, AuthError> {
    let name = repository.to_string();
    let mut place = name.as_str();
    while place.len() > repository.registry().len() {
        if let Some(entry) = auths(config).and_then(|auths| auths.get(place)) {
            return decode(entry, path, place);
        }
        place = place.rfind('/').map_or("", |slash| &place[..slash]);
    }
    find_registry_in(config, path, repository.registry())
}

fn find_registry_in(
    config: &Map<String, Value>,
    path: &Path,
    registry: &str,
) -> Result<Option<Credential>, AuthError> {
    if let Some(name) = helper_for(config, registry)
        && let Some(credential) = helper::get(name, &key(registry))?
    {
        return Ok(Some(credential));
    }
    let entries = auths(config).into_iter().flatten();
    let mut ours = entries.filter(|(known, _)| normal(known) == registry);
    ours.next().map_or(Ok(None), |(known, entry)| decode(entry, path, known))
}

/// `credHelpers` names one for a registry, `credsStore` one for all others.
fn helper_for<'a>(config: &'a Map<String, Value>, registry: &str) -> Option<&'a str> {
    let own = config.get("credHelpers").and_then(Value::as_object);
    let own = own.and_then(|helpers| helpers.get(registry).or_else(|| helpers.get(&key(registry))));
    let name = own.or_else(|| config.get("credsStore")).and_then(Value::as_str);
    name.filter(|name| !name.is_empty())
}

fn auths(config: &Map<String, Value>) -> Option<&Map<String, Value>> {
    config.get("auths").and_then(Value::as_object)
}

/// An empty entry is Docker's note that a helper has the secret.
fn decode(entry: &Value, path: &Path, place: &str) -> Result<Option<Credential>, AuthError> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credential::IdentityToken(token.to_owned())));
    }
    if let Some(auth) = text("auth") {
        let bad = || AuthError::BadEntry { path: path.to_owned(), registry: place.to_owned() };
        return Credential::decode_pair(auth).ok_or_else(bad).map(Some);
    }
    let pair = text("username").zip(text("password"));
    Ok(pair.map(|(user, password)| Credential::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    }))
}

/// The registry that an entry is for: old files have `https://HOST/v1/`.
fn normal(key: &str) -> &str {
    let host = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let is_url = host.is_some();
    let place = host.unwrap_or(key);
    let place = if is_url { place.split('/').next().unwrap_or_default() } else { place };
    match place {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        place => place,
    }
}

/// The name under which a registry is written.
fn key(registry: &str) -> String {
    if registry == DOCKER_HUB { DOCKER_HUB_KEY.to_owned() } else { registry.to_owned() }
}

fn read(path: &Path) -> Result<Option<Map<String, Value>>, AuthError> {
    let Some(bytes) = file::read_if_present(path)? else { return Ok(None) };
    if bytes.trim_ascii().is_empty() {
        return Ok(Some(Map::new()));
    }
    let bad = |source| AuthError::BadFile { path: path.to_owned(), source };
    serde_json::from_slice(&bytes).map(Some).map_err(bad)
}

/// Reads, changes and writes the file, one process at a time. What we do not know in it stays.
fn change(path: &Path, edit: impl FnOnce(&mut Map<String, Value>)) -> Result<(), AuthError> {
    let folder = file::Folder::lock(path)?;
    let mut config = read(path)?.unwrap_or_default();
    edit(&mut config);
    let text = serde_json::to_vec_pretty(&config).unwrap_or_default();
    folder.replace(&text)?;
    Ok(())
}

#[cfg(test)]
mod tests;
