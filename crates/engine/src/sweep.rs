//! Folders of containers that have no row: whoever made or removed them was killed.

use crate::database;
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::lock::Lock;
use std::fs;

impl Engine {
    /// Removes what is left of containers that are none any more, and says which those were.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn sweep(&self) -> Result<Vec<String>> {
        let path = self.folders.containers();
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::file(&path))?,
        };
        let mut swept = Vec::new();
        for entry in entries {
            let id = entry.map_err(Error::file(&path))?.file_name().to_string_lossy().into_owned();
            let folder = self.folders.container(&id);
            // Whoever makes one holds its lock until there is a row.
            let Some(_lock) = Lock::try_take(&folder.file("lock"))? else { continue };
            // Only now: it may have got its row while the lock was waited for.
            match database::find(&self.store, &id) {
                Err(Error::NoSuchContainer(_)) => {}
                found => {
                    found?;
                    continue;
                }
            }
            runtime::delete(&self.folders.runtime(), &runtime_id(&id)?, true)?;
            fs::remove_dir_all(&folder.path).map_err(Error::file(&folder.path))?;
            swept.push(id);
        }
        Ok(swept)
    }
}
