//! Small files are filled by a thread of their own: to make one takes the kernel as long as to fill
//! it and to set what it is like, and layers are mostly small files.
//!
//! A file is made where its name has its turn, and is then only a descriptor: whatever the layer
//! does to the name later, it does it to this file.

use super::folders::OfEntry;
use super::metadata::{self, Target};
use super::{Error, data};
use crate::tar::{Entry, Name};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use sys::rustix::fs::Mode;

/// A longer file is filled by who made it.
pub(super) const SMALL: u64 = 64 << 10;

/// So many are handed over together: to wake a thread takes longer than to fill a file. Three times
/// as many are open, as there are those being filled, those waiting, those being gathered.
const TOGETHER: usize = 16;

/// What was not kept of whose entry.
pub(super) type Skipped = Vec<(Name, String)>;

/// A file that was made, and all that is still to be done to it.
pub(super) struct File {
    pub(super) file: OwnedFd,
    pub(super) entry: Entry,
    /// If it is not the right one yet.
    pub(super) owner: Option<(u32, u32)>,
    /// If it is not the right one yet.
    pub(super) mode: Option<Mode>,
}

impl File {
    /// Sets everything but the contents. Owner, then mode and attributes: changing the owner takes
    /// set-id bits and capabilities away. The time last.
    pub(super) fn settle(&self, skipped: impl FnMut(String)) -> Result<(), Error> {
        let (file, entry, of) = (self.file.as_fd(), &self.entry, &self.entry.name);
        if let Some(owner) = self.owner {
            metadata::set_file_owner(file, owner).of_entry(of)?;
        }
        if let Some(mode) = self.mode {
            metadata::set_file_mode(file, mode).of_entry(of)?;
        }
        metadata::set_attributes(Target::Open(file), entry, skipped).of_entry(of)?;
        metadata::set_file_times(file, entry.modified, entry.accessed).of_entry(of)
    }
}

type Batch = Vec<(File, Vec<u8>)>;

/// The thread, which ends when there is no more.
type Thread<'scope> = ScopedJoinHandle<'scope, Result<Skipped, Error>>;

/// The thread that fills files.
pub(super) struct Files<'scope> {
    gathered: Batch,
    /// Both are there until its end.
    thread: Option<(SyncSender<Batch>, Thread<'scope>)>,
}

impl<'scope> Files<'scope> {
    pub(super) fn start(scope: &'scope Scope<'scope, '_>) -> Result<Files<'scope>, Error> {
        let (sender, batches) = sync_channel(1);
        let thread = Builder::new().name("files".to_owned()).stack_size(256 << 10);
        let thread = thread.spawn_scoped(scope, move || fill_all(&batches));
        let thread = thread.map_err(Error::Thread)?;
        Ok(Files { gathered: Batch::new(), thread: Some((sender, thread)) })
    }

    /// Hands over a file and its contents. Its error may be that of an earlier one.
    pub(super) fn add(&mut self, file: File, contents: Vec<u8>) -> Result<(), Error> {
        self.gathered.push((file, contents));
        if self.gathered.len() < TOGETHER {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.gathered);
        let sent = self.thread.as_ref().is_some_and(|(sender, _)| sender.send(batch).is_ok());
        if sent { Ok(()) } else { self.end().and(Err(ended_early())) }
    }

    /// Waits until all files are as they should be.
    pub(super) fn end(&mut self) -> Result<Skipped, Error> {
        let (sender, thread) = self.thread.take().ok_or_else(ended_early)?;
        // If it has ended already, it says itself why.
        let _ = sender.send(std::mem::take(&mut self.gathered));
        drop(sender);
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// What nobody sees: the thread's own error is there first.
fn ended_early() -> Error {
    Error::Thread(io::ErrorKind::BrokenPipe.into())
}

fn fill_all(batches: &Receiver<Batch>) -> Result<Skipped, Error> {
    let mut skipped = Skipped::new();
    for (file, contents) in batches.iter().flatten() {
        data::write_all(file.file.as_fd(), &contents, &file.entry)?;
        let name = &file.entry.name;
        file.settle(|what| super::extract::skip(&mut skipped, name, what))?;
    }
    Ok(skipped)
}
