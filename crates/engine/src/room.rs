//! How much room containers and volumes take on the disk.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::{fs, io};

/// How much room things of a kind take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// How many there are.
    pub count: u64,
    /// How many run, or are used.
    pub active: u64,
    /// The bytes of all of them, as the disk counts.
    pub bytes: u64,
    /// The bytes of those that do not run, or that nobody uses.
    pub reclaimable: u64,
}

impl Room {
    fn add(&mut self, bytes: u64, is_active: bool) {
        self.count += 1;
        self.active += u64::from(is_active);
        self.bytes += bytes;
        self.reclaimable += if is_active { 0 } else { bytes };
    }
}

impl Engine {
    /// What containers have changed and printed.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn room_of_containers(&self) -> Result<Room> {
        let mut room = Room::default();
        for container in self.containers()? {
            match self.glance(&container) {
                Ok((seen, _)) => room.add(self.room_of(&container)?, !seen.status.is_over()),
                // It has just been removed.
                Err(Error::NoSuchContainer(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(room)
    }

    /// What a container has changed and printed, in bytes.
    ///
    /// # Errors
    /// Its folder cannot be read.
    pub fn room_of(&self, container: &Container) -> Result<u64> {
        let path = self.folder(container).path;
        size(&path, &mut BTreeSet::new()).map_err(Error::file(path))
    }

    /// How long the files are that a container has written.
    ///
    /// # Errors
    /// Its folder cannot be read.
    pub fn written_by(&self, container: &Container) -> Result<u64> {
        let path = self.folder(container).upper();
        length(&path).map_err(Error::file(path))
    }

    /// What is in volumes.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn room_of_volumes(&self) -> Result<Room> {
        let mut room = Room::default();
        for volume in self.volumes()? {
            let path = self.volume_path(&volume.name);
            let bytes = size(&path, &mut BTreeSet::new()).map_err(Error::file(path))?;
            room.add(bytes, !volume.users.is_empty());
        }
        Ok(room)
    }
}

/// The bytes of the files of a tree, as Docker counts them: folders have none.
fn length(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += match kind.is_dir() {
            true => length(&entry.path()),
            false => entry.metadata().map(|it| if kind.is_file() { it.len() } else { 0 }),
        }
        .or_else(|error| match error.kind() {
            // It has just been removed.
            io::ErrorKind::NotFound => Ok(0),
            _ => Err(error),
        })?;
    }
    Ok(bytes)
}

/// The bytes of a tree; a file with several names counts once. What goes away meanwhile does not
/// count, and links are not followed.
fn size(path: &Path, seen: &mut BTreeSet<(u64, u64)>) -> io::Result<u64> {
    let unless_gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(0),
        _ => Err(error),
    };
    let status = match path.symlink_metadata() {
        Ok(status) => status,
        Err(error) => return unless_gone(error),
    };
    if status.nlink() > 1 && !status.is_dir() && !seen.insert((status.dev(), status.ino())) {
        return Ok(0);
    }
    let mut bytes = status.blocks() * 512;
    if status.is_dir() {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return unless_gone(error),
        };
        for entry in entries {
            bytes += size(&entry?.path(), seen)?;
        }
    }
    Ok(bytes)
}
