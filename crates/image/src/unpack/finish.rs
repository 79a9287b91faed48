//! What can be done to a folder only when nothing more is put into it.

use super::Error;
use super::folders::{Folders, OfEntry};
use super::metadata::{self, Target};
use crate::tar::{Entry, Name, Time};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use sys::OrError;
use sys::rustix::fs::{Mode, OFlags, openat};
use sys::rustix::io::Errno;

/// The folders of a layer, and what is still to be done to them. Few bytes each, for there may be
/// many.
#[derive(Default)]
pub(super) struct Pending {
    times: Vec<(Name, Time)>,
    /// Attributes that all new files of the folder would inherit.
    attributes: BTreeMap<Name, Entry>,
    /// How many bytes all that has.
    pub(super) remembered: u64,
}

impl Pending {
    /// Remembers a folder's time, and takes the attributes out of its entry that must wait.
    pub(super) fn add(&mut self, entry: &mut Entry) {
        self.times.push((entry.name.clone(), entry.modified));
        self.remembered += remembered(entry.name.as_bytes());
        let is_inherited = |(name, _): &(Vec<u8>, _)| metadata::is_inherited(name);
        if entry.attributes.iter().any(is_inherited) {
            let (waiting, now) = entry.attributes.drain(..).partition(is_inherited);
            entry.attributes = now;
            let waiting: Vec<(Vec<u8>, Vec<u8>)> = waiting;
            self.remembered += waiting.iter().map(|(_, value)| remembered(value)).sum::<u64>();
            self.attributes
                .insert(entry.name.clone(), Entry { attributes: waiting, ..entry.clone() });
        }
    }

    /// Does all of it. Later entries of the same name win, as they did when they were made.
    pub(super) fn finish(
        self,
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
        for (name, time) in implied.chain(self.times) {
            on_folder(folders, &name, |folder| metadata::set_file_times(folder, time, None))?;
        }
        Ok(())
    }
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
