//! What can be wrong with an archive.

use std::io;

/// Why an archive cannot be read on, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not as an archive must be.
    #[error("tar archive, byte {at}: {problem}")]
    Format {
        /// How many bytes of the archive come before.
        at: u64,
        /// What is wrong.
        problem: Problem,
    },
    /// Its bytes could not be had.
    #[error(transparent)]
    Source(#[from] io::Error),
}

/// What is wrong with an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum Problem {
    #[error("it ends in the middle of an entry")]
    Truncated,
    #[error("the header's checksum is wrong, so this is not a tar archive or it is damaged")]
    Checksum,
    #[error("{0} is not a number, or too large")]
    Number(&'static str),
    #[error("entries of type {0:?} are not known")]
    Type(char),
    #[error("the name {0:?} is not allowed: {1}")]
    Name(String, &'static str),
    #[error("an extended header of {0} bytes is too large")]
    ExtendedHeaderSize(u64),
    #[error("an extended header is damaged")]
    ExtendedHeader,
    #[error("an extended header is not followed by an entry")]
    NothingExtended,
    #[error("the map of a sparse file is damaged")]
    SparseMap,
    #[error("one block of zeros is followed by something else")]
    LoneZeroBlock,
}
