//! containerd's `hosts.toml` (its `docs/hosts.md`), with the `rewrite` tables of k3s.

use super::{Capabilities, ConfigError, Endpoint, plain_port};
use crate::reference::Repository;
use crate::transport::ServerSettings;
use crate::transport::url::{Scheme, Url};
use regex_lite::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// A file that was read and is of the right form.
#[derive(Debug)]
pub struct HostsToml {
    path: PathBuf,
    /// In the order of the file.
    mirrors: Vec<(String, Table)>,
    /// The registry itself, if the file says something about it.
    server: Option<String>,
    own: Table,
}

/// The file as it is.
#[derive(Debug, Deserialize)]
struct File {
    server: Option<String>,
    #[serde(default)]
    host: BTreeMap<Spanned<String>, Table>,
    #[serde(flatten)]
    own: Table,
}

/// What can be said of a server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Table {
    capabilities: Option<Vec<String>>,
    ca: Option<OneOrMany>,
    client: Option<Client>,
    skip_verify: bool,
    header: BTreeMap<String, OneOrMany>,
    override_path: bool,
    dial_timeout: Option<String>,
    rewrite: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn list(&self) -> &[String] {
        match self {
            OneOrMany::One(text) => std::slice::from_ref(text),
            OneOrMany::Many(texts) => texts,
        }
    }
}

/// One file with both, or pairs of certificate and key.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Client {
    One(String),
    Many(Vec<String>),
    Pairs(Vec<[String; 2]>),
}

/// Reads the text of the file at `path`, relative to which other files are named.
///
/// # Errors
/// It is not TOML, or of the wrong form.
pub fn parse(text: &str, path: &Path) -> Result<HostsToml, ConfigError> {
    let file: File = toml::from_str(text)
        .map_err(|source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) })?;
    let mut mirrors: Vec<_> = file.host.into_iter().collect();
    // A map forgets the order, which is that of preference.
    mirrors.sort_by_key(|(name, _)| name.span().start);
    let mirrors = mirrors.into_iter().map(|(name, table)| (name.into_inner(), table)).collect();
    Ok(HostsToml { path: path.to_owned(), mirrors, server: file.server, own: file.own })
}

impl HostsToml {
    /// The mirrors and then the registry itself, whose place without the file would be `upstream`.
    ///
    /// # Errors
    /// A value that means nothing.
    pub fn endpoints(&self, upstream: &Endpoint) -> Result<Vec<Endpoint>, ConfigError> {
        let mut endpoints = Vec::new();
        for (address, table) in &self.mirrors {
            endpoints.push(self.endpoint(address, table, upstream, false)?);
        }
        let own = match &self.server {
            Some(address) => self.endpoint(address, &self.own, upstream, true)?,
            None => self.apply(upstream.clone(), &self.own)?,
        };
        endpoints.push(own);
        Ok(endpoints)
    }

    /// `is_own` tells the registry itself from its mirrors.
    fn endpoint(
        &self,
        address: &str,
        table: &Table,
        upstream: &Endpoint,
        is_own: bool,
    ) -> Result<Endpoint, ConfigError> {
        let bad = |reason: String| self.bad("host", reason);
        let has_scheme = address.contains("://");
        let url = if has_scheme { address.to_owned() } else { format!("https://{address}") };
        let url: Url = url.parse().map_err(|error| bad(format!("{error}")))?;
        let path = url.path().trim_end_matches('/');
        let path = match path.ends_with("/v2") || table.override_path {
            true => path.to_owned(),
            false => format!("{path}/v2"),
        };
        let base = url.with_target(&path).map_err(|error| bad(format!("{error}")))?;
        // The registry's own server may have another port, or be spoken to in the clear.
        let is_upstream = base.origin() == upstream.base.origin()
            || (is_own && base.origin().host == upstream.base.origin().host);
        let plain_port = (!has_scheme && base.origin().is_loopback()).then(|| plain_port(&base));
        let endpoint = Endpoint {
            namespace: (!is_upstream).then(|| upstream.registry.clone()),
            // A mirror must not get the credentials of the registry that it stands for.
            registry: if is_upstream {
                upstream.registry.clone()
            } else {
                base.origin().authority()
            },
            base,
            plain_port,
            settings: ServerSettings::default(),
            ..upstream.clone()
        };
        self.apply(endpoint, table)
    }

