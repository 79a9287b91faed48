//! What can go wrong with a store.

use super::OriginError;
use crate::unpack;
use spec::image::{Digest, MediaType};
use std::io;
use sys::rustix::io::Errno;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused something.
    #[error(transparent)]
    Kernel(#[from] sys::Error),
    /// A blob cannot be read or written.
    #[error("blob {0}: {1}")]
    Blob(Digest, #[source] io::Error),
    /// An image's files cannot be written into an archive.
    #[error("cannot export: {0}")]
    Export(#[source] io::Error),
    /// The database refused something.
    #[error("the store's database: {0}")]
    Database(rusqlite::Error),
    /// The database refused something because of the disk that it is on.
    #[error("the store's database: {what}: its disk {why}")]
    Disk {
        /// What it says itself.
        what: String,
        /// What is the matter with the disk.
        why: String,
        /// What the kernel answers.
        errno: Errno,
    },
    /// Somebody else writes the database, and goes on and on.
    #[error("the store's database is locked: another process has kept it to itself all the time")]
    Locked,
    /// The same, and who it is.
    #[error("the store's database is locked by {0}")]
    LockedBy(kernel::lock::Holder),
    /// Somebody has a lock of something else, and does not move.
    #[error(transparent)]
    Lock(#[from] kernel::lock::Error),
    /// The database is damaged.
    #[error("the store's database is damaged: {0}")]
    DamagedDatabase(String),
    /// A newer program made the store.
    #[error("the store has version {version}, and this program knows {known}; use the newer one")]
    NewerStore {
        /// What the store has.
        version: usize,
        /// What this program knows.
        known: usize,
    },
    /// The store is of an older program and cannot be changed.
    #[error("the store has version {version} instead of {known}, and its disk is read-only")]
    OlderStore {
        /// What the store has.
        version: usize,
        /// What this program knows.
        known: usize,
    },
    /// Where the image comes from did not give a blob.
    #[error("blob {digest}: {source}")]
    Origin {
        /// Which one.
        digest: Digest,
        /// Why not.
        source: OriginError,
    },
    /// It gave less than it should have.
    #[error("blob {digest} ended after {received} of {size} bytes")]
    Short {
        /// Which one.
        digest: Digest,
        /// How many bytes came.
        received: u64,
        /// How many there should have been.
        size: u64,
    },
    /// It gave something else.
    #[error("blob {expected} has the digest {found}; it was changed on its way")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A blob of the store is not what it was.
    #[error("blob {0} is damaged; `tinyo system check --repair` gets it again")]
    Damaged(Digest),
    /// A layer cannot be unpacked.
    #[error("layer {digest}: {source}")]
    Unpack {
        /// The digest of its blob.
        digest: Digest,
        /// Why not.
        source: unpack::Error,
    },
    /// A manifest or a configuration is not what it must be.
    #[error("{what} {digest}: {why}")]
    Document {
        /// Which of them.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// It is no image but something else that registries keep.
    #[error("{digest} is no image that can be run but has the type {media_type}")]
    NotAnImage {
        /// Of the manifest.
        digest: Digest,
        /// What it is.
        media_type: MediaType,
    },
    /// No image is meant by a name or digest.
    #[error("no image {0:?} is here; `tinyo pull` gets it")]
    NoSuchImage(String),
    /// A short digest means several.
    #[error("{text:?} means several images: {found}; write more of the digest")]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Some that it may mean.
        found: String,
    },
    /// An image has names that would go with it.
    #[error("image {id} has the names {names}; remove these, or use --force")]
    HasNames {
        /// Short.
        id: String,
        /// All of them.
        names: String,
    },
    /// An image is in use.
    #[error("image {id} is used by {users}; remove these first")]
    InUse {
        /// Short.
        id: String,
        /// All of them.
        users: String,
    },
    /// The disk of the store is read-only.
    #[error("the store is on a read-only disk")]
    ReadOnly,
    /// Something else failed, and this was given up.
    #[error("given up, because something else failed")]
    Interrupted,
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseBusy) => Error::Locked,
            Some(DatabaseCorrupt | NotADatabase) => Error::DamagedDatabase(error.to_string()),
            _ => Error::Database(error),
        }
    }
}

impl Error {
    /// The bytes are not those that were asked for.
    pub(super) fn is_other_bytes(&self) -> bool {
        match self {
            Error::Digest { .. } => true,
            Error::Unpack { source, .. } => {
                matches!(source, unpack::Error::Digest { part: unpack::Part::Blob, .. })
            }
            _ => false,
        }
    }

    /// The bytes, once they are all there, will be of no use.
    pub(super) fn is_bad_content(&self) -> bool {
        let Error::Unpack { source, .. } = self else { return self.is_other_bytes() };
        match source {
            unpack::Error::Digest { .. }
            | unpack::Error::Inflate(_)
            | unpack::Error::Archive(_)
            | unpack::Error::TooManyEntries(_)
            | unpack::Error::TooManyFolders(_)
            | unpack::Error::Refused(..) => true,
            unpack::Error::Source(_) | unpack::Error::Thread(_) | unpack::Error::Kernel(..) => {
                false
            }
        }
    }

    /// There is no room for a row, or for the index of the log of writes.
    pub fn is_full_disk(&self) -> bool {
        let error = match self {
            Error::Database(error) => error,
            Error::Disk { errno, .. } => return matches!(*errno, Errno::NOSPC | Errno::DQUOT),
            _ => return false,
        };
        let for_index = Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            || error.sqlite_error().map(|error| error.extended_code) == for_index
    }

    /// The bytes ended too early.
    pub(super) fn is_cut_off(&self) -> bool {
        let (Error::Blob(_, error) | Error::Unpack { source: unpack::Error::Source(error), .. }) =
            self
        else {
            return false;
        };
        error.kind() == io::ErrorKind::UnexpectedEof
    }
}
