//! A registry in this process, which does what a trial needs it to do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::support::end_of;

/// A registry on a port of this machine, until the process ends.
pub(super) struct Registry {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is at a path, and its media type.
    answers: BTreeMap<String, (String, Vec<u8>)>,
    /// So many bytes at the end of each layer are kept back.
    kept_back: usize,
    /// The digests of layers that were asked for, as often as they were.
    asked: Vec<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Registry {
    pub(super) fn start() -> Result<Registry> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let own = shared.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = own.clone();
                // A client that was killed is no error.
                thread::spawn(move || serve(&connection, &shared));
            }
        });
        Ok(Registry { port, shared })
    }

    /// Puts an image of these layers, which are plain tar files, and returns its name.
    pub(super) fn add(&self, repository: &str, layers: &[&Path]) -> Result<String> {
        self.add_packed(repository, layers, &["cat"])
    }

    /// The same, where the layers are what a command makes of the tar files.
    pub(super) fn add_packed(
        &self,
        repository: &str,
        layers: &[&Path],
        pack: &[&str],
    ) -> Result<String> {
        let (mut descriptors, mut diff_ids) = (Vec::new(), Vec::new());
        for layer in layers {
            diff_ids.push(format!("sha256:{}", sha256(&fs::read(layer)?)?));
            let packed = Command::new(pack[0]).args(&pack[1..]).arg(layer).output()?;
            descriptors.push(self.blob(repository, LAYER, packed.stdout)?);
        }
        let config = json!({
            "os": "linux", "architecture": "amd64",
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.blob(repository, CONFIG, config.to_string().into_bytes())?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors,
        });
        let manifest = (MANIFEST.to_owned(), manifest.to_string().into_bytes());
        self.shared.state().answers.insert(format!("/v2/{repository}/manifests/1"), manifest);
        Ok(format!("127.0.0.1:{}/{repository}:1", self.port))
    }

    fn blob(&self, repository: &str, kind: &str, bytes: Vec<u8>) -> Result<serde_json::Value> {
        let digest = format!("sha256:{}", sha256(&bytes)?);
        let descriptor = json!({ "mediaType": kind, "digest": digest, "size": bytes.len() });
        let path = format!("/v2/{repository}/blobs/{digest}");
        self.shared.state().answers.insert(path, (kind.to_owned(), bytes));
        Ok(descriptor)
    }

    /// Keeps so many bytes at the end of each layer back, until it is said again with 0.
    pub(super) fn keep_back(&self, bytes: usize) {
        self.shared.state().kept_back = bytes;
        self.shared.changed.notify_all();
    }

    /// Which layers were asked for since it was last asked, each once, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut self.shared.state().asked);
        asked.sort();
        asked.dedup();
        asked
    }
}

fn sha256(bytes: &[u8]) -> Result<String> {
    let path = crate::support::scratch("hashed");
    fs::write(&path, bytes)?;
    let done = end_of(Command::new("sha256sum").arg(path))?;
    Ok(done.stdout.split(' ').next().context("a hash")?.to_owned())
}

/// Answers one request: for a part, if it says so.
fn serve(mut connection: &TcpStream, shared: &Shared) -> Option<()> {
    let lines = BufReader::new(connection).lines();
    let head: Vec<String> = lines.map_while(Result::ok).take_while(|it| !it.is_empty()).collect();
    let path = head.first()?.split(' ').nth(1)?;
    let range = head.iter().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("range: bytes=")?
            .split_once('-')
            .map(|(first, last)| (first.parse().ok(), last.parse().ok()))
    });
    let found = shared.state().answers.get(path).cloned();
    let Some((kind, bytes)) = found else {
        let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return connection.write_all(answer.as_bytes()).ok();
    };
    let (status, range) = match range {
        Some((Some(first), Some(last))) if first <= last && last < bytes.len() => {
            ("206 Partial Content", first..last + 1)
        }
        _ => ("200 OK", 0..bytes.len()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Content-Range: bytes {}-{}/{}\r\nConnection: close\r\n\r\n",
        range.len(),
        range.start,
        range.end.saturating_sub(1),
        bytes.len()
    );
    connection.write_all(head.as_bytes()).ok()?;
    if kind == LAYER {
        shared.state().asked.push(path.rsplit('/').next()?.to_owned());
        let range = send_what_may_go(connection, shared, &bytes, range)?;
        return connection.write_all(&bytes[range]).ok();
    }
    connection.write_all(&bytes[range]).ok()
}

/// Sends what is not kept back, and waits until the rest, which it returns, may go, too.
fn send_what_may_go(
    mut connection: &TcpStream,
    shared: &Shared,
    bytes: &[u8],
    range: Range<usize>,
) -> Option<Range<usize>> {
    let kept_back = shared.state().kept_back;
    let first =
        range.start..range.end.min(bytes.len() - kept_back.min(bytes.len())).max(range.start);
    connection.write_all(&bytes[first.clone()]).ok()?;
    if first.end < range.end {
        let state = shared.state();
        let waiting = shared.changed.wait_while(state, |state| state.kept_back > 0);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }
    Some(first.end..range.end)
}
