//! Blobs, whole or in part.

use super::exchange::Ask;
use super::{RegistryError, Remote, Wanted};
use crate::Digest;
use crate::Hasher;
use crate::transport::http::{Body, Method, Response};
use spec::image::Descriptor;
use std::io;
use std::ops::Range;

/// Bytes of a blob on their way.
#[derive(Debug)]
pub struct BlobPart {
    /// The place of the first one in the blob: 0 if the registry ignores ranges.
    pub start: u64,
    /// The bytes. There may be fewer than were asked for, and more are possible.
    pub body: Body,
}

impl Remote<'_> {
    /// Asks for some bytes of a blob, whose length must be as the descriptor says.
    ///
    /// # Errors
    /// It does not exist, cannot be had, or has another length.
    pub fn blob(&self, blob: &Descriptor, range: Range<u64>) -> Result<BlobPart, RegistryError> {
        let what = blob.digest.to_string();
        self.first(Wanted::ByDigest, |place, is_last| {
            let target = format!("/blobs/{}", blob.digest);
            let mut ask = Ask::pull(Method::Get, place, target, what.clone());
            // Without it, a server could compress on the way, and the digest would be wrong.
            ask = ask.header("Accept-Encoding", "identity");
            if range != (0..blob.size) && !range.is_empty() {
                ask = ask.header("Range", format!("bytes={}-{}", range.start, range.end - 1));
            }
            let response = self.ask(place, is_last, &ask)?;
            part(&what, blob, &range, response)
        })
    }

    /// A small blob as a whole, checked: a configuration.
    ///
    /// # Errors
    /// As [`Remote::blob`]; or it is longer than `limit`, or not what it should be.
    pub fn small_blob(&self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let what = blob.digest.to_string();
        if blob.size > limit {
            return Err(RegistryError::TooLarge { what, limit });
        }
        let mut failures = 0;
        let bytes = loop {
            let mut part = self.blob(blob, 0..blob.size)?;
            match part.body.read_all(blob.size) {
                Ok(bytes) => break bytes,
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    let actual = "more".to_owned();
                    return Err(RegistryError::WrongSize { what, expected: blob.size, actual });
                }
                Err(source) => {
                    let error = RegistryError::Body { what: what.clone(), source };
                    failures += 1;
                    if failures >= self.registries.retry.attempts {
                        return Err(error);
                    }
                    self.wait(&error, self.registries.retry.wait(failures));
                }
            }
        };
        let actual = Hasher::of(blob.digest.algorithm(), &bytes);
        if bytes.len() as u64 != blob.size {
            let actual = bytes.len().to_string();
            return Err(RegistryError::WrongSize { what, expected: blob.size, actual });
        }
        if actual != blob.digest {
            return Err(RegistryError::WrongDigest { what, expected: blob.digest.clone(), actual });
        }
        Ok(bytes)
    }

    /// The length of a blob, if the registry has it.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn find_blob(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let found = self.first(Wanted::Push, |place, is_last| {
            let target = format!("/blobs/{digest}");
            let mut ask = Ask::pull(Method::Head, place, target, digest.to_string());
            // The same as for what follows, so that one token does for both.
            ask.scopes = vec![crate::auth::Scope::repository(&place.endpoint.path, "pull,push")];
            self.ask(place, is_last, &ask)
        });
        match found {
            Ok(response) => Ok(Some(response.head.length().ok().flatten().unwrap_or(0))),
            Err(RegistryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a blob.
    ///
    /// # Errors
    /// It does not exist, or the registry does not allow it.
    pub fn delete_blob(&self, digest: &Digest) -> Result<(), RegistryError> {
        self.delete(&format!("/blobs/{digest}"), digest.as_str())
    }
}

/// Checks what the registry says about the bytes that follow.
fn part(
    what: &str,
    blob: &Descriptor,
    range: &Range<u64>,
    response: Response,
) -> Result<BlobPart, RegistryError> {
    let wrong = |actual: u64| RegistryError::WrongSize {
        what: what.to_owned(),
        expected: blob.size,
        actual: actual.to_string(),
    };
    if response.header("content-encoding").is_some_and(|coding| coding != "identity") {
        let reason = "is compressed, which was not asked for".to_owned();
        return Err(RegistryError::BadAnswer { what: what.to_owned(), reason });
    }
    if response.status() != 206 {
        return match response.head.length().ok().flatten() {
            Some(length) if length != blob.size => Err(wrong(length)),
            _ => Ok(BlobPart { start: 0, body: response.body }),
        };
    }
    let content_range = response.header("content-range").unwrap_or_default();
    match parse_content_range(content_range) {
        Some((_, Some(total))) if total != blob.size => Err(wrong(total)),
        Some((start, _)) if start == range.start => Ok(BlobPart { start, body: response.body }),
        _ => {
            let reason = format!("has another part than was asked for: {content_range:?}");
            Err(RegistryError::BadAnswer { what: what.to_owned(), reason })
        }
    }
}

/// `bytes FIRST-LAST/TOTAL`, where the total may be `*`.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (first <= last).then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::parse_content_range;

    #[test]
    fn content_ranges() {
        assert_eq!(parse_content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_content_range("bytes 0-0/*"), Some((0, None)));
        for text in ["", "bytes 5-4/10", "bytes */10", "bytes a-b/c", "5-9/10", "bytes 5-9"] {
            assert_eq!(parse_content_range(text), None, "{text}");
        }
    }
}
