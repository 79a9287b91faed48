//! Images in files: what `save` writes and `load` reads.
//!
//! Three forms: an OCI layout in a folder, the same in a tar file, and what Docker writes. The
//! last has a list of its own (`manifest.json`) and, from newer programs, an OCI layout as well,
//! which then counts, because it keeps the digests. Everything in them is untrusted: the digests
//! are checked by the store when an image comes in.

mod docker;
mod error;
mod files;
mod layout;
mod save;
mod tarball;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use files::{Files, Folder};
pub use save::{Format, Saved, save, save_folder};
pub use tarball::Tarball;

use crate::pull::Machine;
use crate::reference::Reference;
use crate::store::{AddOptions, Candidate, Image, Incoming, Origin, OriginError, Progress, Store};
use spec::image::{Descriptor, Digest, MediaType};
use std::collections::BTreeMap;
use std::io::Read;

/// The images of an archive.
pub struct Archive {
    files: Box<dyn Files>,
    images: Vec<Packed>,
}

/// An image of an archive.
#[derive(Clone, Debug)]
pub struct Packed {
    /// What it is called there, as far as that says in which repository it is.
    pub names: Vec<Reference>,
    /// What it is called there, if that says less: `latest`.
    pub label: Option<String>,
    manifest: Vec<u8>,
    media_type: MediaType,
    index: Option<Vec<u8>>,
    /// Where the blobs are.
    paths: BTreeMap<Digest, String>,
}

impl Archive {
    /// Reads the lists of an archive. Of images for several machines, only that for `machine`
    /// counts.
    ///
    /// # Errors
    /// It is no archive of images, or a damaged one.
    pub fn open(files: Box<dyn Files>, machine: &Machine) -> Result<Archive, Error> {
        let images = if files.has("index.json") {
            layout::images(&*files, machine)?
        } else if files.has("manifest.json") {
            docker::images(&*files)?
        } else {
            return Err(Error::NoList);
        };
        Ok(Archive { files, images })
    }

    /// The images in it.
    pub fn images(&self) -> &[Packed] {
        &self.images
    }

    /// Takes an image of the archive into the store, under these names.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn load(
        &self,
        image: &Packed,
        names: &[Reference],
        store: &Store,
        options: &AddOptions,
        progress: &dyn Progress,
    ) -> Result<Image, crate::store::Error> {
        let candidate = Candidate {
            manifest: &image.manifest,
            media_type: Some(&image.media_type),
            index: image.index.as_deref(),
            names,
        };
        store.add(
            &candidate,
            &Blobs { files: &*self.files, paths: &image.paths },
            options,
            progress,
        )
    }
}

impl Packed {
    /// All that it is called, for people.
    pub fn called(&self) -> Vec<String> {
        if self.names.is_empty() {
            return self.label.iter().cloned().collect();
        }
        self.names.iter().map(Reference::familiar).collect()
    }

    /// Whether this is what it is called.
    pub fn is_called(&self, name: &str) -> bool {
        let is_reference =
            |known: &Reference| known.familiar() == name || known.to_string() == name;
        self.label.as_deref() == Some(name) || self.names.iter().any(is_reference)
    }
}

/// The blobs of an archive.
struct Blobs<'a> {
    files: &'a dyn Files,
    paths: &'a BTreeMap<Digest, String>,
}

impl Origin for Blobs<'_> {
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        let usual = || layout::path(&blob.digest);
        let path = self.paths.get(&blob.digest).cloned().unwrap_or_else(usual);
        let (mut reader, _) = self.files.open(&path)?;
        read_all(&mut *reader, into)
    }
}

/// Hands over all bytes of a stream.
pub(crate) fn read_all(reader: &mut dyn Read, into: &Incoming<'_>) -> Result<(), OriginError> {
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        into.write_at(at, &buffer[..count])?;
        at += count as u64;
    }
}
