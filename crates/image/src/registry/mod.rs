//! The registry protocol (distribution-spec 1.1): manifests, blobs, tags, uploads.
//!
//! [`Registries`] is what all registries have in common; [`Remote`] is one repository with all
//! the servers that have it. Everything that comes is checked against what was asked for before
//! it is handed on; what a pull does with it is not decided here.

mod blob;
mod error;
mod exchange;
mod listing;
mod manifest;
mod referrers;
mod retry;
mod upload;

pub use blob::BlobPart;
pub use error::RegistryError;
pub use listing::Login;
pub use manifest::{MANIFEST_LIMIT, RemoteManifest};
pub use retry::Retry;
pub use upload::{Upload, Uploaded};

use crate::auth::{Authenticator, CredentialFiles};
use crate::hosts::{Endpoint, Hosts};
use crate::reference::Repository;
use crate::transport::{Client, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What all registries have in common: the network, the configuration, our credentials.
#[derive(Debug)]
pub struct Registries {
    /// Sends requests.
    pub client: Client,
    /// Which servers have what.
    pub hosts: Hosts,
    /// Who we are.
    pub credentials: CredentialFiles,
    /// How often something is tried.
    pub retry: Retry,
}

/// Told when a request is to be made again, for people to see.
pub type OnWait<'a> = dyn Fn(&RegistryError, Duration) + Sync + 'a;

impl Registries {
    /// A repository. Nothing is asked of its servers yet.
    ///
    /// # Errors
    /// A configuration or credentials that cannot be used.
    pub fn remote<'a>(
        &'a self,
        repository: &Repository,
        on_wait: &'a OnWait<'a>,
    ) -> Result<Remote<'a>, RegistryError> {
        let mut places = Vec::new();
        for endpoint in self.hosts.endpoints(repository)? {
            let credential = if endpoint.registry == repository.registry() {
                self.credentials.find(repository)?
            } else {
                self.credentials.find_registry(&endpoint.registry)?
            };
            places.push(self.place(endpoint, credential)?);
        }
        Ok(Remote { registries: self, repository: repository.clone(), places, on_wait })
    }

    fn place(
        &self,
        endpoint: Endpoint,
        credential: Option<crate::auth::Credential>,
    ) -> Result<Place, RegistryError> {
        let server = self.client.server(&endpoint.settings)?;
        // Others must not see our certificate.
        let elsewhere =
            crate::transport::ServerSettings { client: None, ..endpoint.settings.clone() };
        Ok(Place {
            elsewhere: self.client.server(&elsewhere)?,
            server,
            authenticator: Arc::new(Authenticator::new(&endpoint.registry, credential)),
            in_the_clear: endpoint.in_the_clear(),
            is_clear: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            endpoint,
        })
    }
}

/// A repository and the servers that have it.
pub struct Remote<'a> {
    registries: &'a Registries,
    repository: Repository,
    places: Vec<Place>,
    on_wait: &'a OnWait<'a>,
}

/// One server that has the repository, and what we know of it by now.
#[derive(Debug)]
struct Place {
    endpoint: Endpoint,
    /// The same by plain HTTP, where that is allowed.
    in_the_clear: Option<Endpoint>,
    server: Server,
    /// For where the server redirects to.
    elsewhere: Server,
    authenticator: Arc<Authenticator>,
    /// Whether it turned out to speak plain HTTP.
    is_clear: AtomicBool,
    /// Whether it could not be reached; another one is then asked first.
    is_broken: AtomicBool,
}

impl Place {
    fn endpoint(&self) -> &Endpoint {
        match &self.in_the_clear {
            Some(clear) if self.is_clear.load(Ordering::Relaxed) => clear,
            _ => &self.endpoint,
        }
    }
}

/// What a server must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    ByTag,
    ByDigest,
    Push,
}

impl Remote<'_> {
    /// The repository as it was asked for.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// How often something is tried.
    pub(crate) fn retry(&self) -> &Retry {
        &self.registries.retry
    }

    /// Waits before another try, and says so.
    pub(crate) fn wait(&self, error: &RegistryError, time: Duration) {
        (self.on_wait)(error, time);
        std::thread::sleep(time);
    }

    /// Asks the servers that can do it, one after the other, until one does. Whether the last one
    /// is asked is told to `ask`: only that one is worth waiting for.
    fn first<T>(
        &self,
        wanted: Wanted,
        mut ask: impl FnMut(&Place, bool) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let can = |place: &&Place| {
            let capabilities = place.endpoint.capabilities;
            match wanted {
                Wanted::ByTag => capabilities.by_tag,
                Wanted::ByDigest => capabilities.by_digest,
                Wanted::Push => capabilities.push,
            }
        };
        let mut places: Vec<&Place> = self.places.iter().filter(can).collect();
        // Those that could not be reached come last. The sort keeps the order otherwise.
        places.sort_by_key(|place| place.is_broken.load(Ordering::Relaxed));
        let mut failure = RegistryError::NoServer { repository: self.repository.clone() };
        for (index, place) in places.iter().enumerate() {
            match ask(place, index + 1 == places.len()) {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    if error.is_unreachable() {
                        place.is_broken.store(true, Ordering::Relaxed);
                    }
                    // The registry's own answer says more than a mirror's.
                    let is_better = !matches!(failure, RegistryError::NoServer { .. })
                        && error.is_unreachable()
                        && !failure.is_unreachable();
                    if !is_better {
                        failure = error;
                    }
                }
            }
        }
        Err(failure)
    }
}
