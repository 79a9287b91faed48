//! Why an archive cannot be used.

use crate::tar;
use spec::image::BadDigest;
use std::io;

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It has no list of images.
    #[error("no archive of images: there is neither index.json nor manifest.json in it")]
    NoList,
    /// It has no image for the machine.
    #[error("none of the images is for {machine}")]
    NoPlatform {
        /// What was wanted.
        machine: String,
    },
    /// Something is missing from it.
    #[error("{0:?} is missing from the archive")]
    Missing(String),
    /// A file in it is longer than it may be.
    #[error("{path:?} has {size} bytes, which is too long")]
    TooLong {
        /// Which file.
        path: String,
        /// How long it is.
        size: u64,
    },
    /// A document in it is damaged.
    #[error("{path:?}: {source}")]
    Json {
        /// Which file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A document in it names something that is no digest.
    #[error("{path:?}: {source}")]
    Digest {
        /// Which file.
        path: String,
        /// What is wrong.
        source: BadDigest,
    },
    /// Indexes in it go on for ever.
    #[error("{0:?} is an index in an index in an index; that is too deep")]
    TooDeep(String),
    /// The tar file is damaged.
    #[error(transparent)]
    Tar(#[from] tar::Error),
    /// A file cannot be read or written.
    #[error("{path:?}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The kernel refused something.
    #[error(transparent)]
    Kernel(#[from] sys::Error),
    /// The store has not what is to be saved.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The archive cannot be written.
    #[error("cannot write the archive: {0}")]
    Write(#[source] io::Error),
}
