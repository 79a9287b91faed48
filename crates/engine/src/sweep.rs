//! What is of no use any more, because whoever was at it was killed: folders without a row, and
//! files that were to replace others.

use crate::database;
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::folders;
use crate::lock::Lock;
use crate::network::LOCKS_OF_ALL;
use crate::shown;
use crate::volume::REMOVED;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// The letters of a container's id.
const ID_LENGTH: usize = 64;

impl Engine {
    /// Removes what is left of containers, pods, volumes and networks that are none any more, and says
    /// which containers those were.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn sweep(&self) -> Result<Vec<String>> {
        let mut swept = Vec::new();
        for name in names(&self.folders.containers())? {
            if folders::is_removed(&name) {
                folders::remove_tree(&self.folders.containers().join(name))?;
            } else if self.sweep_container(&name)? {
                swept.push(name);
            }
        }
        for name in names(&self.folders.volumes())? {
            let path = self.folders.volumes().join(&name);
            if name.starts_with(REMOVED) {
                folders::remove_tree(&path)?;
            } else if !name.starts_with('.') {
                self.remove_volume_folder(&name)?;
            }
        }
        self.hide_strangers()?;
        self.sweep_networks()?;
        for folder in [self.folders.root(), &self.folders.networks()] {
            sweep_replacements(folder)?;
        }
        self.sweep_pods()?;
        Ok(swept)
    }

    fn sweep_container(&self, id: &str) -> Result<bool> {
        let folder = self.folders.container(id);
        // Whoever makes one holds its lock until there is a row.
        let Some(_lock) = Lock::try_take_folder(&folder.path)? else { return Ok(false) };
        // Only now: it may have got its row while the lock was waited for.
        if !database::is_gone(&self.store, id)? {
            sweep_replacements(&folder.started)?;
            return sweep_replacements(&folder.path).map(|()| false);
        }
        runtime::delete(&self.folders.runtime(), &runtime_id(id)?, true)?;
        shown::hide(&self.folders, id, true)?;
        folder.remove()?;
        Ok(true)
    }

    /// The files of networks that are gone.
    fn sweep_networks(&self) -> Result<()> {
        let found = names(&self.folders.networks())?;
        // Only now: files are made for a row that is there.
        let networks = self.networks()?;
        for name in found {
            let of = name.trim_start_matches('.').trim_end_matches('~');
            // Whoever holds a lock of all networks would hold it alone no more.
            let is_of_all = LOCKS_OF_ALL.contains(&&*name);
            if !is_of_all && !networks.iter().any(|network| network.name == of) {
                let path = self.folders.networks().join(&name);
                fs::remove_file(&path).map_err(Error::file(&path))?;
            }
        }
        Ok(())
    }

    fn sweep_pods(&self) -> Result<()> {
        for name in names(&self.folders.pods())? {
            if folders::is_removed(&name) {
                folders::remove_tree(&self.folders.pod(&name))?;
            }
        }
        self.lost_pods()?.iter().try_for_each(|(id, _lock)| self.sweep_pod(id))
    }

    /// The ids of pods that have no row any more, and that nobody is at.
    pub(crate) fn lost_pods(&self) -> Result<Vec<(String, Lock)>> {
        let mut lost = Vec::new();
        for id in names(&self.folders.pods())? {
            // Whoever makes one holds its lock until there is a row.
            if !folders::is_removed(&id)
                && let Some(lock) = Lock::try_take_folder(&self.folders.pod(&id))?
                && matches!(self.pod(&id), Err(Error::NoSuchPod(_)))
            {
                lost.push((id, lock));
            }
        }
        Ok(lost)
    }

    /// Removes what is left of such a one. The caller holds its lock.
    pub(crate) fn sweep_pod(&self, id: &str) -> Result<()> {
        if let Some(group) = self.lost_group(id)? {
            group.open().remove().map_err(runtime::Error::from)?;
        }
        folders::remove(&self.folders.pod(id))
    }

    /// The ids of containers whose sockets nobody listens at.
    pub(crate) fn dead_sockets(&self) -> Result<Vec<String>> {
        let mut dead = Vec::new();
        for name in names(self.folders.run())? {
            let path = self.folders.socket(&name);
            let is_socket = path.symlink_metadata().is_ok_and(|it| it.file_type().is_socket());
            let is_of_monitor = is_socket && name.len() == ID_LENGTH;
            if is_of_monitor && crate::protocol::connect_to(&path)?.is_none() {
                dead.push(name);
            }
        }
        Ok(dead)
    }
}

/// Removes files that a process which has ended was to replace others by.
fn sweep_replacements(folder: &Path) -> Result<()> {
    for name in names(folder)? {
        let Some((_, pid)) = name.rsplit_once(".new-") else { continue };
        let is_number = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && !Path::new("/proc").join(pid).exists() {
            let path = folder.join(&name);
            fs::remove_file(&path).map_err(Error::file(&path))?;
        }
    }
    Ok(())
}

/// What is in a folder; nothing if there is none.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::file(path))?,
    };
    let name = |entry: std::io::Result<fs::DirEntry>| {
        Ok(entry.map_err(Error::file(path))?.file_name().to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}
