//! One request to one server: who we are, where it sends us, and once more if it is busy.

use super::retry::retry_after;
use super::{Place, RegistryError, Remote, error};
use crate::auth::{AuthError, Scope};
use crate::transport::Reason;
use crate::transport::http::{Content, Method, Request, Response};
use crate::transport::url::{Scheme, Url};
use std::sync::atomic::Ordering;

/// How often we let ourselves be sent elsewhere.
const REDIRECTS: usize = 10;

/// Of an error's body, so much is read.
const ERROR_LIMIT: u64 = 64 * 1024;

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Behind the base address: `/library/alpine/manifests/latest`; or a whole address that the
    /// registry gave us.
    pub(super) target: Target<'a>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: &'a [u8],
    pub(super) scopes: Vec<Scope>,
    /// The thing that does not exist if the answer is 404.
    pub(super) what: String,
}

/// Where to.
#[derive(Clone, Debug)]
pub(super) enum Target<'a> {
    /// Behind `/v2/REPOSITORY`.
    Repository(String),
    /// Behind `/v2`.
    Registry(&'a str),
    /// An address from a `Location` or `Link` header.
    Address(Url),
}

impl Ask<'_> {
    /// A question about the repository that needs the right to pull.
    pub(super) fn pull(
        method: Method,
        place: &Place,
        target: String,
        what: String,
    ) -> Ask<'static> {
        Ask {
            method,
            target: Target::Repository(target),
            headers: Vec::new(),
            content: &[],
            scopes: vec![Scope::repository(&place.endpoint.path, "pull")],
            what,
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Remote<'_> {
    /// Asks a server, again as long as that may help (`is_last`: no other one could be asked
    /// instead). The answer's status is below 400.
    pub(super) fn ask(
        &self,
        place: &Place,
        is_last: bool,
        ask: &Ask<'_>,
    ) -> Result<Response, RegistryError> {
        let retry = &self.registries.retry;
        let mut failures = 0;
        loop {
            let result = self.ask_once(place, ask);
            let error = match result.and_then(|response| judge(place, ask, response)) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            failures += 1;
            if !error.is_passing() || !is_last || failures >= retry.attempts {
                return Err(error);
            }
            let wait = error.retry_after().unwrap_or_else(|| retry.wait(failures));
            if wait > retry.longest_asked {
                let registry = place.endpoint.registry.clone();
                return Err(RegistryError::Busy { registry, wait, detail: error.to_string() });
            }
            self.wait(&error, wait);
        }
    }

    /// One try by TLS, and one in the clear where that is allowed and the server knows no TLS.
    fn ask_once(&self, place: &Place, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        // Asked before: another thread may find out in the meantime.
        let was_clear = place.is_clear.load(Ordering::Relaxed);
        let result = self.authorized(place, ask);
        let Err(RegistryError::Transport(error)) = &result else { return result };
        let clear = place.in_the_clear.as_ref().filter(|_| !was_clear);
        let Some(clear) = clear else { return result };
        let has_other_port = clear.base.origin().port != place.endpoint.base.origin().port;
        let may = error.reason.may_be_plain_http() || (has_other_port && error.reason.is_refused());
        if !may {
            return result;
        }
        place.is_clear.store(true, Ordering::Relaxed);
        let in_the_clear = self.authorized(place, ask);
        let was_certain = matches!(*error.reason, Reason::PlainHttp);
        if !was_certain && in_the_clear.as_ref().is_err_and(RegistryError::is_unreachable) {
            place.is_clear.store(false, Ordering::Relaxed);
            return result;
        }
        in_the_clear
    }

    /// Says who we are: what is known at once, and what the server asks for in a second request.
    fn authorized(&self, place: &Place, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        let known = place.authenticator.header(&ask.scopes);
        let (url, response) = self.follow(place, ask, known.as_deref())?;
        let own = place.url(&ask.target)?;
        // Where we were redirected to, our credentials are of no use.
        if response.status() != 401 || url.origin() != own.origin() {
            return Ok(response);
        }
        let network = (&self.registries.client, &place.server);
        let answer =
            place.authenticator.answer(network, &response, &own, &ask.scopes, known.as_deref());
        let header = match answer {
            Ok(header) => header,
            // The registry's own words, if it wants nothing that we could give.
            Err(AuthError::Denied { .. }) => return Ok(response),
            Err(error) => return Err(error.into()),
        };
        response.body.skip();
        Ok(self.follow(place, ask, Some(&header))?.1)
    }

    /// Sends the request to where the server redirects it.
    fn follow(
        &self,
        place: &Place,
        ask: &Ask<'_>,
        authorization: Option<&str>,
    ) -> Result<(Url, Response), RegistryError> {
        let first = place.url(&ask.target)?;
        let mut url = first.clone();
        for _ in 0..=REDIRECTS {
            let is_own = url.origin() == first.origin();
            let mut request = Request::new(ask.method, url.clone());
            for (name, value) in &ask.headers {
                request = request.header(*name, value);
            }
            if is_own {
                for (name, value) in &place.endpoint.headers {
                    request = request.header(name.clone(), value);
                }
                if let Some(authorization) = authorization {
                    request = request.header("Authorization", authorization);
                }
            }
            if !ask.content.is_empty() {
                request = request.content(Content::Bytes(ask.content));
            }
            let server = if is_own { &place.server } else { &place.elsewhere };
            let response = self.registries.client.send(&mut request, server)?;
            let is_redirect = matches!(response.status(), 301 | 302 | 303 | 307 | 308);
            let Some(location) = response.header("location").filter(|_| is_redirect) else {
                return Ok((url, response));
            };
            // Only what has no effect may be repeated at an address that we did not choose.
            if !ask.method.is_safe() {
                return Ok((url, response));
            }
            let next = url
                .join(location)
                .map_err(|source| RegistryError::BadLocation { header: "Location", source })?;
            if first.origin().scheme == Scheme::Https && next.origin().scheme == Scheme::Http {
                let (from, to) = (first.without_query(), next.without_query());
                return Err(RegistryError::InsecureRedirect { from, to });
            }
            response.body.skip();
            url = next;
        }
        Err(RegistryError::RedirectLoop { url: first.without_query(), limit: REDIRECTS })
    }
}

