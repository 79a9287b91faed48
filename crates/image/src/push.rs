//! From an image in the store to a registry, byte for byte.

use crate::Digest;
use crate::input::FileReader;
use crate::reference::{Reference, Repository};
use crate::registry::{
    OnWait, Registries, RegistryError, Remote, RemoteManifest, Upload, Uploaded,
};
use crate::store::{self, Image, Store};
use spec::image::{Descriptor, Manifest};
use std::io::{self, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// How to push.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many blobs at a time.
    pub parallel: NonZeroUsize,
    /// The length of the chunks in which blobs are sent; whole if none is given.
    pub chunk: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        let parallel = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
        Options { parallel, chunk: None }
    }
}

/// What went on. Blobs are named by their digests.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// These are the blobs.
    Blobs(&'a [Descriptor]),
    /// So many bytes have been sent.
    Sends(&'a Digest, u64),
    /// It is there.
    Done(&'a Digest, Uploaded),
}

/// Who is told how far things are. Called often, by several threads.
pub type OnEvent<'a> = dyn Fn(Event<'_>) + Sync + 'a;

/// Why an image was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The manifest that the store has cannot be read.
    #[error("the manifest {digest} is malformed: {source}")]
    Manifest {
        /// Its digest.
        digest: Digest,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// Pushes an image: its blobs, several at a time, then its manifest. Returns the digest under
/// which the registry has it.
///
/// # Errors
/// The registry refuses something, or the store has not all of it.
pub fn push(
    registries: &Registries,
    store: &Store,
    image: &Image,
    to: &Reference,
    options: &Options,
    on_event: &OnEvent<'_>,
    on_wait: &OnWait<'_>,
) -> Result<Digest, PushError> {
    let bytes = store.read_blob(&image.manifest)?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|source| PushError::Manifest { digest: image.manifest.clone(), source })?;
    let remote = registries.remote(to.repository(), on_wait)?;
    let mut blobs: Vec<Descriptor> = Vec::new();
    for blob in manifest.layers.iter().chain([&manifest.config]) {
        if !blobs.iter().any(|known| known.digest == blob.digest) {
            blobs.push(blob.clone());
        }
    }
    on_event(Event::Blobs(&blobs));
    let pushing = Pushing {
        store,
        remote: &remote,
        mount_from: siblings(image, to),
        options,
        on_event,
        has_failed: AtomicBool::new(false),
    };
    pushing.all(&blobs)?;
    let digest = image.manifest.clone();
    let descriptor = Descriptor::new(image.media_type.clone(), digest.clone(), bytes.len() as u64);
    let version = to.tag().map_or_else(|| digest.to_string(), str::to_owned);
    remote.put_manifest(&version, &RemoteManifest { descriptor, bytes })?;
    Ok(digest)
}

/// Other repositories of the same registry that the image came from or went to.
fn siblings(image: &Image, to: &Reference) -> Vec<Repository> {
    let mut found = Vec::new();
    for named in &image.names {
        let repository = named.name.repository();
        let is_sibling = repository.registry() == to.repository().registry();
        if is_sibling && repository != to.repository() && !found.contains(repository) {
            found.push(repository.clone());
        }
    }
    found
}

/// An image on its way out.
struct Pushing<'a> {
    store: &'a Store,
    remote: &'a Remote<'a>,
    mount_from: Vec<Repository>,
    options: &'a Options,
    on_event: &'a OnEvent<'a>,
    has_failed: AtomicBool,
}

impl Pushing<'_> {
    /// All blobs, several at a time.
    fn all(&self, blobs: &[Descriptor]) -> Result<(), PushError> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), PushError> {
            while let Some(blob) = blobs.get(next.fetch_add(1, Ordering::Relaxed))
                && !self.has_failed.load(Ordering::Relaxed)
            {
                self.one(blob).inspect_err(|_| self.has_failed.store(true, Ordering::Relaxed))?;
            }
            Ok(())
        };
        let count = blobs.len().min(self.options.parallel.get());
        thread::scope(|scope| {
            let spawn =
                |_| thread::Builder::new().name("push".to_owned()).spawn_scoped(scope, work);
            let threads: Vec<_> = (0..count).map(spawn).collect();
            let join = |thread: io::Result<thread::ScopedJoinHandle<'_, _>>| match thread {
                Ok(thread) => {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                }
                Err(error) => Err(PushError::Thread(error)),
            };
            // All are waited for, and the first error counts.
            let results: Vec<_> = threads.into_iter().map(join).collect();
            results.into_iter().collect()
        })
    }

    fn one(&self, blob: &Descriptor) -> Result<(), PushError> {
        let open = |start| -> io::Result<Box<dyn io::Read>> {
            let file = self.store.open_blob(&blob.digest).map_err(io::Error::other)?;
            let mut reader = FileReader::new(file);
            reader.seek(SeekFrom::Start(start))?;
            Ok(Box::new(reader))
        };
        let upload = Upload {
            digest: &blob.digest,
            size: blob.size,
            open: &open,
            mount_from: &self.mount_from,
            chunk: self.options.chunk,
            on_progress: &|count| (self.on_event)(Event::Sends(&blob.digest, count)),
        };
        let uploaded = self.remote.upload(&upload)?;
        (self.on_event)(Event::Done(&blob.digest, uploaded));
        Ok(())
    }
}
