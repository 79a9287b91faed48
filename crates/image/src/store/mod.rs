//! What was pulled, kept so that neither a kill nor a power cut nor a second process harms it.
//!
//! Files first, then their folder, then the row that speaks of them, each synced before the next;
//! when something is removed, the other way round. What a killed process leaves behind is either
//! gone on with (the beginning of a blob) or thrown away by the next one that comes across it.
//!
//! Blobs are kept as they were transported, to be pushed byte for byte; layers are also unpacked,
//! once each, and shared by all images. Nothing here is ever mounted.

mod add;
mod check;
mod claim;
mod database;
mod disk;
mod document;
mod error;
mod fetch;
mod guest;
mod incoming;
mod layout;
mod lock;
mod mapped;
mod origin;
mod query;
mod remove;
mod trash;
mod usage;
mod write_back;

#[cfg(test)]
pub(crate) mod tests;

pub use add::{AddOptions, Candidate};
pub use check::{CheckOptions, Fault, Finding, Outcome};
pub use disk::OfStore;
pub use error::Error;
pub use incoming::Incoming;
pub use layout::Kind;
pub use origin::{Event, Origin, OriginError, Progress};
pub use query::{Image, Layer, Named};
pub use remove::Removed;
pub use usage::Usage;

use crate::flow::Turns;
use crate::unpack::{Marks, Owners};
use layout::Layout;
use rusqlite::Connection;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A store, which any number of processes may use at the same time.
pub struct Store {
    path: PathBuf,
    layout: Layout,
    database: Mutex<Connection>,
    marks: Marks,
    owners: Owners,
    /// For all layers that are inflated.
    turns: Arc<Turns>,
}

impl Store {
    /// Whether there is a store in a folder.
    pub fn exists(path: &Path) -> bool {
        sys::rustix::fs::stat(path.join(database::FILE)).is_ok()
    }

    /// Opens the store in a folder, and makes it if there is none.
    ///
    /// # Errors
    /// The folder cannot be used, or a newer program has made it.
    pub fn open(path: &Path, marks: Marks) -> Result<Store, Error> {
        let layout = Layout::open(path)?;
        let has_content = || layout.has_content();
        let open = || {
            let opened = database::open(path, layout.is_read_only(), &has_content);
            opened.map_err(|error| disk::explained(error, path))
        };
        let database = match open() {
            // Its index is made anew by the first process that comes, and needs room.
            Err(error) if error.is_full_disk() && layout.spend_reserve()? => open()?,
            opened => opened?,
        };
        let database = Mutex::new(database);
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (owners, turns) = (Owners::default(), Arc::default());
        Ok(Store { path, layout, database, marks, owners, turns })
    }

    /// The same, where files of layers become someone's else than the layers say.
    #[must_use]
    pub fn with_owners(self, owners: Owners) -> Store {
        Store { owners, ..self }
    }

    /// The names of all files and folders that the store has in its folder, for whoever removes it.
    pub fn file_names(&self) -> &'static [&'static str] {
        &layout::NAMES
    }

    /// An empty file on the store's disk, which is gone when it is closed.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn spool(&self) -> Result<OwnedFd, Error> {
        if self.layout.is_read_only() {
            return Err(Error::ReadOnly);
        }
        self.layout.make_spool()
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