    fn apply(&self, endpoint: Endpoint, table: &Table) -> Result<Endpoint, ConfigError> {
        let mut endpoint = endpoint;
        if let Some(names) = &table.capabilities {
            endpoint.capabilities = self.capabilities(names)?;
        }
        let settings = &mut endpoint.settings;
        let authorities = table.ca.iter().flat_map(OneOrMany::list);
        settings.authorities.extend(authorities.map(|path| self.beside(path)));
        settings.client = self.client(table)?.or(settings.client.take());
        settings.dangerous_any_certificate |= table.skip_verify;
        if let Some(text) = &table.dial_timeout {
            let time = go_duration(text).filter(|time| !time.is_zero());
            let time = time
                .ok_or_else(|| self.bad("dial_timeout", format!("{text:?} is no time like 5s")))?;
            settings.connect_timeout = Some(time);
        }
        for (name, values) in &table.header {
            let is_good = |text: &str| text.bytes().all(|byte| byte >= b' ' && byte != 0x7f);
            let is_token = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            if !is_token || !values.list().iter().all(|value| is_good(value)) {
                return Err(self.bad("header", format!("{name:?} is no header")));
            }
            endpoint
                .headers
                .extend(values.list().iter().map(|value| (name.clone(), value.clone())));
        }
        endpoint.path = self.rewrite(table, &endpoint)?;
        Ok(endpoint)
    }

    fn capabilities(&self, names: &[String]) -> Result<Capabilities, ConfigError> {
        let mut found = Capabilities { by_tag: false, by_digest: false, push: false };
        for name in names {
            match name.as_str() {
                "pull" => found.by_digest = true,
                "resolve" => found.by_tag = true,
                "push" => found.push = true,
                // containerd 2.1; referrers come with manifests here.
                "referrers" => {}
                other => {
                    return Err(self
                        .bad("capabilities", format!("{other:?} is none of pull, resolve, push")));
                }
            }
        }
        Ok(found)
    }

    fn client(&self, table: &Table) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
        let pair =
            |certificate: &str, key: &str| Ok(Some((self.beside(certificate), self.beside(key))));
        match &table.client {
            None => Ok(None),
            Some(Client::One(both)) => pair(both, both),
            Some(Client::Many(files)) if files.len() == 1 => pair(&files[0], &files[0]),
            Some(Client::Pairs(pairs)) if pairs.len() == 1 => {
                let [certificate, key] = &pairs[0];
                pair(certificate, if key.is_empty() { certificate } else { key })
            }
            Some(Client::Many(files)) if files.is_empty() => Ok(None),
            Some(_) => {
                Err(self.bad("client", "only one certificate can be shown to a server".to_owned()))
            }
        }
    }

    /// The first rule that fits changes the repository's path.
    fn rewrite(&self, table: &Table, endpoint: &Endpoint) -> Result<String, ConfigError> {
        for (pattern, replacement) in &table.rewrite {
            let regex =
                Regex::new(pattern).map_err(|error| self.bad("rewrite", error.to_string()))?;
            if regex.is_match(&endpoint.path) {
                let path = regex.replace(&endpoint.path, replacement.as_str());
                Repository::check_path(&path)?;
                return Ok(path.into_owned());
            }
        }
        Ok(endpoint.path.clone())
    }

    fn beside(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn bad(&self, field: &str, reason: String) -> ConfigError {
        ConfigError::Value { path: self.path.clone(), field: field.to_owned(), reason }
    }
}

/// A time as Go writes it: `1m30s`, `500ms`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let after = &rest[end..];
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let seconds = match &after[..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &after[unit_end..];
    }
    Some(total)
}

impl Endpoint {
    /// The same server spoken to in the clear, if that is allowed.
    pub(crate) fn in_the_clear(&self) -> Option<Endpoint> {
        let port = self.plain_port?;
        Some(Endpoint {
            base: self.base.with_scheme(Scheme::Http, port),
            plain_port: None,
            ..self.clone()
        })
    }
}
