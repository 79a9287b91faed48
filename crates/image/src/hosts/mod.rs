//! Which servers have a repository: the registry itself, its mirrors, and how each is spoken to.
//!
//! Two files of others say it. Podman's `registries.conf` may send a name elsewhere and give it
//! mirrors ([`registries_conf`]). What a host of the result is, is then said by the folders of
//! containerd and Docker, `certs.d/HOST/` ([`hosts_toml`]).

mod hosts_toml;
mod registries_conf;

pub use hosts_toml::{HostsToml, parse as parse_hosts_toml};
pub use registries_conf::{RegistriesConf, SYSTEM_FILES, ShortNames, user_files};

use crate::file;
use crate::reference::{DOCKER_HUB, Repository};
use crate::transport::ServerSettings;
use crate::transport::url::{Scheme, Url, UrlError};
use std::path::{Path, PathBuf};
use sys::rustix::fs::{CWD, Dir, Mode, OFlags, openat};

/// The host behind `docker.io`.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or a folder cannot be read.
    #[error("registry configuration: {0}")]
    Read(#[from] sys::Error),
    /// A file that is not TOML, or has a value of the wrong kind.
    #[error("{}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        source: Box<toml::de::Error>,
    },
    /// A value that means nothing.
    #[error("{}: {field}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        field: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// The administrator forbids the registry.
    #[error("{name} is blocked by registries.conf")]
    Blocked {
        /// The name that was asked for.
        name: String,
    },
    /// A registry's name that makes no address.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A rewrite that makes a path that no registry would take.
    #[error(transparent)]
    Rewrite(#[from] crate::reference::ReferenceError),
}

/// What a server may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Manifests by tag: what a mirror says about them may be old.
    pub by_tag: bool,
    /// Manifests by digest, and blobs.
    pub by_digest: bool,
    /// To take what is pushed.
    pub push: bool,
}

impl Capabilities {
    /// Everything.
    pub const ALL: Capabilities = Capabilities { by_tag: true, by_digest: true, push: true };
    /// Everything but pushes.
    pub const PULL: Capabilities = Capabilities { push: false, ..Capabilities::ALL };
}

/// One server that has a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Up to and with `/v2`, or what stands in its place, without a slash at its end.
    pub base: Url,
    /// The repository there.
    pub path: String,
    /// What it may be asked for.
    pub capabilities: Capabilities,
    /// How it is connected to.
    pub settings: ServerSettings,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
    /// `ns` in the query, which tells a mirror for whom it stands.
    pub namespace: Option<String>,
    /// Whether plain HTTP is spoken if the server does not speak TLS: on this machine, or because
    /// the configuration says so. The port of it.
    pub plain_port: Option<u16>,
    /// The registry whose credentials are for this server.
    pub registry: String,
}

/// The configuration of registries.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Folders with a folder for each host: `/etc/containerd/certs.d`, `/etc/docker/certs.d`.
    pub folders: Vec<PathBuf>,
    /// A folder for whatever registry, instead of all those (`--cert-dir`).
    pub only_folder: Option<PathBuf>,
    /// What `registries.conf` says.
    pub registries: RegistriesConf,
    /// Whether certificates are not checked and plain HTTP is spoken, whatever the registry
    /// (`--tls-verify=false`).
    pub insecure: bool,
}

impl Hosts {
    /// The servers for a repository in the order in which they are asked: mirrors first.
    ///
    /// # Errors
    /// A configuration that cannot be read or used, or forbids the repository.
    pub fn endpoints(&self, repository: &Repository) -> Result<Vec<Endpoint>, ConfigError> {
        let mut endpoints = Vec::new();
        for location in self.registries.locations(repository)? {
            let (host, path) = location.name.split_once('/').unwrap_or((&location.name, ""));
            let insecure = location.insecure || self.insecure;
            for mut endpoint in self.servers(host, path, insecure)? {
                let may = location.capabilities;
                let can = endpoint.capabilities;
                endpoint.capabilities = Capabilities {
                    by_tag: may.by_tag && can.by_tag,
                    by_digest: may.by_digest && can.by_digest,
                    push: may.push && can.push,
                };
                endpoints.push(endpoint);
            }
        }
        Ok(endpoints)
    }

