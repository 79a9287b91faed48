//! Volumes: folders that outlive containers.

use crate::clock;
use crate::copy::copy_folder;
use crate::database::{self, Container, Volume};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::fuse::Files;
use crate::lock::Lock;
use crate::settings::{FileSystem, Mount, MountKind, Settings};
use crate::user_namespace::{Owners, is_fresh};
use crate::{folders, id};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

impl Engine {
    /// Makes a volume, or leaves the one of that name as it is. Without a name, one is made up.
    ///
    /// # Errors
    /// The name cannot be one.
    pub fn create_volume(
        &self,
        name: Option<&str>,
        labels: BTreeMap<String, String>,
        file_system: Option<FileSystem>,
    ) -> Result<String> {
        let volume = Volume { file_system, ..new_volume(name, labels)? };
        let _lock = self.lock_volumes()?;
        let is_new = !self.volumes()?.iter().any(|known| known.name == volume.name);
        // The folder first: a row speaks of what is there.
        folders::make_with(&self.volume_path(&volume.name), 0o755)?;
        self.store.write(|transaction| database::insert_volume(transaction, &volume))?;
        if is_new {
            self.tell_event_of_volume(&volume.name, "create")?;
        }
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
        let lock = self.lock_volumes()?;
        database::make_room(&self.store, || database::delete_volume(&self.store, name))?;
        self.remove_aside(name, lock)?;
        self.tell_event_of_volume(name, "destroy")
    }

    /// Removes the folder of a volume, unless there is a row of that name (by now).
    pub(crate) fn remove_volume_folder(&self, name: &str) -> Result<()> {
        let lock = self.lock_volumes()?;
        if self.volumes()?.iter().any(|volume| volume.name == name) {
            return Ok(());
        }
        self.remove_aside(name, lock)
    }

    /// It may take long, and nobody else is to wait for that.
    fn remove_aside(&self, name: &str, lock: Lock) -> Result<()> {
        let path = self.folders.volumes().join(name);
        let aside = self.folders.volumes().join(format!("{REMOVED}{}", id::random()?));
        match fs::rename(&path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed.map_err(Error::file(path))?,
        }
        drop(lock);
        folders::remove_tree(&aside)
    }

    /// Nobody else makes or removes a volume while this is held: its row and its folder belong
    /// together.
    fn lock_volumes(&self) -> Result<Lock> {
        let path = self.folders.volumes();
        folders::make_with(&path, 0o755)?;
        let lock = Lock::take(&path.join(".lock"))?;
        lock.ok_or_else(|| Error::invalid(format!("{}: it was removed", path.display())))
    }

    /// Where its files are.
    pub fn volume_path(&self, name: &str) -> PathBuf {
        self.folders.volumes().join(name).join("_data")
    }

    /// Makes the folders of the volumes that a container is to have, where they are not there;
    /// those without a name get one.
    pub(crate) fn provide_volumes(&self, settings: &mut Settings) -> Result<Provided> {
        let (mut volumes, mut new) = (Vec::new(), Vec::new());
        let has_volumes = settings.mounts.iter().any(|it| it.kind == MountKind::Volume);
        let known = if has_volumes { self.volumes()? } else { Vec::new() };
        for mount in settings.mounts.iter_mut().filter(|it| it.kind == MountKind::Volume) {
            let name = Some(mount.source.as_str()).filter(|name| !name.is_empty());
            let mut volume = new_volume(name, std::mem::take(&mut mount.labels))?;
            mount.source.clone_from(&volume.name);
            match known.iter().find(|it| it.name == volume.name) {
                Some(same) => mount.file_system.clone_from(&same.file_system),
                None => {
                    volume.file_system.clone_from(&mount.file_system);
                    new.push(volume.name.clone());
                }
            }
            volumes.push(volume);
        }
        let lock = if volumes.is_empty() { None } else { Some(self.lock_volumes()?) };
        for volume in &volumes {
            folders::make_with(&self.volume_path(&volume.name), 0o755)?;
        }
        Ok(Provided { volumes, new, _lock: lock })
    }

