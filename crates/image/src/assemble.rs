//! Images that are made here: from an archive of files, from the changes of a container, from what
//! is in this program.

use crate::archive::read_all;
use crate::flow::{Compression, Flow, Limits, Passed, PipeReader, Stopped, Turns, pass};
use crate::input::{self, FileReader};
use crate::reference::Reference;
use crate::store::{self, AddOptions, Candidate, Image, Incoming, Origin, OriginError, Store};
use crate::tar::{self, Reader};
use crate::{Hasher, time};
use spec::image::{
    Algorithm, Descriptor, Digest, History, ImageConfig, Manifest, MediaType, Platform, RootFs,
};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::SystemTime;
use sys::OrError;
use sys::rustix::fs::{FileType, SeekFrom, fstat, seek};
use sys::rustix::io::{read, retry_on_intr, write};

/// What an image is to be.
#[derive(Debug, Default)]
pub struct Draft {
    /// What containers of it are like. Its layers and history are filled in.
    pub config: ImageConfig,
    /// The image that the layer is laid over.
    pub base: Option<Image>,
    /// How the layer came to be.
    pub history: History,
}

/// Why an image cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The layer is no archive.
    #[error("the layer: {0}")]
    Archive(#[from] tar::Error),
    /// The layer's compression is damaged, or it is a bomb.
    #[error("cannot inflate the layer: {0}")]
    Inflate(#[source] io::Error),
    /// A file cannot be read or written.
    #[error("the layer: {0}")]
    File(#[from] io::Error),
    /// The kernel refused something.
    #[error(transparent)]
    Kernel(#[from] sys::Error),
    /// The store refused it, or has not the base.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A document cannot be read or written.
    #[error("the manifest: {0}")]
    Json(#[from] serde_json::Error),
}

/// Makes an image of a base, or of nothing, and one more layer: a tar archive, compressed or not,
/// that stays as it is. A pipe will do.
///
/// # Errors
/// The layer is no archive; the disk is full.
pub fn assemble(
    store: &Store,
    draft: Draft,
    layer: OwnedFd,
    names: &[Reference],
) -> Result<Image, Error> {
    let layer = in_file(store, layer)?;
    let (blob, diff_id) = measure(&layer)?;
    let mut config = draft.config;
    let mut layers = Vec::new();
    if let Some(base) = &draft.base {
        let manifest: Manifest = serde_json::from_slice(&store.read_blob(&base.manifest)?)?;
        let below: ImageConfig = serde_json::from_slice(&store.read_blob(&base.id)?)?;
        layers = manifest.layers;
        config.rootfs = below.rootfs;
        config.history = below.history;
    }
    layers.push(blob.clone());
    config.rootfs.kind = "layers".to_owned();
    config.rootfs.diff_ids.push(diff_id);
    config.history.push(draft.history);
    let config = serde_json::to_vec(&config)?;
    let config_digest = Hasher::of(Algorithm::Sha256, &config);
    let config_blob = Descriptor::new(MediaType::OciConfig, config_digest, config.len() as u64);
    let manifest = Manifest::of(config_blob, layers);
    let manifest = serde_json::to_vec(&manifest)?;
    let candidate = Candidate { manifest: &manifest, media_type: None, index: None, names };
    let origin = Parts { layer: &layer, layer_digest: &blob.digest, config: &config };
    Ok(store.add(&candidate, &origin, &AddOptions::default(), &())?)
}

/// A configuration for this machine that says nothing yet, made now.
pub fn blank_config() -> ImageConfig {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let created = time::format(now.map_or(0, |now| now.as_secs()));
    let machine = crate::pull::Machine::own();
    let (os, architecture) = (machine.os().to_owned(), machine.architecture().to_owned());
    let platform = Platform { os, architecture, ..Platform::default() };
    ImageConfig {
        created: Some(created),
        platform,
        rootfs: RootFs::default(),
        ..ImageConfig::default()
    }
}

/// A layer and a configuration that are at hand.
struct Parts<'a> {
    layer: &'a OwnedFd,
    layer_digest: &'a Digest,
    config: &'a [u8],
}

impl Origin for Parts<'_> {
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        if blob.digest == *self.layer_digest {
            return read_all(&mut FileReader::at(self.layer.as_fd(), 0), into);
        }
        if Hasher::of(blob.digest.algorithm(), self.config) != blob.digest {
            return Err("the base's blob is gone from the store".into());
        }
        Ok(into.write_at(0, self.config)?)
    }
}

/// The same bytes in a file that can be read twice. What a registry would not know the compression
/// of is inflated.
fn in_file(store: &Store, input: OwnedFd) -> Result<OwnedFd, Error> {
    let status = fstat(&input).or_error("fstat", || "layer")?;
    let is_file = FileType::from_raw_mode(status.st_mode).is_file();
    let file = if is_file { input } else { copy(&input, store.spool()?)? };
    if media_type(&file)?.is_some() {
        return Ok(file);
    }
    let inflated = store.spool()?;
    seek(&file, SeekFrom::Start(0)).or_error("lseek", || "layer")?;
    input::inflate(&file, &inflated).map_err(Error::Inflate)?;
    Ok(inflated)
}

/// Reads a pipe to its end.
fn copy(input: &OwnedFd, file: OwnedFd) -> Result<OwnedFd, Error> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = retry_on_intr(|| read(input, &mut buffer)).or_error("read", || "layer")?;
        if count == 0 {
            return Ok(file);
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let written = retry_on_intr(|| write(&file, rest)).or_error("write", || "layer")?;
            rest = &rest[written..];
        }
    }
}

/// What a layer hashes to, compressed and not. It is read through as an archive, so that what is
/// none is refused before anything is kept of it.
fn measure(layer: &OwnedFd) -> Result<(Descriptor, Digest), Error> {
    let flow =
        Flow { digest: Algorithm::Sha256, diff_id: Algorithm::Sha256, limits: Limits::default() };
    let media_type = media_type(layer)?.unwrap_or(MediaType::OciLayer);
    let source = FileReader::at(layer.as_fd(), 0);
    let passed: Passed<()> = pass(source, flow, &Turns::default(), read_through, |_| false)
        .map_err(|stopped| match stopped {
            Stopped::Source(error) | Stopped::Thread(error) => Error::File(error),
            Stopped::Inflate(error, _) => Error::Inflate(error),
            Stopped::Consumer(error, _) => Error::Archive(error),
        })?;
    Ok((Descriptor::new(media_type, passed.digest, passed.compressed), passed.diff_id))
}

/// What registries call such a layer, if they have a name for it.
fn media_type(layer: &OwnedFd) -> Result<Option<MediaType>, Error> {
    let mut beginning = Vec::new();
    FileReader::at(layer.as_fd(), 0).take(16).read_to_end(&mut beginning)?;
    Ok(match Compression::of(&beginning) {
        Compression::None => Some(MediaType::OciLayer),
        Compression::Gzip => Some(MediaType::OciLayerGzip),
        Compression::Zstd => Some(MediaType::OciLayerZstd),
        Compression::Xz | Compression::Bzip2 => None,
    })
}

fn read_through(archive: PipeReader) -> Result<(), tar::Error> {
    let mut reader = Reader::new(archive);
    while reader.next_entry()?.is_some() {}
    Ok(())
}
