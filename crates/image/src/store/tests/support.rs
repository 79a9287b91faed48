//! Stores on this machine's disk, filled from memory: for the tests of this and other modules.

use crate::Hasher;
use crate::reference::Reference;
use crate::store::{
    AddOptions, Candidate, Error, Image, Incoming, Layer, Origin, OriginError, Store,
};
use crate::tar::{Entry, Kind, Name, Time, Writer};
use crate::unpack::{Marks, remove};
use spec::image::{Algorithm, Descriptor, Digest, ImageConfig, Manifest, MediaType, RootFs};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that goes away.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("store-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.0.join("deep/store"), Marks::Trusted).unwrap()
    }

    /// The names in a folder of the store.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("deep/store").join(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Where a layer's file is.
    pub(crate) fn in_layer(&self, layer: &Layer, path: &str) -> PathBuf {
        self.0.join("deep/store/layers/sha256").join(layer.diff_id.hex()).join(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let parent = fs::File::open(self.0.parent().unwrap()).unwrap();
        remove(parent.as_fd(), self.0.file_name().unwrap().as_bytes()).unwrap();
    }
}

/// An image in memory, as a registry has one.
pub(crate) struct Made {
    pub(crate) manifest: Vec<u8>,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    archives: Vec<Vec<u8>>,
    /// What was asked for.
    asked: Mutex<Vec<Digest>>,
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Hasher::of(Algorithm::Sha256, bytes)
}

/// A layer with one file, which names itself.
pub(crate) fn archive(name: &str) -> Vec<u8> {
    let entry = Entry {
        name: Name::new(name.as_bytes()).unwrap(),
        kind: Kind::Regular,
        mode: 0o644,
        user: 0,
        group: 0,
        modified: Time::default(),
        accessed: None,
        size: name.len() as u64,
        fragments: None,
        attributes: Vec::new(),
    };
    let mut writer = Writer::new(Vec::new());
    writer.entry(&entry).unwrap();
    writer.data(name.as_bytes()).unwrap();
    writer.finish().unwrap()
}

impl Made {
    /// An image with one layer for each name. The blob is compressed, so it differs from the
    /// archive.
    pub(crate) fn new(files: &[&str]) -> Made {
        let archives: Vec<_> = files.iter().map(|name| archive(name)).collect();
        let blobs = archives.iter().map(|archive| zstd::encode_all(&archive[..], 1).unwrap());
        Made::of(&archives, blobs.collect())
    }

    pub(crate) fn of(archives: &[Vec<u8>], layers: Vec<Vec<u8>>) -> Made {
        let diff_ids = archives.iter().map(|archive| digest(archive)).collect();
        let rootfs = RootFs { kind: "layers".to_owned(), diff_ids };
        let config = serde_json::to_vec(&ImageConfig { rootfs, ..ImageConfig::default() }).unwrap();
        let describe = |media_type: MediaType, bytes: &[u8]| {
            Descriptor::new(media_type, digest(bytes), bytes.len() as u64)
        };
        // What it says of the compression is wrong, which must not matter.
        let described = layers.iter().map(|blob| describe(MediaType::OciLayerGzip, blob));
        let manifest = Manifest::of(describe(MediaType::OciConfig, &config), described.collect());
        let blobs = layers.into_iter().chain([config]).map(|blob| (digest(&blob), blob)).collect();
        let manifest = serde_json::to_vec(&manifest).unwrap();
        Made { manifest, blobs, archives: archives.to_vec(), asked: Mutex::default() }
    }

    /// The same with another manifest, or other blobs.
    pub(crate) fn with(&self, manifest: Vec<u8>, blobs: BTreeMap<Digest, Vec<u8>>) -> Made {
        Made { manifest, blobs, archives: self.archives.clone(), asked: Mutex::default() }
    }

    /// The layers, uncompressed.
    pub(crate) fn archives(&self) -> &[Vec<u8>] {
        &self.archives
    }

    /// The configuration.
    pub(crate) fn config(&self) -> Vec<u8> {
        let manifest: Manifest = serde_json::from_slice(&self.manifest).unwrap();
        self.blobs[&manifest.config.digest].clone()
    }

    pub(crate) fn add(&self, store: &Store, name: &str) -> Result<Image, Error> {
        self.add_from(store, name, self)
    }

    pub(crate) fn add_from(
        &self,
        store: &Store,
        name: &str,
        origin: &dyn Origin,
    ) -> Result<Image, Error> {
        let names = [reference(name)];
        let candidate =
            Candidate { manifest: &self.manifest, media_type: None, index: None, names: &names };
        store.add(&candidate, origin, &AddOptions::default(), &())
    }

    pub(crate) fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

pub(crate) fn reference(name: &str) -> Reference {
    name.parse().unwrap()
}

impl Origin for &Made {
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        (**self).fetch(blob, into)
    }
}

impl Origin for Made {
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        self.asked.lock().unwrap().push(blob.digest.clone());
        let bytes = self.blobs.get(&blob.digest).ok_or("no such blob")?;
        let from = into.received();
        Ok(into.write_at(from, &bytes[usize::try_from(from)?..])?)
    }
}
