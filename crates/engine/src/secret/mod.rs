//! Secrets: short texts that containers are given in files or variables, and that are in no image,
//! no command line, no log and no answer but that of who asks for them. They are not encrypted: a
//! file that its owner alone can read, as with Podman's usual driver.
//!
//! Each is a file of its own below the root folder. Its first line is what is known of it, as JSON;
//! all that follows is the secret. So it is there as a whole, or not at all, and changes at one
//! stroke.

mod given;

pub(crate) use given::{files, provide, variables};

use crate::clock;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::{folders, id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// As with Podman: a secret has less bytes than this.
pub const TOO_LARGE: usize = 512_000;

/// Written by who has the lock; no secret has this name.
const NEW: &str = ".new";

/// What is known of a secret, without the secret itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// 25 hexadecimal digits.
    pub id: String,
    /// Its name, which is that of its file.
    #[serde(skip)]
    pub name: String,
    /// Nanoseconds since 1970.
    pub created: u64,
    /// When it was last given another content.
    pub updated: u64,
    /// Anything.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// Keeps a secret; with `replace` in place of the one that has this name, which containers that
    /// are there already do not notice. Returns its id.
    ///
    /// # Errors
    /// The name cannot be one, or is taken; there is nothing to keep, or too much.
    pub fn create_secret(
        &self,
        name: &str,
        content: &[u8],
        labels: BTreeMap<String, String>,
        replace: bool,
    ) -> Result<String> {
        check_name(name)?;
        if content.is_empty() || content.len() >= TOO_LARGE {
            let size = content.len();
            let text = format!("a secret has 1 to {} bytes, not {size}", TOO_LARGE - 1);
            return Err(Error::invalid(format!("secret {name}: {text}")));
        }
        let _lock = self.lock_secrets()?;
        let now = clock::now();
        let before = self.secrets()?.into_iter().find(|it| it.name == name);
        let secret = match before {
            Some(_) if !replace => return Err(Error::SecretExists(name.to_owned())),
            Some(old) => Secret { updated: now, labels, ..old },
            None => {
                let id = id::random()?[..25].to_owned();
                Secret { id, name: name.to_owned(), created: now, updated: now, labels }
            }
        };
        let mut bytes = crate::database::to_json(&secret)?.into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(content);
        let path = self.folders.secrets();
        put(&path, name, &bytes).map_err(Error::file(path.join(name)))?;
        Ok(secret.id)
    }

    /// All secrets, by name.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn secrets(&self) -> Result<Vec<Secret>> {
        let path = self.folders.secrets();
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::file(&path))?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::file(&path))?.file_name();
            let name = name.to_str().filter(|name| check_name(name).is_ok());
            // Somebody may have removed it meanwhile.
            if let Some(name) = name
                && let Some((secret, _)) = self.read_secret(name)?
            {
                all.push(secret);
            }
        }
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// The secret that has this name or id, or whose id alone begins like this; and its content.
    ///
    /// # Errors
    /// There is none, or several have such ids.
    pub fn secret(&self, text: &str) -> Result<(Secret, Vec<u8>)> {
        if check_name(text).is_ok()
            && let Some(found) = self.read_secret(text)?
        {
            return Ok(found);
        }
        let fits = |it: &Secret| !text.is_empty() && it.id.starts_with(text);
        let mut found = self.secrets()?;
        found.retain(fits);
        let gone = || Error::NoSuchSecret(text.to_owned());
        match &found[..] {
            [one] => self.read_secret(&one.name)?.ok_or_else(gone),
            [] => Err(gone()),
            _ => {
                let ids: Vec<&str> = found.iter().map(|it| it.id.as_str()).collect();
                Err(Error::Ambiguous { text: text.to_owned(), found: ids.join(", ") })
            }
        }
    }

    /// Forgets a secret. Containers that were made with it keep what they have been given.
    ///
    /// # Errors
    /// As [`Engine::secret`].
    pub fn remove_secret(&self, text: &str) -> Result<Secret> {
        let _lock = self.lock_secrets()?;
        let (secret, _) = self.secret(text)?;
        let path = self.folders.secrets().join(&secret.name);
        fs::remove_file(&path).map_err(Error::file(path))?;
        Ok(secret)
    }

    fn read_secret(&self, name: &str) -> Result<Option<(Secret, Vec<u8>)>> {
        let path = self.folders.secrets().join(name);
        let mut bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(Error::file(path))?,
        };
        let damaged = |reason: String| Error::Damaged { what: format!("secret {name}"), reason };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| damaged("it has no first line".to_owned()))?;
        let secret: Secret =
            serde_json::from_slice(&bytes[..end]).map_err(|error| damaged(error.to_string()))?;
        bytes.drain(..=end);
        Ok(Some((Secret { name: name.to_owned(), ..secret }, bytes)))
    }

    /// Nobody else makes or removes one while this is held.
    fn lock_secrets(&self) -> Result<Lock> {
        let path = self.folders.secrets();
        folders::make(&path)?;
        let lock = Lock::take(&path.join(".lock"))?;
        lock.ok_or_else(|| Error::invalid(format!("{}: it was removed", path.display())))
    }
}

/// A whole file, which survives a power cut from then on.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(NEW);
    let written = write_private(&new, bytes).and_then(|()| fs::rename(&new, folder.join(name)));
    if written.is_err() {
        // It may not even have been made.
        let _ = fs::remove_file(&new);
        return written;
    }
    File::open(folder)?.sync_all()
}

/// What somebody who was killed has left is written over.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name that is a file name, and no option of `--secret`.
fn check_name(name: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts_well && name.len() < 254 && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "invalid name of a secret, {name:?}: letters, digits, '_', '.' and '-' are allowed, at most \
         253, the first a letter or digit"
    )))
}

/// The folder with a container's own secrets.
fn of_container(folder: &Path) -> PathBuf {
    folder.join("secrets")
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_files_in_one_folder() {
        for name in ["a", "db.password", "A-1_b", &"x".repeat(253)] {
            check_name(name).unwrap();
        }
        for name in
            ["", ".", "..", ".new", "-a", "a/b", "a b", "a,b", "a=b", "ä", "a\n", &"x".repeat(254)]
        {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
