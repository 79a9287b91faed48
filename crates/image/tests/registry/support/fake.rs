//! A registry that keeps its repositories in memory and does as the specification says, except
//! where a test steps in.

use super::server::{Reply, Seen, Server};
use super::{repository, sha256};
use image::reference::Repository;
use spec::image::Descriptor;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

type Interference = dyn Fn(&Seen, &State) -> Option<Reply> + Send + Sync;

/// What a registry knows.
#[derive(Default)]
pub(crate) struct State {
    /// `REPOSITORY@DIGEST`.
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
    /// `REPOSITORY:TAG` or `REPOSITORY@DIGEST`, with the media type.
    manifests: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    uploads: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Bytes of blobs that were sent.
    pub(crate) served: AtomicU64,
}

/// A registry.
pub(crate) struct Fake {
    pub(crate) server: Server,
    pub(crate) state: Arc<State>,
}

impl Fake {
    pub(crate) fn start() -> Fake {
        Fake::start_with(|_, _| None)
    }

    /// What `interfere` answers goes before what the registry would.
    pub(crate) fn start_with(
        interfere: impl Fn(&Seen, &State) -> Option<Reply> + Send + Sync + 'static,
    ) -> Fake {
        let state = Arc::new(State::default());
        let interfere: Box<Interference> = Box::new(interfere);
        let own = state.clone();
        let server =
            Server::start(move |seen| interfere(seen, &own).unwrap_or_else(|| own.answer(seen)));
        Fake { server, state }
    }

    pub(crate) fn repository(&self, path: &str) -> Repository {
        repository(&self.server.host(), path)
    }

    pub(crate) fn host(&self) -> String {
        self.server.host()
    }
}

impl State {
    pub(crate) fn add_blob(&self, path: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = super::blob(bytes);
        self.blobs.lock().unwrap().insert(format!("{path}@{}", descriptor.digest), bytes.to_vec());
        descriptor
    }

    pub(crate) fn add_manifest(&self, path: &str, tag: &str, media_type: &str, bytes: &[u8]) {
        let mut manifests = self.manifests.lock().unwrap();
        let manifest = (media_type.to_owned(), bytes.to_vec());
        manifests.insert(format!("{path}:{tag}"), manifest.clone());
        manifests.insert(format!("{path}@{}", sha256(bytes)), manifest);
    }

    pub(crate) fn blob(&self, path: &str, digest: &str) -> Option<Vec<u8>> {
        self.blobs.lock().unwrap().get(&format!("{path}@{digest}")).cloned()
    }

    pub(crate) fn manifest(&self, path: &str, tag: &str) -> Option<Vec<u8>> {
        self.manifests.lock().unwrap().get(&format!("{path}:{tag}")).map(|(_, bytes)| bytes.clone())
    }

    /// As the specification says.
    pub(crate) fn answer(&self, seen: &Seen) -> Reply {
        let Some(path) = seen.path().strip_prefix("/v2/") else { return Reply::new(404) };
        if path.is_empty() {
            return Reply::ok("{}");
        }
        if let Some((name, version)) = path.split_once("/manifests/") {
            return self.answer_manifest(seen, name, version);
        }
        if let Some((name, id)) = path.split_once("/blobs/uploads/") {
            return self.answer_upload(seen, name, id);
        }
        if let Some((name, digest)) = path.split_once("/blobs/") {
            return self.answer_blob(seen, name, digest);
        }
        Reply::new(404)
    }

    fn answer_manifest(&self, seen: &Seen, name: &str, version: &str) -> Reply {
        let separator = if version.contains(':') { '@' } else { ':' };
        let key = format!("{name}{separator}{version}");
        if seen.method == "PUT" {
            self.add_manifest(name, version, seen.header("content-type"), &seen.body);
            return Reply::new(201).header("Docker-Content-Digest", sha256(&seen.body).as_str());
        }
        if seen.method == "DELETE" {
            let found = self.manifests.lock().unwrap().remove(&key);
            return Reply::new(if found.is_some() { 202 } else { 404 });
        }
        match self.manifests.lock().unwrap().get(&key) {
            Some((media_type, bytes)) => Reply::ok(bytes.clone())
                .header("Content-Type", media_type)
                .header("Docker-Content-Digest", sha256(bytes).as_str()),
            None => Reply {
                body:
                    br#"{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}"#
                        .to_vec(),
                ..Reply::new(404)
            },
        }
    }

    fn answer_blob(&self, seen: &Seen, name: &str, digest: &str) -> Reply {
        let Some(bytes) = self.blob(name, digest) else { return Reply::new(404) };
        let Some(range) = seen.header("range").strip_prefix("bytes=") else {
            if seen.method == "GET" {
                self.served.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            return Reply::ok(bytes);
        };
        let (first, last) = range.split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let part = &bytes[first..=last.min(bytes.len() - 1)];
        self.served.fetch_add(part.len() as u64, Ordering::Relaxed);
        let content_range = format!("bytes {first}-{last}/{}", bytes.len());
        Reply { status: 206, ..Reply::ok(part) }.header("Content-Range", content_range)
    }

    fn answer_upload(&self, seen: &Seen, name: &str, id: &str) -> Reply {
        let query = seen.target.split_once('?').map_or("", |(_, query)| query);
        let parameter = |wanted: &str| {
            let found = query.split('&').filter_map(|pair| pair.split_once('='));
            let value = found.filter(|(known, _)| *known == wanted).map(|(_, value)| value).next();
            value.map(|value| value.replace("%3A", ":"))
        };
        let mut uploads = self.uploads.lock().unwrap();
        let location = format!("/v2/{name}/blobs/uploads/{id}?state=x");
        match seen.method.as_str() {
            "POST" => {
                if let (Some(digest), Some(from)) = (parameter("mount"), parameter("from"))
                    && let Some(bytes) = self.blob(&from, &digest)
                {
                    self.add_blob(name, &bytes);
                    return Reply::new(201)
                        .header("Location", format!("/v2/{name}/blobs/{digest}"));
                }
                let id = format!("id{}", uploads.len());
                uploads.insert(id.clone(), Vec::new());
                Reply::new(202).header("Location", format!("/v2/{name}/blobs/uploads/{id}?state=x"))
            }
            "GET" => {
                let length = uploads[id].len();
                Reply::new(204)
                    .header("Location", location)
                    .header("Range", format!("0-{}", length.saturating_sub(1)))
            }
            "PATCH" => {
                let upload = uploads.get_mut(id).unwrap();
                if let Some((start, _)) = seen.header("content-range").split_once('-')
                    && start.parse() != Ok(upload.len())
                {
                    return Reply::new(416);
                }
                upload.extend(&seen.body);
                Reply::new(202).header("Location", location)
            }
            "PUT" => {
                let mut bytes = uploads.remove(id).unwrap_or_default();
                bytes.extend(&seen.body);
                let digest = parameter("digest").unwrap_or_default();
                if sha256(&bytes).as_str() != digest {
                    return Reply::new(400);
                }
                self.add_blob(name, &bytes);
                Reply::new(201).header("Docker-Content-Digest", digest)
            }
            _ => Reply::new(405),
        }
    }
}
