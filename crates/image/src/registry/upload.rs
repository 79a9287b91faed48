//! Uploads: a blob that is there already, mounted from another repository, whole, or in chunks.

use super::exchange::{Ask, Target, judge};
use super::{Place, RegistryError, Remote, Wanted};
use crate::Digest;
use crate::auth::Scope;
use crate::reference::Repository;
use crate::transport::http::{Content, Method, Request, Response};
use crate::transport::url::Url;
use std::io::{self, Read};

/// The chunks in which a blob goes that a server before the registry finds too large as a whole.
const FALLBACK_CHUNK: u64 = 32 * 1024 * 1024;

/// How a blob came to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// It was there.
    Existed,
    /// It was in another repository of the registry.
    Mounted,
    /// It was sent.
    Sent,
}

/// A blob that is to be uploaded.
pub struct Upload<'a> {
    /// What it hashes to.
    pub digest: &'a Digest,
    /// How long it is.
    pub size: u64,
    /// Opens it at a place; called again for each try.
    pub open: &'a (dyn Fn(u64) -> io::Result<Box<dyn Read>> + Sync),
    /// Repositories of the same registry that may have it.
    pub mount_from: &'a [Repository],
    /// The length of the chunks in which it is sent; as a whole if none is given.
    pub chunk: Option<u64>,
    /// Told how many bytes have been sent.
    pub on_progress: &'a (dyn Fn(u64) + Sync),
}

