//! Lists that come in pages: tags, repositories, referrers. And the question who we are.

use super::exchange::{Ask, Target};
use super::{OnWait, Place, Registries, RegistryError, Remote, Wanted};
use crate::auth::{AuthError, Credential, Scope};
use crate::reference::{DOCKER_HUB, Repository};
use crate::transport::http::{Method, Response};
use serde::Deserialize;

/// One page of a list.
const PAGE_LIMIT: u64 = 8 * 1024 * 1024;

/// All pages of one.
const LIST_LIMIT: u64 = 16 * 1024 * 1024;

/// A list that goes on after so many pages has no end.
const PAGES: usize = 1000;

#[derive(Deserialize)]
struct Tags {
    /// Null in some registries when there are none.
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

/// What is found by `/v1/search`.
#[derive(Deserialize)]
struct Index {
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    name: String,
}

/// Where the Hub can be searched.
const HUB_INDEX: &str = "index.docker.io";

/// What a registry says about a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// It is right.
    Accepted,
    /// The registry lets anybody in and did not look at it.
    NotNeeded,
}

impl Remote<'_> {
    /// All tags, in the registry's order.
    ///
    /// # Errors
    /// The repository does not exist, or the registry cannot be asked.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.first(Wanted::ByTag, |place, is_last| {
            let what = self.repository.to_string();
            let ask = Ask::pull(Method::Get, place, "/tags/list".to_owned(), what);
            let mut tags = Vec::new();
            self.pages(place, is_last, ask, |page: Tags| {
                tags.extend(page.tags.unwrap_or_default());
            })?;
            Ok(tags)
        })
    }

    /// Reads pages as long as a `Link` header leads to another one on the same server.
    pub(super) fn pages<T: for<'de> Deserialize<'de>>(
        &self,
        place: &Place,
        is_last: bool,
        mut ask: Ask<'_>,
        mut take: impl FnMut(T),
    ) -> Result<(), RegistryError> {
        let mut left = LIST_LIMIT;
        for _ in 0..PAGES {
            let mut response = self.ask(place, is_last, &ask)?;
            let what = ask.what.clone();
            let body = response.body.read_all(PAGE_LIMIT.min(left));
            let bytes =
                body.map_err(|source| RegistryError::Body { what: what.clone(), source })?;
            left -= bytes.len() as u64;
            take(
                serde_json::from_slice(&bytes)
                    .map_err(|source| RegistryError::Malformed { what, source })?,
            );
            let Some(link) = next_link(&response) else { return Ok(()) };
            let here = place.url(&ask.target)?;
            let next = here.join(&link);
            let next =
                next.map_err(|source| RegistryError::BadLocation { header: "Link", source })?;
            if next.origin() != here.origin() || next == here {
                return Ok(());
            }
            ask.target = Target::Address(next);
        }
        Ok(())
    }
}

impl Registries {
    /// Asks a registry whether a credential is right.
    ///
    /// # Errors
    /// It is wrong ([`AuthError::Denied`]), or the registry cannot be asked.
    pub fn log_in(
        &self,
        registry: &str,
        credential: Credential,
        on_wait: &OnWait<'_>,
    ) -> Result<Login, RegistryError> {
        let place = self.place(self.hosts.registry(registry)?, Some(credential))?;
        let remote = self.bare(registry, place, on_wait)?;
        let place = &remote.places[0];
        let ask = Ask {
            method: Method::Get,
            target: Target::Registry("/"),
            headers: Vec::new(),
            content: &[],
            scopes: Vec::new(),
            what: "the registry's API".to_owned(),
        };
        let response = remote.ask(place, true, &ask)?;
        if response.status() >= 300 {
            let reason = format!("is a redirect ({})", response.status());
            return Err(RegistryError::BadAnswer { what: registry.to_owned(), reason });
        }
        let was_asked = place.authenticator.header(&[]).is_some();
        Ok(if was_asked { Login::Accepted } else { Login::NotNeeded })
    }

