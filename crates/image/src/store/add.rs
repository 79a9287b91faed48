//! An image comes in: documents, then layers, several at a time, then the row.

use super::document::{self, Document};
use super::lock::Lock;
use super::origin::{Event, Origin, OriginError, Progress};
use super::write_back::WriteBack;
use super::{Error, Image, Incoming, Store, database, now};
use crate::Hasher;
use crate::flow::Limits;
use crate::reference::Reference;
use rusqlite::{Transaction, params};
use spec::image::{Algorithm, Descriptor, Digest, MediaType};
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

/// An image that is to come in.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its manifest, as it was transported.
    pub manifest: &'a [u8],
    /// What the manifest was said to be, where it does not say so itself.
    pub media_type: Option<&'a MediaType>,
    /// The index that the manifest was chosen from, as it was transported.
    pub index: Option<&'a [u8]>,
    /// What it is to be called from now on.
    pub names: &'a [Reference],
}

/// How an image comes in.
#[derive(Clone, Copy, Debug)]
pub struct AddOptions {
    /// How many layers at a time.
    pub parallel: NonZeroUsize,
    /// What a layer may become.
    pub limits: Limits,
}

impl Default for AddOptions {
    fn default() -> AddOptions {
        AddOptions {
            parallel: NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN),
            limits: Limits::default(),
        }
    }
}

/// A layer of an image: its blob, and what the archive in it hashes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) blob: Descriptor,
    pub(super) diff_id: Digest,
}

/// An image on its way in.
pub(super) struct Adding<'a> {
    pub(super) store: &'a Store,
    pub(super) origin: &'a dyn Origin,
    pub(super) options: &'a AddOptions,
    pub(super) progress: &'a dyn Progress,
    /// What must not be removed before the image's row says that it is in use.
    held: Mutex<Vec<Lock>>,
    /// The image will not come in, so what is under way is to stop.
    pub(super) failed: AtomicBool,
    pub(super) write_back: WriteBack,
}

impl Store {
    /// Takes in an image with all its layers, of which those that are here already are not
    /// fetched again; if another process is just getting one, it is waited for. When this
    /// returns, the image is on the disk.
    ///
    /// # Errors
    /// The origin or the disk fails, or the image is not what it should be. What was complete by
    /// then stays for the next try.
    pub fn add(
        &self,
        candidate: &Candidate<'_>,
        origin: &dyn Origin,
        options: &AddOptions,
        progress: &dyn Progress,
    ) -> Result<Image, Error> {
        if self.layout.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let adding = Adding::new(self, origin, options, progress);
        let manifest = document::manifest(candidate.manifest, candidate.media_type)?;
        let bytes = adding.document(&manifest.content.config)?;
        let config = document::config(&bytes, &manifest)?;
        let parts = document::parts(&manifest, &config)?;
        adding.layers(&parts)?;
        let documents = [Some(candidate.manifest), candidate.index].into_iter().flatten();
        documents.map(|bytes| adding.keep(bytes)).collect::<Result<Vec<_>, _>>()?;
        adding.commit(candidate, &manifest, &config, &parts)?;
        self.image(&manifest.digest)
    }
}

