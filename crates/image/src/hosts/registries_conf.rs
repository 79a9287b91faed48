//! Podman's `registries.conf`, version 2 (containers-registries.conf(5)).

use super::{Capabilities, ConfigError};
use crate::file;
use crate::reference::{Repository, SearchList};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file and its drop-ins, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistriesConf {
    registries: Vec<Registry>,
    short_names: Option<ShortNames>,
}

/// What short names mean, if the files say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShortNames {
    /// Registries to look in, in order.
    pub search: Option<Vec<String>>,
    /// Names for certain images.
    pub aliases: BTreeMap<String, String>,
}

impl ShortNames {
    /// The list for [`SearchList::candidates`]; Docker Hub where the files say nothing.
    ///
    /// # Errors
    /// A registry that is no host name.
    pub fn list(&self) -> Result<SearchList, crate::reference::ReferenceError> {
        let list = match &self.search {
            Some(search) => SearchList::new(search.iter().map(String::as_str))?,
            None => SearchList::default(),
        };
        Ok(list.with_aliases(self.aliases.clone()))
    }
}

/// A `[[registry]]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Registry {
    /// `HOST[:PORT]/PATH...` that it is about, or `*.DOMAIN`; the location if it is not given.
    prefix: String,
    /// What takes the prefix's place.
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<Mirror>,
}

/// A `[[registry.mirror]]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Mirror {
    location: String,
    insecure: bool,
    pull_from_mirror: Option<String>,
}

/// A file as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    registry: Vec<Registry>,
    aliases: BTreeMap<String, String>,
}

/// Where a repository really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// `HOST[:PORT]/PATH`.
    pub(super) name: String,
    pub(super) insecure: bool,
    pub(super) capabilities: Capabilities,
}

impl RegistriesConf {
    /// Reads a file and the `*.conf` of a folder of drop-ins, neither of which needs to exist.
    ///
    /// # Errors
    /// A file that is not TOML or has values of the wrong kind.
    pub fn read(file: &Path, folder: &Path) -> Result<RegistriesConf, ConfigError> {
        let mut paths = vec![file.to_owned()];
        let is_conf = |name: &&String| Path::new(name).extension().is_some_and(|it| it == "conf");
        let names = super::list(folder)?;
        paths.extend(names.iter().filter(is_conf).map(|name| folder.join(name)));
        let mut conf = RegistriesConf::default();
        for path in paths {
            if let Some(text) = file::read_if_present(&path)? {
                conf.add(&String::from_utf8_lossy(&text), &path)?;
            }
        }
        Ok(conf)
    }

    /// Adds the text of a file; what it says goes before what an earlier one said.
    ///
    /// # Errors
    /// It is not TOML or has values of the wrong kind.
    pub fn add(&mut self, text: &str, path: &Path) -> Result<(), ConfigError> {
        let file: File = toml::from_str(text).map_err(|source| ConfigError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        for mut registry in file.registry {
            check(&mut registry, path)?;
            self.registries.retain(|known| known.prefix != registry.prefix);
            self.registries.push(registry);
        }
        let names = self.short_names.get_or_insert_default();
        names.search = file.unqualified_search_registries.or(names.search.take());
        names.aliases.extend(file.aliases);
        Ok(())
    }

    /// What short names mean.
    pub fn short_names(&self) -> ShortNames {
        self.short_names.clone().unwrap_or_default()
    }

    /// The mirrors of a repository and then its own place.
    pub(super) fn locations(&self, repository: &Repository) -> Result<Vec<Location>, ConfigError> {
        let name = repository.to_string();
        let fitting =
            self.registries.iter().filter_map(|it| Some((covered(&it.prefix, &name)?, it)));
        let Some((length, registry)) = fitting.max_by_key(|(length, _)| *length) else {
            return Ok(vec![Location { name, insecure: false, capabilities: Capabilities::ALL }]);
        };
        if registry.blocked {
            return Err(ConfigError::Blocked { name });
        }
        let rest = &name[length..];
        let at = |location: &str| {
            if location.is_empty() { name.clone() } else { format!("{location}{rest}") }
        };
        let mut locations = Vec::new();
        for mirror in &registry.mirror {
            let kind = mirror.pull_from_mirror.as_deref();
            let only_digests = registry.mirror_by_digest_only || kind == Some("digest-only");
            let capabilities = Capabilities {
                by_tag: !only_digests,
                by_digest: kind != Some("tag-only"),
                push: false,
            };
            locations.push(Location {
                name: at(&mirror.location),
                insecure: mirror.insecure,
                capabilities,
            });
        }
        locations.push(Location {
            name: at(&registry.location),
            insecure: registry.insecure,
            capabilities: Capabilities::ALL,
        });
        Ok(locations)
    }
}

fn check(registry: &mut Registry, path: &Path) -> Result<(), ConfigError> {
    let bad = |field: &str, reason: &str| ConfigError::Value {
        path: path.to_owned(),
        field: format!("registry.{field}"),
        reason: reason.to_owned(),
    };
    if registry.prefix.is_empty() {
        registry.prefix.clone_from(&registry.location);
    }
    if registry.prefix.is_empty() {
        return Err(bad("prefix", "it has neither prefix nor location"));
    }
    let is_wildcard = registry.prefix.starts_with("*.");
    if is_wildcard && !registry.location.is_empty() {
        return Err(bad("location", "a prefix that begins with *. can have none"));
    }
    for mirror in &registry.mirror {
        if mirror.location.is_empty() {
            return Err(bad("mirror.location", "it is missing"));
        }
        if !matches!(
            mirror.pull_from_mirror.as_deref(),
            None | Some("all" | "digest-only" | "tag-only")
        ) {
            return Err(bad("mirror.pull-from-mirror", "it is none of all, digest-only, tag-only"));
        }
    }
    Ok(())
}

/// How much of `name` the prefix covers, if it does: up to the end, a slash, a tag or a digest.
fn covered(prefix: &str, name: &str) -> Option<usize> {
    let length = match prefix.strip_prefix('*') {
        // `*.example.com` covers the host `a.example.com`.
        Some(domain) => {
            let host = name.split('/').next().unwrap_or_default();
            let bare = host.split(':').next().unwrap_or_default();
            (bare.len() > domain.len() && bare.ends_with(domain)).then_some(host.len())?
        }
        None => name.starts_with(prefix).then_some(prefix.len())?,
    };
    let rest = &name[length..];
    (rest.is_empty() || rest.starts_with('/')).then_some(length)
}

/// The paths of the files that Podman reads, for [`RegistriesConf::read`].
pub const SYSTEM_FILES: (&str, &str) =
    ("/etc/containers/registries.conf", "/etc/containers/registries.conf.d");

/// As [`SYSTEM_FILES`], in a user's configuration folder; they replace the system's.
pub fn user_files(config_home: &Path) -> (PathBuf, PathBuf) {
    let folder = config_home.join("containers");
    (folder.join("registries.conf"), folder.join("registries.conf.d"))
}