impl Remote<'_> {
    /// Brings a blob to the registry, in the cheapest way that works.
    ///
    /// # Errors
    /// The registry refuses it or cannot be reached, or the blob cannot be read.
    pub fn upload(&self, upload: &Upload<'_>) -> Result<Uploaded, RegistryError> {
        if self.find_blob(upload.digest)?.is_some() {
            return Ok(Uploaded::Existed);
        }
        self.first(Wanted::Push, |place, _| {
            for from in upload.mount_from {
                if self.mount(place, upload, from)? {
                    return Ok(Uploaded::Mounted);
                }
            }
            self.send_blob(place, upload)
        })
    }

    /// Asks for the blob of another repository. A registry that will not do it begins an upload
    /// instead, which is left to expire: its address needs other rights than the next one's.
    fn mount(
        &self,
        place: &Place,
        upload: &Upload<'_>,
        from: &Repository,
    ) -> Result<bool, RegistryError> {
        let target = format!("/blobs/uploads/?mount={}&from={}", upload.digest, from.path());
        let mut ask = push(place, Method::Post, Target::Repository(target), upload);
        ask.scopes.push(Scope::repository(from.path(), "pull"));
        match self.ask(place, true, &ask) {
            Ok(response) => {
                let is_mounted = response.status() == 201;
                response.body.skip();
                Ok(is_mounted)
            }
            // Not allowed to read there, or not known: then it is sent.
            Err(RegistryError::Auth(_) | RegistryError::NotFound { .. }) => Ok(false),
            Err(RegistryError::Status { status: 400..500, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a blob; again from where the registry has it, when the connection fails.
    fn send_blob(&self, place: &Place, upload: &Upload<'_>) -> Result<Uploaded, RegistryError> {
        let retry = &self.registries.retry;
        let mut chunk = upload.chunk;
        let mut failures = 0;
        loop {
            let result = match chunk {
                None => self.send_whole(place, upload),
                Some(length) => self.send_chunks(place, upload, length.max(1)),
            };
            let error = match result {
                Ok(()) => return Ok(Uploaded::Sent),
                // A proxy before the registry that takes only so much at once.
                Err(RegistryError::Status { status: 413, .. }) if chunk.is_none() => {
                    chunk = Some(FALLBACK_CHUNK);
                    continue;
                }
                Err(error) => error,
            };
            failures += 1;
            if !error.is_passing() || failures >= retry.attempts {
                return Err(error);
            }
            self.wait(&error, retry.wait(failures));
        }
    }

    /// POST, then PUT with all bytes.
    fn send_whole(&self, place: &Place, upload: &Upload<'_>) -> Result<(), RegistryError> {
        let location = self.begin(place, upload)?;
        let url = location.with_parameter("digest", upload.digest.as_str());
        let part = Part { start: 0, length: upload.size, is_chunk: false };
        let response = self.send_part(place, upload, Method::Put, url, &part)?;
        check_stored(upload, response)
    }

    /// POST, a PATCH for each chunk, then PUT without bytes.
    fn send_chunks(
        &self,
        place: &Place,
        upload: &Upload<'_>,
        length: u64,
    ) -> Result<(), RegistryError> {
        let mut location = self.begin(place, upload)?;
        let mut start = 0;
        let mut failures = 0;
        while start < upload.size {
            let part = Part { start, length: length.min(upload.size - start), is_chunk: true };
            match self.send_part(place, upload, Method::Patch, location.clone(), &part) {
                Ok(response) => {
                    start += part.length;
                    failures = 0;
                    location = next_address(place, &response)?;
                }
                // A token that has expired is replaced by the question where to go on.
                Err(error)
                    if (error.is_passing() || matches!(error, RegistryError::Auth(_)))
                        && failures < self.registries.retry.attempts =>
                {
                    failures += 1;
                    self.wait(&error, self.registries.retry.wait(failures));
                    (location, start) = self.resume(place, upload, &location)?;
                }
                Err(error) => return Err(error),
            }
        }
        let url = location.with_parameter("digest", upload.digest.as_str());
        let ask = push(place, Method::Put, Target::Address(url), upload);
        let response = self.ask(place, true, &ask)?;
        check_stored(upload, response)
    }

    /// Where an upload that broke off goes on, and with which byte.
    fn resume(
        &self,
        place: &Place,
        upload: &Upload<'_>,
        location: &Url,
    ) -> Result<(Url, u64), RegistryError> {
        let ask = push(place, Method::Get, Target::Address(location.clone()), upload);
        let response = self.ask(place, true, &ask)?;
        // `0-LAST`; a registry that has nothing says `0-0`, or nothing.
        let range = response.header("range").unwrap_or_default().trim_start_matches("bytes=");
        let last = range.split_once('-').and_then(|(_, last)| last.trim().parse::<u64>().ok());
        let start = last.filter(|last| *last > 0).map_or(0, |last| last + 1);
        if start > upload.size {
            let reason = format!("has more than was sent: {range}");
            return Err(RegistryError::BadAnswer { what: upload.digest.to_string(), reason });
        }
        let next = match response.header("location") {
            Some(_) => next_address(place, &response)?,
            None => location.clone(),
        };
        Ok((next, start))
    }

    fn begin(&self, place: &Place, upload: &Upload<'_>) -> Result<Url, RegistryError> {
        let target = Target::Repository("/blobs/uploads/".to_owned());
        let ask = push(place, Method::Post, target, upload);
        let response = self.ask(place, true, &ask)?;
        next_address(place, &response)
    }

    /// Sends bytes of the blob in the body of a request. It cannot be repeated by itself.
    fn send_part(
        &self,
        place: &Place,
        upload: &Upload<'_>,
        method: Method,
        url: Url,
        part: &Part,
    ) -> Result<Response, RegistryError> {
        let what = upload.digest.to_string();
        let source = |source| RegistryError::Source { what: what.clone(), source };
        let reader = (upload.open)(part.start).map_err(source)?;
        let mut counted =
            Counted { reader, count: part.start, failed: false, on_progress: upload.on_progress };
        let is_own = url.origin() == place.endpoint().base.origin();
        let mut request =
            Request::new(method, url.clone()).header("Content-Type", "application/octet-stream");
        if part.is_chunk {
            let range = format!("{}-{}", part.start, part.start + part.length - 1);
            request = request.header("Content-Range", range);
        }
        if is_own {
            for (name, value) in &place.endpoint.headers {
                request = request.header(name.clone(), value);
            }
            if let Some(header) = place.authenticator.header(&push_scopes(place)) {
                request = request.header("Authorization", header);
            }
        }
        let mut request = request.content(Content::Stream(&mut counted, part.length));
        let server = if is_own { &place.server } else { &place.elsewhere };
        let sent = self.registries.client.send(&mut request, server);
        if counted.failed {
            let error = io::Error::other("reading failed or ended early");
            return Err(RegistryError::Source { what, source: error });
        }
        let ask = push(place, method, Target::Address(url), upload);
        judge(place, &ask, sent?)
    }
}

fn push<'a>(place: &Place, method: Method, target: Target<'a>, upload: &Upload<'_>) -> Ask<'a> {
    Ask {
        method,
        target,
        headers: Vec::new(),
        content: &[],
        scopes: push_scopes(place),
        what: format!("the upload of {}", upload.digest),
    }
}

/// The address at which an upload goes on.
fn next_address(place: &Place, response: &Response) -> Result<Url, RegistryError> {
    let location = response.header("location").ok_or_else(|| RegistryError::BadAnswer {
        what: "upload".to_owned(),
        reason: "has no Location".to_owned(),
    })?;
    let base = &place.endpoint().base;
    let url = base
        .join(location)
        .map_err(|source| RegistryError::BadLocation { header: "Location", source })?;
    Ok(url)
}

fn push_scopes(place: &Place) -> Vec<Scope> {
    vec![Scope::repository(&place.endpoint.path, "pull,push")]
}

fn check_stored(upload: &Upload<'_>, response: Response) -> Result<(), RegistryError> {
    let said = response.header("docker-content-digest").and_then(|text| text.parse().ok());
    match said {
        Some(actual) if actual != *upload.digest => Err(RegistryError::WrongDigest {
            what: "the uploaded blob".to_owned(),
            expected: upload.digest.clone(),
            actual,
        }),
        _ => {
            response.body.skip();
            Ok(())
        }
    }
}

/// Which bytes of the blob a request has.
struct Part {
    start: u64,
    length: u64,
    is_chunk: bool,
}

/// Counts what was read, and remembers whether it was the reading that failed.
struct Counted<'a> {
    reader: Box<dyn Read>,
    count: u64,
    failed: bool,
    on_progress: &'a (dyn Fn(u64) + Sync),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(buffer);
        match &result {
            Ok(0) | Err(_) => self.failed = true,
            Ok(count) => {
                self.count += *count as u64;
                (self.on_progress)(self.count);
            }
        }
        result
    }
}