impl<'a> Adding<'a> {
    pub(super) fn new(
        store: &'a Store,
        origin: &'a dyn Origin,
        options: &'a AddOptions,
        progress: &'a dyn Progress,
    ) -> Adding<'a> {
        let (held, failed) = (Mutex::default(), AtomicBool::new(false));
        Adding { store, origin, options, progress, held, failed, write_back: WriteBack::default() }
    }

    pub(super) fn hold(&self, lock: Lock) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Keeps a document that is at hand.
    fn keep(&self, bytes: &[u8]) -> Result<(), Error> {
        let digest = Hasher::of(Algorithm::Sha256, bytes);
        let blob = Descriptor::new(MediaType::Other("".into()), digest, bytes.len() as u64);
        self.blob(&blob, &AtHand(bytes))
    }

    /// All layers, several at a time. One that the image has twice is got once.
    fn layers(&self, parts: &[Part]) -> Result<(), Error> {
        let descriptors: Vec<_> = parts.iter().map(|part| part.blob.clone()).collect();
        self.progress.tell(Event::Layers(&descriptors));
        let is_first = |index: &usize| !parts[..*index].contains(&parts[*index]);
        let distinct: Vec<_> = (0..parts.len()).filter(is_first).collect();
        let next = AtomicUsize::new(0);
        let layer = || -> Result<(), Error> {
            while let Some(index) = distinct.get(next.fetch_add(1, Ordering::Relaxed))
                && !self.has_failed()
            {
                self.layer(&parts[*index])
                    .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
            }
            Ok(())
        };
        let disk = self.store.layout.disk()?;
        let write = || self.write_back.run(&disk);
        let count = distinct.len().min(self.options.parallel.get());
        let results: Vec<_> = thread::scope(|scope| {
            let layers: Vec<_> = (0..count).map(|_| start(scope, "layer", &layer)).collect();
            let writing = start(scope, "write", &write);
            let mut results: Vec<_> = layers.into_iter().map(join).collect();
            self.write_back.end();
            results.push(join(writing));
            results
        });
        // What failed first made the others fail, if they did.
        let (interrupted, own): (Vec<_>, Vec<_>) = results
            .into_iter()
            .filter_map(Result::err)
            .partition(|error| matches!(error, Error::Interrupted));
        own.into_iter().chain(interrupted).next().map_or(Ok(()), Err)
    }

    /// Everything is on the disk; now the database says so.
    fn commit(
        &self,
        candidate: &Candidate<'_>,
        manifest: &Document<spec::image::Manifest>,
        config: &Document<spec::image::ImageConfig>,
        parts: &[Part],
    ) -> Result<(), Error> {
        let mut database = self.store.database();
        let transaction = database::begin(&mut database)?;
        let platform = document::platform(&config.content.platform);
        transaction.execute(
            "INSERT INTO images VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            params![
                manifest.digest.as_str(),
                manifest.media_type.as_str(),
                config.digest.as_str(),
                config.content.created,
                platform,
                now()
            ],
        )?;
        for (position, part) in parts.iter().enumerate() {
            transaction.execute(
                "INSERT INTO image_layers VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                params![
                    manifest.digest.as_str(),
                    position,
                    part.blob.digest.as_str(),
                    part.diff_id.as_str()
                ],
            )?;
        }
        let in_registry = candidate.index.map(|bytes| Hasher::of(Algorithm::Sha256, bytes));
        let in_registry = in_registry.as_ref().unwrap_or(&manifest.digest);
        for name in candidate.names {
            set_name(&transaction, name, &manifest.digest, in_registry)?;
        }
        Ok(transaction.commit()?)
    }
}

type Started<'scope> = io::Result<ScopedJoinHandle<'scope, Result<(), Error>>>;

fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: &'scope (dyn Fn() -> Result<(), Error> + Sync),
) -> Started<'scope> {
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work)
}

fn join(thread: Started<'_>) -> Result<(), Error> {
    let thread = thread.map_err(Error::Thread)?;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A blob that is in memory.
struct AtHand<'a>(&'a [u8]);

impl Origin for AtHand<'_> {
    fn fetch(&self, _: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        Ok(into.write_at(0, self.0)?)
    }
}

/// Gives an image a name, which no other one has from then on.
pub(super) fn set_name(
    transaction: &Transaction<'_>,
    name: &Reference,
    manifest: &Digest,
    in_registry: &Digest,
) -> Result<(), Error> {
    transaction.execute(
        "INSERT OR REPLACE INTO names VALUES (?1, ?2, ?3, ?4)",
        params![name.to_string(), manifest.as_str(), in_registry.as_str(), now()],
    )?;
    Ok(())
}