impl Place {
    /// The address of a target on this server.
    pub(super) fn url(&self, target: &Target<'_>) -> Result<Url, RegistryError> {
        let endpoint = self.endpoint();
        let base = endpoint.base.target();
        let target = match target {
            Target::Repository(rest) => format!("{base}/{}{rest}", endpoint.path),
            Target::Registry(rest) => format!("{base}{rest}"),
            Target::Address(url) => return Ok(url.clone()),
        };
        let url = endpoint
            .base
            .with_target(&target)
            .map_err(|source| RegistryError::BadLocation { header: "the request", source })?;
        Ok(match &endpoint.namespace {
            Some(namespace) => url.with_parameter("ns", namespace),
            None => url,
        })
    }
}

/// Turns a status of 400 or more into an error.
pub(super) fn judge(
    place: &Place,
    ask: &Ask<'_>,
    mut response: Response,
) -> Result<Response, RegistryError> {
    let status = response.status();
    if status < 400 {
        return Ok(response);
    }
    let retry_after = retry_after(&response.head);
    // What cannot be read is not needed: the status says enough.
    let body = response.body.read_all(ERROR_LIMIT).unwrap_or_default();
    let detail = error::explain(&body);
    let registry = place.endpoint.registry.clone();
    Err(match status {
        401 | 403 => place.authenticator.denied(&detail).into(),
        404 => RegistryError::NotFound { what: ask.what.clone(), registry, detail },
        _ => RegistryError::Status {
            method: ask.method.name(),
            url: place.url(&ask.target)?.without_query(),
            status,
            detail,
            retry_after,
        },
    })
}
