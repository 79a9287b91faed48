//! The names of the running containers of a network: a file that all their monitors read.

use crate::database::Container;
use crate::error::{Error, Result};
use crate::folders::{self, Folders};
use crate::lock::Lock;
use crate::small_file;
use net::dns::{Entry, Zone};
use std::path::PathBuf;

/// The file with the names in a network.
pub(crate) fn path(folders: &Folders, network: &str) -> PathBuf {
    folders.networks().join(network)
}

/// Nobody else changes the names in a network while this is held.
pub(crate) fn lock(folders: &Folders, network: &str) -> Result<Lock> {
    folders::make(&folders.networks())?;
    let path = folders.networks().join(format!(".{network}"));
    let lock = Lock::take(&path)?;
    lock.ok_or_else(|| Error::NoSuchNetwork(network.to_owned()))
}

/// Makes these the names of a container, given by the beginning of its id, which is one of them;
/// none when it has ended.
pub(crate) fn set_names(
    folders: &Folders,
    network: &str,
    short_id: &str,
    entries: &[Entry],
) -> Result<()> {
    let _lock = lock(folders, network)?;
    let path = path(folders, network);
    let old = small_file::read(&path).map_err(Error::file(&path))?.unwrap_or_default();
    let is_other = |line: &&str| line.split_ascii_whitespace().all(|word| word != short_id);
    let mut text: String = old.lines().filter(is_other).flat_map(|line| [line, "\n"]).collect();
    text.push_str(&Zone::text(entries));
    if text == old {
        return Ok(());
    }
    small_file::replace_locked(&path, text.as_bytes()).map_err(Error::file(&path))
}

/// A container has ended.
pub(crate) fn names_end(folders: &Folders, network: &str, container: &Container) -> Result<()> {
    set_names(folders, network, &container.id[..12], &[])
}

/// The words of each line of a network's file that may be the beginnings of a container's id.
pub(crate) fn ids(folders: &Folders, network: &str) -> Result<Vec<Vec<String>>> {
    let path = path(folders, network);
    let text = small_file::read(&path).map_err(Error::file(&path))?.unwrap_or_default();
    let is_id = |word: &&str| word.len() == 12 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let ids = |line: &str| {
        line.split_ascii_whitespace().filter(is_id).map(str::to_owned).collect::<Vec<_>>()
    };
    Ok(text.lines().map(ids).filter(|ids| !ids.is_empty()).collect())
}

/// Removes the file of a network that is gone.
pub(crate) fn remove(folders: &Folders, network: &str, lock: Lock) -> Result<()> {
    for path in [path(folders, network), folders.networks().join(format!(".{network}"))] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::File { path, error });
            }
            _ => {}
        }
    }
    drop(lock);
    Ok(())
}
