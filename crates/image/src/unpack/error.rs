//! Why a layer is not unpacked.

use crate::tar;
use spec::image::Digest;
use std::{fmt, io};

/// Why a layer is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its bytes cannot be had.
    #[error("cannot read the layer: {0}")]
    Source(#[source] io::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// It is not what it was said to be.
    #[error("the {part} has the digest {found} instead of {expected}; it was changed on its way")]
    Digest {
        /// Which bytes.
        part: Part,
        /// What they should hash to.
        expected: Digest,
        /// What they hash to.
        found: Digest,
    },
    /// Its compression is damaged, or it inflates to too much.
    #[error("cannot inflate the layer: {0}")]
    Inflate(#[source] io::Error),
    /// It is no archive that can be read.
    #[error(transparent)]
    Archive(#[from] tar::Error),
    /// It has too many entries.
    #[error("the layer has more than the {0} entries that it may have")]
    TooManyEntries(u64),
    /// It has too many folders, or too deep ones.
    #[error("the names of the layer's folders have more than the {0} bytes that they may have")]
    TooManyFolders(u64),
    /// An entry is not allowed.
    #[error("cannot unpack {0:?}: {1}")]
    Refused(tar::Name, String),
    /// The kernel refused it.
    #[error("cannot unpack {0:?}: {1}")]
    Kernel(tar::Name, #[source] sys::Error),
}

impl Error {
    /// Whether it says nothing about the layer's bytes, so that these need not be read on.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Error::Kernel(..) | Error::Thread(_))
    }
}

/// Which bytes of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// As they were transported.
    Blob,
    /// The tar archive, inflated.
    Archive,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Part::Blob => "layer",
            Part::Archive => "uncompressed layer",
        })
    }
}
