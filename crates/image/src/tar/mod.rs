//! Tar archives, read from a stream and written to one: ustar, GNU's and POSIX's extensions.
//!
//! The archive is untrusted. What [`Reader`] gives out has names without `..`, numbers that fit,
//! and never more data than was announced; no memory is taken on the word of the archive. It does
//! not touch any file system.

mod entry;
mod error;
mod header;
mod numbers;
mod pax;
mod reader;
mod sparse;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use entry::shown;
pub use entry::{Entry, Kind, Name, Time};
pub use error::{Error, Problem};
pub use reader::Reader;
pub use sparse::Fragment;
pub use writer::Writer;

/// Everything in an archive comes in blocks of this many bytes.
const BLOCK: usize = 512;
