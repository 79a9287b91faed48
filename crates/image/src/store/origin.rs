//! Where images come from, and who is told how far they are.

use super::Incoming;
use spec::image::{Descriptor, Digest};

/// Why an origin does not give a blob. Only people read it.
pub type OriginError = Box<dyn std::error::Error + Send + Sync>;

/// Something that has blobs: a registry, an archive, a folder.
pub trait Origin: Sync {
    /// Writes the blob's bytes, from [`Incoming::received`] on if it can. What it writes is
    /// checked by the store, and kept for the next try if it was not all.
    ///
    /// Several blobs are asked for at the same time, each by a thread of its own.
    ///
    /// # Errors
    /// The blob cannot be had.
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError>;
}

/// Who is told how far things are. Called often, by several threads.
pub trait Progress: Sync {
    /// Something went on.
    fn tell(&self, event: Event<'_>);
}

/// Nobody is told.
impl Progress for () {
    fn tell(&self, _: Event<'_>) {}
}

/// What went on. Layers are named by the digests of their blobs.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// These are the layers, lowest first.
    Layers(&'a [Descriptor]),
    /// A layer is here already.
    Exists(&'a Digest),
    /// Another process gets it, and has so many bytes of it.
    Waits(&'a Digest, u64),
    /// So many bytes of it are here.
    Receives(&'a Digest, u64),
    /// So many of its bytes are unpacked.
    Unpacks(&'a Digest, u64),
    /// It is complete, and on its way to the disk.
    Syncs(&'a Digest),
    /// It is done.
    Done(&'a Digest),
}
