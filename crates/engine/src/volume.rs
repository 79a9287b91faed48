//! Volumes: folders that outlive containers.

use crate::clock;
use crate::database::{self, Volume};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::settings::{MountKind, Settings};
use crate::{folders, id};
use std::collections::BTreeMap;
use std::path::PathBuf;

impl Engine {
    /// Makes a volume, or leaves the one of that name as it is. Without a name, one is made up.
    ///
    /// # Errors
    /// The name cannot be one.
    pub fn create_volume(
        &self,
        name: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Result<String> {
        let anonymous = name.is_none();
        let name = match name {
            Some(name) => name.to_owned(),
            None => id::random()?,
        };
        id::check_name(&name)?;
        // The folder first: a row speaks of what is there.
        folders::make_with(&self.volume_path(&name), 0o755)?;
        let users = Vec::new();
        let volume = Volume { name, created: clock::now(), labels, anonymous, users };
        database::insert_volume(&self.store, &volume)?;
        Ok(volume.name)
    }

    /// All volumes, by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn volumes(&self) -> Result<Vec<Volume>> {
        database::volumes(&self.store)
    }

    /// The volume of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn volume(&self, name: &str) -> Result<Volume> {
        let found = self.volumes()?.into_iter().find(|volume| volume.name == name);
        found.ok_or_else(|| Error::NoSuchVolume(name.to_owned()))
    }

    /// Removes a volume and what is in it.
    ///
    /// # Errors
    /// There is none; a container uses it.
    pub fn remove_volume(&self, name: &str) -> Result<()> {
        database::delete_volume(&self.store, name)?;
        let path = self.folders.volumes().join(name);
        std::fs::remove_dir_all(&path).map_err(Error::file(path))
    }

    /// Where its files are.
    pub fn volume_path(&self, name: &str) -> PathBuf {
        self.folders.volumes().join(name).join("_data")
    }

    /// Makes the volumes that a container is to have and that are not there; those without a name
    /// get one.
    pub(crate) fn provide_volumes(&self, settings: &mut Settings) -> Result<()> {
        for mount in &mut settings.mounts {
            if mount.kind == MountKind::Volume {
                let name = Some(mount.source.as_str()).filter(|name| !name.is_empty());
                mount.source = self.create_volume(name, BTreeMap::new())?;
            }
        }
        Ok(())
    }
}
