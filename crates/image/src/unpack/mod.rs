//! From a layer's bytes to files. The layer is untrusted, and this runs as root.
//!
//! Everything is made relative to the descriptor of a folder that was resolved inside the layer's
//! own root; no name of the layer is ever followed from anywhere else. The root must be a folder
//! that only this process writes to, and that nobody but root (or the user whose store it is) can
//! enter: a layer may hold set-id programs and devices.
//!
//! Whiteouts take overlayfs' form, so that the folder is a lower layer as it is. Nothing is
//! mounted, and nothing is synced: that is the store's affair.

mod data;
mod error;
mod extract;
mod files;
mod finish;
mod folders;
mod metadata;
mod owners;
mod remove;
mod special;
mod times;
mod whiteout;

#[cfg(test)]
mod tests;

pub use error::{Error, Part};
pub(crate) use metadata::{is_ignored as is_ignored_attribute, make_like, set_file_times};
pub use owners::{IdRange, Owners, Unmapped};
pub use remove::remove;
pub(crate) use whiteout::{OPAQUE, PREFIX, Says, says};

use crate::flow::{self, Flow, Limits, Passed, Stopped, Turns};
use crate::tar::{self, Reader};
use kernel::path::Root;
use spec::image::{Algorithm, Digest};
use std::io::Read;
use std::sync::Arc;

/// How a layer is unpacked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where overlayfs looks for its marks.
    pub marks: Marks,
    /// Whose the files become.
    pub owners: Owners,
    /// When it is too much.
    pub limits: Limits,
    /// Shared by all that are unpacked at the same time.
    pub turns: Arc<Turns>,
}

/// The namespace of the attributes that overlayfs reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Marks {
    /// `trusted.overlay.*`: mounted by root.
    #[default]
    Trusted,
    /// `user.overlay.*`: mounted in a user namespace, with `userxattr`.
    User,
}

/// What became of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// How many entries it had.
    pub entries: u64,
    /// How many bytes its files have.
    pub bytes: u64,
    /// It hides all layers below: overlayfs does not look at this mark of a root, so whoever
    /// mounts the layer must leave those away.
    pub hides_all_below: bool,
    /// Folders that it puts files into without saying what those folders are like. Their owner
    /// and mode should be those of the layers below.
    pub implied: Vec<tar::Name>,
    /// What could not be kept, and why: at most [`Unpacked::MOST_SKIPPED`].
    pub skipped: Vec<(tar::Name, String)>,
}

impl Unpacked {
    /// More are not remembered.
    pub const MOST_SKIPPED: usize = 20;
}

/// What a layer has to turn out to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Of the compressed bytes.
    pub digest: &'a Digest,
    /// Of the archive in them.
    pub diff_id: &'a Digest,
}

/// Reads a layer to its end, unpacks it into `root`, and compares both digests. `wrote` is told, now
/// and then, how many bytes more are to be on the disk. After an error, what is in `root` is good for
/// nothing.
///
/// # Errors
/// The layer is damaged, is another one, or is refused; the disk is full.
pub fn unpack(
    source: impl Read + Send,
    expected: Expected<'_>,
    root: &Root,
    options: &Options,
    wrote: &(dyn Fn(u64) + Sync),
) -> Result<Passed<Unpacked>, Error> {
    let algorithms = (expected.digest.algorithm(), expected.diff_id.algorithm());
    let passed = pass(source, algorithms, root, options, Some(expected.digest), wrote)?;
    compare(Part::Blob, expected.digest, &passed.digest)?;
    compare(Part::Archive, expected.diff_id, &passed.diff_id)?;
    Ok(passed)
}

/// The same for an archive that nothing is known of: a layer that is made of it, or files.
///
/// # Errors
/// It is damaged, or is refused; the disk is full.
pub fn unpack_unknown(
    source: impl Read + Send,
    root: &Root,
    options: &Options,
) -> Result<Unpacked, Error> {
    let algorithms = (Algorithm::Sha256, Algorithm::Sha256);
    pass(source, algorithms, root, options, None, &|_| ()).map(|passed| passed.result)
}

fn pass(
    source: impl Read + Send,
    (digest, diff_id): (Algorithm, Algorithm),
    root: &Root,
    options: &Options,
    expected: Option<&Digest>,
    wrote: &(dyn Fn(u64) + Sync),
) -> Result<Passed<Unpacked>, Error> {
    let flow = Flow { digest, diff_id, limits: options.limits };
    let umask = extract::umask().map_err(|error| Error::Kernel(tar::Name::default(), error))?;
    let extract = |archive| extract::extract(Reader::new(archive), root, options, umask, wrote);
    let passed = flow::pass(source, flow, &options.turns, extract, Error::is_final);
    passed.map_err(|stopped| blame(stopped, expected))
}

fn compare(part: Part, expected: &Digest, found: &Digest) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Digest { part, expected: expected.clone(), found: found.clone() })
}

/// What was damaged on its way cannot be read either, and that it was damaged is the better
/// message.
fn blame(stopped: Stopped<Error>, expected: Option<&Digest>) -> Error {
    let (error, found) = match stopped {
        Stopped::Source(error) => return Error::Source(error),
        Stopped::Thread(error) => return Error::Thread(error),
        Stopped::Inflate(error, found) => (Error::Inflate(error), found),
        Stopped::Consumer(error, found) => (error, found),
    };
    match (found, expected) {
        (Some(found), Some(expected)) if found != *expected => {
            Error::Digest { part: Part::Blob, expected: expected.clone(), found }
        }
        _ => error,
    }
}
