//! How much room containers and volumes take on the disk.

use crate::cursor::Cursor;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use sys::OrError;
use sys::rustix::fs::{AtFlags, Dir, FileType, Stat, fstat, statat};
use sys::rustix::io::Errno;

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
        size(&path)
    }

    /// How long the files are that a container has written.
    ///
    /// # Errors
    /// Its folder cannot be read.
    pub fn written_by(&self, container: &Container) -> Result<u64> {
        let path = self.folder(container).upper();
        length(&path)
    }

    /// What is in volumes.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn room_of_volumes(&self) -> Result<Room> {
        let mut room = Room::default();
        for volume in self.volumes()? {
            let path = self.volume_path(&volume.name);
            let bytes = size(&path)?;
            room.add(bytes, !volume.users.is_empty());
        }
        Ok(room)
    }
}

/// The bytes of the files of a tree, as Docker counts them: folders have none. Nothing if it is gone.
fn length(path: &Path) -> Result<u64> {
    let Some(folder) = open(path)? else { return Ok(0) };
    let mut bytes = 0;
    each_below(folder.into(), &mut |status| {
        let is_file = FileType::from_raw_mode(status.st_mode).is_file();
        bytes += if is_file { status.st_size.unsigned_abs() } else { 0 };
    })?;
    Ok(bytes)
}

/// The bytes of a tree, as the disk counts; a file with several names counts once. Nothing if it is
/// gone.
fn size(path: &Path) -> Result<u64> {
    let Some(folder) = open(path)? else { return Ok(0) };
    let own = fstat(&folder).or_error("fstat", || format!("{path:?}"))?;
    let mut seen = BTreeSet::new();
    let mut blocks = own.st_blocks;
    each_below(folder.into(), &mut |status| {
        let has_names = status.st_nlink > 1 && !FileType::from_raw_mode(status.st_mode).is_dir();
        if !has_names || seen.insert((status.st_dev, status.st_ino)) {
            blocks += status.st_blocks;
        }
    })?;
    Ok(blocks.unsigned_abs() * 512)
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        folder => folder.map(Some).map_err(Error::file(path)),
    }
}

/// Tells of all that is below a folder. What goes away meanwhile does not count, and links are not
/// followed.
fn each_below(folder: OwnedFd, tell: &mut dyn FnMut(&Stat)) -> Result<()> {
    let mut cursor = Cursor::new(folder);
    let mut left = vec![each_in(&cursor, tell)?];
    while let Some(folders) = left.last_mut() {
        if let Some(name) = folders.pop() {
            match cursor.down(&name) {
                Ok(()) => left.push(each_in(&cursor, tell)?),
                Err(error) if is_gone(error.errno) => {}
                Err(error) => return Err(error.into()),
            }
            continue;
        }
        left.pop();
        match cursor.up() {
            _ if left.is_empty() => {}
            // With it went the way to the rest.
            Err(error) if is_gone(error.errno) => return Ok(()),
            result => result.map(drop)?,
        }
    }
    Ok(())
}

/// Tells of what is in a folder, and returns the names of the folders in it.
fn each_in(folder: &Cursor, tell: &mut dyn FnMut(&Stat)) -> Result<Vec<CString>> {
    let mut folders = Vec::new();
    let entries = match Dir::read_from(folder) {
        Err(errno) if is_gone(errno) => return Ok(folders),
        entries => entries.or_error("openat", || "a folder")?,
    };
    for entry in entries {
        let entry = match entry {
            Err(errno) if is_gone(errno) => break,
            entry => entry.or_error("getdents", || "a folder")?,
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let status = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(errno) if is_gone(errno) => continue,
            status => status.or_error("fstatat", || format!("{name:?}"))?,
        };
        tell(&status);
        if FileType::from_raw_mode(status.st_mode).is_dir() {
            folders.push(name.to_owned());
        }
    }
    Ok(folders)
}

/// Or something else is in its place.
fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE)
}
