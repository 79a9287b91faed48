//! Images of the store into an archive.

use super::docker::Item;
use super::layout::{IMAGE_NAME, REF_NAME, path};
use super::{Error, layout};
use crate::Hasher;
use crate::input::FileReader;
use crate::reference::Reference;
use crate::store::{Image, Store};
use crate::tar::{Entry, Kind, Name, Writer};
use kernel::path::read_at;
use serde::Serialize;
use spec::image::{Algorithm, Descriptor, Digest, Index, Manifest};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, renameat};
use sys::rustix::io::{Errno, retry_on_intr, write};

/// What an archive is to be read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Docker, and all that reads an OCI layout: it has both lists.
    Docker,
    /// Whatever reads an OCI layout.
    Oci,
}

/// An image to be saved, under these names or none.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The image.
    pub image: Image,
    /// The names that the archive shall know.
    pub names: Vec<Reference>,
}

/// Writes a tar file with all images. The same images give the same bytes. Blobs go as they are,
/// so that layers keep their digests.
///
/// # Errors
/// The archive cannot be written, or a blob cannot be read.
pub fn save<Sink: Write>(
    store: &Store,
    images: &[Saved],
    format: Format,
    sink: Sink,
) -> Result<Sink, Error> {
    let contents = Contents::of(store, images, format)?;
    let mut writer = Writer::new(sink);
    for (name, bytes) in &contents.documents {
        file(&mut writer, name, bytes.len() as u64, &mut bytes.as_slice())?;
    }
    for folder in ["blobs", "blobs/sha256", "blobs/sha512"] {
        let is_used = contents.blobs.iter().any(|(digest, _)| path(digest).starts_with(folder));
        if is_used {
            writer.entry(&entry(folder, Kind::Folder, 0)).map_err(Error::Write)?;
        }
    }
    for (digest, size) in &contents.blobs {
        let mut blob = Hashing::new(FileReader::new(store.open_blob(digest)?), digest.algorithm());
        file(&mut writer, &path(digest), *size, &mut blob)?;
        // What was damaged here shall not spread.
        blob.expect(digest)?;
    }
    writer.finish().map_err(Error::Write)
}

/// Writes an OCI layout into a folder, which is made if it is missing. Images that are there
/// already stay, but for those of the same names.
///
/// # Errors
/// The folder cannot be written, or a blob cannot be read.
pub fn save_folder(store: &Store, images: &[Saved], folder: &Path) -> Result<(), Error> {
    let contents = Contents::of(store, images, Format::Oci)?;
    make_folder(CWD, folder)?;
    let top = open_folder(CWD, folder)?;
    for (digest, _) in &contents.blobs {
        make_folder(top.as_fd(), Path::new("blobs"))?;
        let blobs = open_folder(top.as_fd(), Path::new("blobs"))?;
        make_folder(blobs.as_fd(), Path::new(digest.algorithm().name()))?;
        let blobs = open_folder(blobs.as_fd(), Path::new(digest.algorithm().name()))?;
        let mut blob = Hashing::new(FileReader::new(store.open_blob(digest)?), digest.algorithm());
        write_file(blobs.as_fd(), digest.hex(), &mut blob)?;
        blob.expect(digest)?;
    }
    for (name, bytes) in contents.documents {
        let bytes = if name == "index.json" { merged(&top, &bytes)? } else { bytes };
        write_file(top.as_fd(), name, &mut bytes.as_slice())?;
    }
    Ok(())
}

/// The new index, with what the old one has under other names.
fn merged(folder: &OwnedFd, new: &[u8]) -> Result<Vec<u8>, Error> {
    let mut index: Index = layout::read("index.json", new)?;
    match read_at(folder.as_fd(), "index.json", 4 << 20) {
        Err(error) if error.errno == Errno::NOENT => {}
        old => {
            let old: Index = layout::read("index.json", &old?)?;
            let name = |descriptor: &Descriptor| descriptor.annotations.get(IMAGE_NAME).cloned();
            let is_new = |it: &Descriptor| {
                index.manifests.iter().all(|new| {
                    new.digest != it.digest && (name(it).is_none() || name(new) != name(it))
                })
            };
            let kept: Vec<_> = old.manifests.into_iter().filter(is_new).collect();
            index.manifests.splice(0..0, kept);
        }
    }
    json("index.json", &index)
}

fn make_folder(above: BorrowedFd<'_>, path: &Path) -> Result<(), Error> {
    match mkdirat(above, path, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        result => Ok(result.or_error("mkdirat", || format!("{path:?}"))?),
    }
}

