//! What can be done to a folder only when nothing more is put into it.

use super::Error;
use super::folders::{Folders, OfEntry};
use super::metadata::{self, Target};
use super::times::Times;
use crate::tar::{Entry, Name};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use sys::OrError;
use sys::rustix::fs::{Mode, OFlags, openat};
use sys::rustix::io::Errno;

/// The folders of a layer, and what is still to be done to them.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) times: Times,
    /// Attributes that all new files of the folder would inherit.
    attributes: BTreeMap<Name, Entry>,
    /// How many bytes of memory these take.
    pub(super) remembered: u64,
}

impl Pending {
    /// Remembers a folder's time, and takes the attributes out of its entry that must wait.
    pub(super) fn add(
        &mut self,
        entry: &mut Entry,
        place: BorrowedFd<'_>,
    ) -> Result<(), sys::Error> {
        self.times.add(entry, place)?;
        let is_inherited = |(name, _): &(Vec<u8>, _)| metadata::is_inherited(name);
        if entry.attributes.iter().any(is_inherited) {
            let (waiting, now) = entry.attributes.drain(..).partition(is_inherited);
            entry.attributes = now;
            let waiting: Vec<(Vec<u8>, Vec<u8>)> = waiting;
            self.remembered += remembered(entry.name.as_bytes()) + size_of::<Entry>() as u64;
            self.remembered += waiting.iter().map(|(_, value)| remembered(value)).sum::<u64>();
            self.attributes
                .insert(entry.name.clone(), Entry { attributes: waiting, ..entry.clone() });
        }
        Ok(())
    }

    /// Does all of it. Later entries of the same name win, as they did when they were made.
    pub(super) fn finish(
        &self,
        folders: &Folders<'_>,
        mut skipped: impl FnMut(&Name, String),
    ) -> Result<(), Error> {
        for (name, entry) in &self.attributes {
            on_folder(folders, name, |folder| {
                metadata::set_attributes(Target::Open(folder), entry, |what| skipped(name, what))
            })?;
        }
        let implied =
            folders.implied.iter().filter_map(|(path, time)| Some((Name::new(path).ok()?, *time)));
        let implied = implied.map(Ok);
        for folder in implied.chain(self.times.all()) {
            let (name, time) = folder.map_err(|error| {
                let error = sys::Error::new("read", "times of folders".to_owned(), errno(&error));
                Error::Kernel(Name::default(), error)
            })?;
            on_folder(folders, &name, |folder| metadata::set_file_times(folder, time, None))?;
        }
        Ok(())
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

/// What it takes to remember some bytes, with what belongs to them.
pub(super) fn remembered(bytes: &[u8]) -> u64 {
    bytes.len() as u64 + 64
}

/// Opens the folder, if it is still one: a later entry may have replaced it.
fn on_folder(
    folders: &Folders<'_>,
    name: &Name,
    act: impl FnOnce(BorrowedFd<'_>) -> Result<(), sys::Error>,
) -> Result<(), Error> {
    let place = match folders.find(name.as_bytes()) {
        Err(error) if matches!(error.errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            return Ok(());
        }
        found => found.of_entry(name)?,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(&place, c".", flags, Mode::empty()).or_error("openat", String::new);
    act(opened.of_entry(name)?.as_fd()).of_entry(name)
}
