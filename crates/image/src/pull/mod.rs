//! From a name to an image in the store.
//!
//! Here is decided what to ask a registry for, and in which order. That it is what was asked for
//! is checked by [`crate::registry`] (manifests) and [`crate::store`] (everything else), before
//! anything of it counts.

mod again;
mod fetch;
mod platform;

pub use again::{Again, origin};
pub use platform::{BadMachine, Machine};

use crate::Digest;
use crate::reference::Reference;
use crate::registry::{OnWait, Registries, RegistryError, Remote, RemoteManifest};
use crate::store::{self, AddOptions, Candidate, Image, Progress, Store};
use fetch::RemoteBlobs;
use spec::image::{Index, Platform};

/// Indexes within indexes are allowed; more of them than these are a trap.
const MAX_DEPTH: usize = 4;

/// How blobs are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// How many parts of one blob at a time.
    pub connections: usize,
    /// How long a part is.
    pub part: u64,
    /// From which length on a blob is fetched in parts.
    pub parts_from: u64,
}

impl Default for FetchOptions {
    fn default() -> FetchOptions {
        FetchOptions { connections: 4, part: 8 << 20, parts_from: 32 << 20 }
    }
}

/// What to pull, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// For which machine, if an index has the choice.
    pub machine: Machine,
    /// How layers come into the store.
    pub add: AddOptions,
    /// How blobs are fetched.
    pub fetch: FetchOptions,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            machine: Machine::own(),
            add: AddOptions::default(),
            fetch: FetchOptions::default(),
        }
    }
}

/// An image that was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The image.
    pub image: Image,
    /// The name that was found.
    pub name: Reference,
    /// What the registry has under the name: an index, or the manifest itself.
    pub digest: Digest,
    /// Whether the image was here before, under this name.
    pub was_current: bool,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store, or what came to it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// None of the places that a short name may mean has it.
    #[error("{name} is in none of the registries for short names: {}", join(tried))]
    NowhereFound {
        /// The name.
        name: String,
        /// What each of them said.
        tried: Vec<RegistryError>,
    },
    /// The index has nothing for this machine.
    #[error("{name} has no image for {machine}; there are: {}", offered.join(", "))]
    NoPlatform {
        /// The image's name.
        name: String,
        /// What was wanted.
        machine: String,
        /// What there is.
        offered: Vec<String>,
    },
    /// An index that is malformed.
    #[error("the index {digest} is malformed: {source}")]
    Index {
        /// Its digest.
        digest: Digest,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// Indexes that lead to indexes without an end.
    #[error("{name} is an index of an index of an index; {MAX_DEPTH} of them are followed")]
    TooDeep {
        /// The image's name.
        name: String,
    },
}

fn join(errors: &[RegistryError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A manifest, and the index that it was chosen from.
struct Found<'a> {
    name: Reference,
    remote: Remote<'a>,
    /// What the registry has under the name.
    top: RemoteManifest,
    /// The image's own, if `top` is an index.
    chosen: Option<RemoteManifest>,
}

/// Pulls an image into the store, under the first of the names that a registry has.
///
/// # Errors
/// No registry has it, or it cannot be taken in. What was complete by then is not fetched again.
pub fn pull(
    registries: &Registries,
    store: &Store,
    names: &[Reference],
    options: &Options,
    progress: &dyn Progress,
    on_wait: &OnWait<'_>,
) -> Result<Pulled, PullError> {
    let found = find(registries, names, &options.machine, on_wait)?;
    let digest = found.top.descriptor.digest.clone();
    let manifest = found.chosen.as_ref().unwrap_or(&found.top);
    let before = store.find_by_name(std::slice::from_ref(&found.name))?;
    let was_current = before.is_some_and(|image| image.manifest == manifest.descriptor.digest);
    let candidate = Candidate {
        manifest: &manifest.bytes,
        media_type: Some(&manifest.descriptor.media_type),
        index: found.chosen.is_some().then_some(found.top.bytes.as_slice()),
        names: std::slice::from_ref(&found.name),
    };
    let origin = RemoteBlobs { remote: &found.remote, options: options.fetch };
    let image = store.add(&candidate, &origin, &options.add, progress)?;
    Ok(Pulled { image, digest, was_current, name: found.name })
}

/// Looks for the image under each name. One registry's refusal does not hide another's image, but
/// a name in full has only one.
fn find<'a>(
    registries: &'a Registries,
    names: &[Reference],
    machine: &Machine,
    on_wait: &'a OnWait<'a>,
) -> Result<Found<'a>, PullError> {
    let mut tried = Vec::new();
    for name in names {
        let remote = registries.remote(name.repository(), on_wait)?;
        let top = match name.digest() {
            Some(digest) => remote.manifest_by_digest(digest),
            None => remote.manifest_by_tag(name.tag().unwrap_or("latest")),
        };
        match top {
            Ok(top) => {
                let chosen = choose(&remote, name, &top, machine)?;
                return Ok(Found { name: name.clone(), remote, top, chosen });
            }
            Err(error) if names.len() == 1 => return Err(error.into()),
            Err(error) => tried.push(error),
        }
    }
    let name = names.first().map(Reference::familiar).unwrap_or_default();
    Err(PullError::NowhereFound { name, tried })
}

/// Follows indexes to the image for a machine; None if `top` is one itself.
fn choose(
    remote: &Remote<'_>,
    name: &Reference,
    top: &RemoteManifest,
    machine: &Machine,
) -> Result<Option<RemoteManifest>, PullError> {
    let mut chosen: Option<RemoteManifest> = None;
    for _ in 0..MAX_DEPTH {
        let current = chosen.as_ref().unwrap_or(top);
        if !current.descriptor.media_type.is_index() {
            return Ok(chosen);
        }
        let index: Index = serde_json::from_slice(&current.bytes).map_err(|source| {
            PullError::Index { digest: current.descriptor.digest.clone(), source }
        })?;
        let Some(descriptor) = machine.choose(&index.manifests) else {
            let platforms = index.manifests.iter().filter_map(|it| it.platform.as_ref());
            let mut offered: Vec<String> = platforms.map(show).collect();
            offered.dedup();
            let (name, machine) = (name.to_string(), machine.to_string());
            return Err(PullError::NoPlatform { name, machine, offered });
        };
        chosen = Some(remote.manifest_by_digest(&descriptor.digest)?);
    }
    Err(PullError::TooDeep { name: name.to_string() })
}

/// `linux/arm/v7`, as the index has it.
fn show(platform: &Platform) -> String {
    let parts = [&platform.os, &platform.architecture, &platform.variant];
    let parts: Vec<&str> =
        parts.into_iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    parts.join("/")
}