    /// The server of a registry alone, to log in there.
    ///
    /// # Errors
    /// As [`Hosts::endpoints`].
    pub fn registry(&self, registry: &str) -> Result<Endpoint, ConfigError> {
        let servers = self.servers(registry, "", self.insecure)?;
        // The registry itself comes after its mirrors.
        servers
            .into_iter()
            .next_back()
            .ok_or_else(|| ConfigError::Blocked { name: registry.to_owned() })
    }

    fn servers(
        &self,
        host: &str,
        path: &str,
        insecure: bool,
    ) -> Result<Vec<Endpoint>, ConfigError> {
        let mut own = upstream(host, path)?;
        if insecure {
            own.plain_port = own.plain_port.or(Some(plain_port(&own.base)));
            own.settings.dangerous_any_certificate = true;
        }
        for folder in self.folders_for(host) {
            let file = folder.join("hosts.toml");
            if let Some(text) = file::read_if_present(&file)? {
                let text = String::from_utf8_lossy(&text);
                return hosts_toml::parse(&text, &file)?.endpoints(&own);
            }
            if let Some(settings) = docker_folder(&folder, &own.settings)? {
                own.settings = settings;
                return Ok(vec![own]);
            }
        }
        Ok(vec![own])
    }

    /// The folders that may say something about a host, in order.
    fn folders_for(&self, host: &str) -> Vec<PathBuf> {
        if let Some(folder) = &self.only_folder {
            return vec![folder.clone()];
        }
        let names = folder_names(host);
        let below =
            |folder: &PathBuf| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
        self.folders.iter().flat_map(below).collect()
    }
}

/// The registry as its name alone says where it is.
fn upstream(host: &str, path: &str) -> Result<Endpoint, ConfigError> {
    let server = if host == DOCKER_HUB { DOCKER_HUB_HOST } else { host };
    let base: Url = format!("https://{server}/v2").parse()?;
    let plain_port = base.origin().is_loopback().then(|| plain_port(&base));
    Ok(Endpoint {
        base,
        path: path.to_owned(),
        capabilities: Capabilities::ALL,
        settings: ServerSettings::default(),
        headers: Vec::new(),
        namespace: None,
        plain_port,
        registry: host.to_owned(),
    })
}

/// The port that plain HTTP would have: the one that was written, or its own.
fn plain_port(base: &Url) -> u16 {
    let port = base.origin().port;
    if port == Scheme::Https.default_port() { Scheme::Http.default_port() } else { port }
}

/// The names that a host's folder may have. `HOST_PORT_` is for systems without colons in names.
fn folder_names(host: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some((name, port)) = host.rsplit_once(':') {
        names.push(format!("{name}_{port}_"));
    }
    names.push(host.to_owned());
    names.push("_default".to_owned());
    names
}

/// A folder as Docker has it: `*.crt` are authorities, `NAME.cert` with `NAME.key` is ours.
fn docker_folder(
    folder: &Path,
    settings: &ServerSettings,
) -> Result<Option<ServerSettings>, ConfigError> {
    let names = list(folder)?;
    let with = |extension: &str| -> Vec<PathBuf> {
        let found = names
            .iter()
            .filter(|name| Path::new(name).extension().is_some_and(|it| it == extension));
        found.map(|name| folder.join(name)).collect()
    };
    let (authorities, certificates) = (with("crt"), with("cert"));
    if authorities.is_empty() && certificates.is_empty() {
        return Ok(None);
    }
    let client = certificates.first().map(|certificate| {
        let key = certificate.with_extension("key");
        (certificate.clone(), key)
    });
    Ok(Some(ServerSettings { authorities, client, ..settings.clone() }))
}

/// The names in a folder, sorted; none if there is no folder.
fn list(folder: &Path) -> Result<Vec<String>, sys::Error> {
    use sys::OrError;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(descriptor) = openat(CWD, folder, flags, Mode::empty()) else { return Ok(Vec::new()) };
    let place = || format!("{:?}", folder.display().to_string());
    let mut names = Vec::new();
    for entry in Dir::new(descriptor).or_error("getdents64", place)? {
        let entry = entry.or_error("getdents64", place)?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