fn open_folder(above: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(above, path, flags, Mode::empty()).or_error("openat", || format!("{path:?}"))?)
}

/// Writes a file beside the old one, and then puts it in its place.
fn write_file(folder: BorrowedFd<'_>, name: &str, content: &mut dyn Read) -> Result<(), Error> {
    let partial = format!(".{name}.partial");
    let failed = |source: io::Error| Error::File { path: name.to_owned(), source };
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, partial.as_str(), flags, Mode::from_raw_mode(0o666))
        .or_error("openat", || partial.clone())?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = content.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let written = retry_on_intr(|| write(&file, rest)).or_error("write", || name)?;
            rest = &rest[written..];
        }
    }
    Ok(renameat(folder, partial.as_str(), folder, name).or_error("renameat", || name)?)
}

/// Hashes what is read.
struct Hashing<Source> {
    source: Source,
    hasher: Hasher,
}

impl<Source> Hashing<Source> {
    fn new(source: Source, algorithm: Algorithm) -> Hashing<Source> {
        Hashing { source, hasher: Hasher::new(algorithm) }
    }

    fn expect(self, digest: &Digest) -> Result<(), Error> {
        let found = self.hasher.finish();
        if found == *digest {
            Ok(())
        } else {
            Err(crate::store::Error::Damaged(digest.clone()).into())
        }
    }
}

impl<Source: Read> Read for Hashing<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// What an archive will hold.
struct Contents {
    documents: Vec<(&'static str, Vec<u8>)>,
    blobs: BTreeSet<(Digest, u64)>,
}

impl Contents {
    fn of(store: &Store, images: &[Saved], format: Format) -> Result<Contents, Error> {
        let (mut index, mut items, mut blobs) = (Vec::new(), Vec::new(), BTreeSet::new());
        for saved in images {
            let digest = &saved.image.manifest;
            let bytes = store.read_blob(digest)?;
            if Hasher::of(digest.algorithm(), &bytes) != *digest {
                return Err(crate::store::Error::Damaged(digest.clone()).into());
            }
            let manifest: Manifest = layout::read(&path(digest), &bytes)?;
            let media_type = saved.image.media_type.clone();
            let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
            index.extend(named(&descriptor, &saved.names));
            items.push(item(&manifest, &saved.names));
            let parts = manifest.layers.iter().chain([&manifest.config, &descriptor]);
            blobs.extend(parts.map(|part| (part.digest.clone(), part.size)));
        }
        let index = Index::of(index);
        let mut documents = vec![
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json", json("index.json", &index)?),
        ];
        if format == Format::Docker {
            documents.push(("manifest.json", json("manifest.json", &items)?));
        }
        Ok(Contents { documents, blobs })
    }
}

/// The descriptor once for each name.
fn named(descriptor: &Descriptor, names: &[Reference]) -> Vec<Descriptor> {
    if names.is_empty() {
        return vec![descriptor.clone()];
    }
    let name = |name: &Reference| {
        let mut named = descriptor.clone();
        named.annotations.insert(IMAGE_NAME.to_owned(), name.to_string());
        let label = name.tag().map_or_else(|| name.to_string(), str::to_owned);
        named.annotations.insert(REF_NAME.to_owned(), label);
        named
    };
    names.iter().map(name).collect()
}

fn item(manifest: &Manifest, names: &[Reference]) -> Item {
    Item {
        config: path(&manifest.config.digest),
        repo_tags: Some(
            names.iter().filter(|name| name.tag().is_some()).map(Reference::familiar).collect(),
        ),
        layers: Some(manifest.layers.iter().map(|layer| path(&layer.digest)).collect()),
    }
}

fn json<T: Serialize>(path: &str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Json { path: path.to_owned(), source })
}

fn file<Sink: Write>(
    writer: &mut Writer<Sink>,
    name: &str,
    size: u64,
    content: &mut dyn Read,
) -> Result<(), Error> {
    writer.entry(&entry(name, Kind::Regular, size)).map_err(Error::Write)?;
    let failed = |source: io::Error| Error::File { path: name.to_owned(), source };
    let mut buffer = vec![0; 256 << 10];
    loop {
        match content.read(&mut buffer).map_err(failed)? {
            0 => return Ok(()),
            count => writer.data(&buffer[..count]).map_err(Error::Write)?,
        }
    }
}

fn entry(name: &str, kind: Kind, size: u64) -> Entry {
    let mode = if kind == Kind::Folder { 0o755 } else { 0o644 };
    let name = Name::new(name.as_bytes()).unwrap_or_default();
    Entry { size, ..Entry::new(name, kind, mode) }
}