    /// Puts into volumes that are new or empty what the image has in their place, with its owners:
    /// programs find what they expect, and may write where the image says so. Whose ids are to be
    /// translated is known only when the container has its own, and has that done when it starts.
    pub(crate) fn fill_volumes(
        &self,
        folder: &ContainerFolder,
        layers: &[PathBuf],
        id: &str,
        settings: &Settings,
    ) -> Result<()> {
        let known = self.volumes()?;
        let is_used = |name: &str| {
            known.iter().any(|it| it.name == name && it.users.iter().any(|user| user != id))
        };
        let namespaces = &settings.namespaces;
        let owners = (&self.owners_on_disk(&namespaces.ids), &Owners::new(&namespaces.ids));
        let is_turn = |mount: &Mount| {
            let is_translated = namespaces.wants_own_ids() && !mount.is_mapped();
            is_translated != namespaces.ids.is_empty()
        };
        let volumes = settings.mounts.iter().filter(|it| it.kind == MountKind::Volume);
        let volumes = volumes.filter(|it| is_turn(it));
        let mut files = None;
        for mount in
            volumes.filter(|it| !it.no_copy && it.file_system.is_none() && !is_used(&it.source))
        {
            let path = self.volume_path(&mount.source);
            let mut entries = fs::read_dir(&path).map_err(Error::file(&path))?;
            // At a later start, what the container has removed stays so.
            let is_old = !namespaces.ids.is_empty() && !is_fresh(&path)?;
            if is_old || entries.next().is_some() {
                continue;
            }
            if files.is_none() {
                files = Some(self.mounted_nowhere(folder, layers)?);
            }
            let Some(Files { root, .. }) = &files else { continue };
            // Aside first: whoever is killed leaves no half of it.
            let new = path.with_file_name("new");
            folders::remove_tree(&new)?;
            if copy_folder(root, &mount.target, &new, owners)? {
                fs::rename(&new, &path).map_err(Error::file(&path))?;
            }
        }
        Ok(())
    }

    /// Does so for a container that starts with ids of its own.
    pub(crate) fn fill_translated_volumes(&self, container: &Container) -> Result<()> {
        let Container { id, layers, settings, manifest, .. } = container;
        let has_volumes = settings.mounts.iter().any(|it| it.kind == MountKind::Volume);
        if settings.namespaces.ids.is_empty() || !has_volumes || manifest.is_none() {
            return Ok(());
        }
        let _lock = self.lock_volumes()?;
        self.fill_volumes(&self.folder(container), layers, id, settings)
    }

    /// Removes what was made for a container that did not come to be.
    pub(crate) fn withdraw_volumes(&self, provided: Provided) -> Result<()> {
        let Provided { volumes, _lock: lock, .. } = provided;
        drop(lock);
        volumes.iter().try_for_each(|it| self.remove_volume_folder(&it.name))
    }
}

/// Volumes that have folders, and are to get rows while this is held.
pub(crate) struct Provided {
    pub(crate) volumes: Vec<Volume>,
    /// The names of those that there were not.
    new: Vec<String>,
    _lock: Option<Lock>,
}

impl Provided {
    /// The names of those that there were not. They have rows by now.
    pub(crate) fn into_new(self) -> Vec<String> {
        self.new
    }
}

/// What the folders are called that are just being removed.
pub(crate) const REMOVED: &str = ".removed-";

fn new_volume(name: Option<&str>, labels: BTreeMap<String, String>) -> Result<Volume> {
    let anonymous = name.is_none();
    let name = match name {
        Some(name) => name.to_owned(),
        None => id::random()?,
    };
    id::check_name(&name).map_err(|_| {
        Error::invalid(format!(
            "{name:?} is no name of a volume: letters, digits, '_', '.' and '-' are allowed, \
             the first a letter or digit; a path begins with / or ./"
        ))
    })?;
    Ok(Volume {
        name,
        created: clock::now(),
        labels,
        file_system: None,
        anonymous,
        users: Vec::new(),
    })
}
