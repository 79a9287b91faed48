//! A registry in memory, and clients for it.

mod fake;
mod images;
mod server;
mod tls;

pub(crate) use fake::Fake;
pub(crate) use images::{Built, index, tar};
pub(crate) use server::{Reply, Seen, Server};
pub(crate) use tls::Certificates;

use image::auth::CredentialFiles;
use image::hosts::Hosts;
use image::reference::{Reference, Repository};
use image::registry::{Registries, RegistryError, Remote, Retry};
use image::transport::dns::Resolver;
use image::transport::http::Timeouts;
use image::transport::{Client, Proxies, Settings};
use image::{Digest, Hasher};
use spec::image::{Algorithm, Descriptor, MediaType};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A client that asks again at once, and waits as long as a busy machine takes.
pub(crate) fn registries() -> Registries {
    registries_with(Proxies::default(), Hosts::default())
}

pub(crate) fn registries_with(proxies: Proxies, hosts: Hosts) -> Registries {
    registries_within(Duration::from_secs(60), proxies, hosts)
}

/// One that waits no longer than this.
pub(crate) fn registries_within(patience: Duration, proxies: Proxies, hosts: Hosts) -> Registries {
    let timeouts = Timeouts { connect: patience, head: patience, stall: patience };
    let settings = Settings {
        resolver: Resolver::new("127.0.0.1 registry.test other.test\n", "nameserver 127.0.0.1:1\n"),
        proxies,
        timeouts,
        system_roots: Vec::new(),
        user_agent: "test".to_owned(),
    };
    let retry = Retry { first_wait: Duration::from_millis(1), attempts: 3, ..Retry::default() };
    Registries {
        client: Client::new(settings),
        hosts,
        credentials: CredentialFiles::default(),
        retry,
    }
}

/// `HOST/PATH` as a repository.
pub(crate) fn repository(host: &str, path: &str) -> Repository {
    format!("{host}/{path}").parse::<Reference>().unwrap().repository().clone()
}

/// A remote that says nothing about its waits.
pub(crate) fn remote<'a>(registries: &'a Registries, host: &str, path: &str) -> Remote<'a> {
    registries.remote(&repository(host, path), &|_, _| {}).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Hasher::of(Algorithm::Sha256, bytes)
}

pub(crate) fn blob(bytes: &[u8]) -> Descriptor {
    Descriptor::new(MediaType::OciLayerGzip, sha256(bytes), bytes.len() as u64)
}

/// Bytes that no two places have in common.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A folder that goes away with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("image-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The error of something that must fail.
pub(crate) fn error<T>(result: Result<T, RegistryError>) -> RegistryError {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(error) => error,
    }
}