    /// The repositories of a registry whose names contain `text`.
    ///
    /// # Errors
    /// The registry has no such list or does not show it ([`RegistryError::Unsupported`]).
    pub fn search(
        &self,
        registry: &str,
        text: &str,
        on_wait: &OnWait<'_>,
    ) -> Result<Vec<String>, RegistryError> {
        // The Hub has only the older way.
        if registry == DOCKER_HUB {
            let place = self.place(self.hosts.registry(HUB_INDEX)?, None)?;
            return search_index(&self.bare(HUB_INDEX, place, on_wait)?, registry, text);
        }
        let credential = self.credentials.find_registry(registry)?;
        let place = self.place(self.hosts.registry(registry)?, credential)?;
        let remote = self.bare(registry, place, on_wait)?;
        let ask = Ask {
            method: Method::Get,
            target: Target::Registry("/_catalog"),
            headers: Vec::new(),
            content: &[],
            scopes: vec![Scope::catalog()],
            what: "the list of repositories".to_owned(),
        };
        let mut names = Vec::new();
        let result = remote.pages(&remote.places[0], true, ask, |page: Catalog| {
            let repositories = page.repositories.unwrap_or_default();
            names.extend(repositories.into_iter().filter(|name| name.contains(text)));
        });
        match result {
            Ok(()) => Ok(names),
            Err(
                RegistryError::NotFound { .. }
                | RegistryError::Status { status: 404 | 405 | 501, .. },
            ) => search_index(&remote, registry, text),
            Err(RegistryError::Auth(AuthError::Denied { .. }))
                if !remote.places[0].authenticator.has_credential() =>
            {
                Err(remote.places[0].authenticator.denied("").into())
            }
            Err(error) => Err(error),
        }
    }

    /// A registry of which no repository is meant.
    fn bare<'a>(
        &'a self,
        registry: &str,
        place: Place,
        on_wait: &'a OnWait<'a>,
    ) -> Result<Remote<'a>, RegistryError> {
        let name = format!("{registry}/any");
        let reference: crate::reference::Reference =
            name.parse().map_err(crate::hosts::ConfigError::Rewrite)?;
        let repository: Repository = reference.repository().clone();
        Ok(Remote { registries: self, repository, places: vec![place], on_wait })
    }
}

/// What a registry has of a text, in the way of Docker's first registries, which the Hub and Quay still know.
fn search_index(
    remote: &Remote<'_>,
    registry: &str,
    text: &str,
) -> Result<Vec<String>, RegistryError> {
    let here = remote.places[0].url(&Target::Registry("/"))?;
    let index = here.join("/v1/search");
    let index =
        index.map_err(|source| RegistryError::BadLocation { header: "Location", source })?;
    let index = index.with_parameter("q", text).with_parameter("n", "100");
    let ask = Ask {
        method: Method::Get,
        target: Target::Address(index),
        headers: Vec::new(),
        content: &[],
        scopes: Vec::new(),
        what: format!("what {registry} has of {text:?}"),
    };
    let mut names = Vec::new();
    let result = remote.pages(&remote.places[0], true, ask, |page: Index| {
        names.extend(page.results.into_iter().map(|result| result.name));
    });
    match result {
        Ok(()) => Ok(names),
        Err(
            RegistryError::NotFound { .. } | RegistryError::Status { status: 404 | 405 | 501, .. },
        ) => Err(RegistryError::Unsupported {
            registry: registry.to_owned(),
            what: "list its repositories: search there with a browser",
        }),
        Err(error) => Err(error),
    }
}

/// The target of `Link: <...>; rel="next"` (RFC 8288).
fn next_link(response: &Response) -> Option<String> {
    let links = response.head.headers("link").flat_map(|value| value.split(','));
    links.filter_map(|link| link.split_once(';')).find_map(|(target, parameters)| {
        let is_next = parameters.replace([' ', '"'], "").split(';').any(|it| it == "rel=next");
        let target = target.trim().strip_prefix('<')?.strip_suffix('>')?;
        is_next.then(|| target.to_owned())
    })
}
