//! The fields of one service.

use super::given::Given;
use super::{health, limits, mounts, needs};
use crate::error::FileError;
use crate::fields::{Fields, Item};
use crate::model::{Pull, Service};
use crate::words;
use engine::settings::{LogOptions, Namespaces, Network, Restart, Security, Settings};
use std::collections::BTreeMap;
use std::path::Path;

/// Takes the fields of a service. Those that are left are unknown.
pub(super) fn read(
    fields: &mut Fields<'_>,
    of: &Item<'_>,
    name: &str,
    given: &Given<'_>,
) -> Result<Service, FileError> {
    const IMAGE: &str = "an image, such as alpine:3";
    let image = fields.take_one(["image", "container"])?;
    let image = image.ok_or_else(|| of.wrong("found no image, expected \"image: IMAGE\""))?;
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let folder = given.folder;
    let files = given.of_service(fields)?;
    let settings = Settings {
        image: image.parsed(IMAGE, named)?,
        entrypoint: fields.take("entrypoint").map(|item| command(&item)).transpose()?,
        command: fields.take("command").map_or(Ok(Vec::new()), |item| command(&item))?,
        env: environment(fields, folder)?,
        network: network(fields, given.is_compose)?,
        mounts: [mounts::read(fields, folder)?, files.mounts].concat(),
        secrets: files.secrets,
        devices: list_of(fields, "devices", "a device such as /dev/fuse", |text| {
            engine::value::device(text).ok()
        })?,
        restart: restart(fields)?,
        health: health::read(fields)?,
        log: log(fields)?,
        limits: limits::read(fields)?,
        user: text(fields, "user", "a user such as 1000:1000")?,
        working_dir: text(fields, "working-dir", "a folder")?,
        group_add: list(fields, "group-add", "groups, such as [audio]")?,
        hostname: text(fields, "hostname", "a host name")?,
        domainname: text(fields, "domainname", "a domain")?,
        labels: fields.take("labels").map_or(Ok(BTreeMap::new()), |item| pairs(&item))?,
        init: fields.take("init").map_or(Ok(true), |item| item.boolean())?,
        tty: flag(fields, "tty")?,
        read_only: flag(fields, "read-only")?,
        security: Security {
            privileged: flag(fields, "privileged")?,
            cap_add: list(fields, "cap-add", "capabilities, such as [NET_RAW]")?,
            cap_drop: list(fields, "cap-drop", "capabilities, such as [ALL]")?,
            ..Default::default()
        },
        namespaces: Namespaces {
            user: text(fields, "userns", "host, auto, keep-id, nomap or container:NAME")?,
            pid: text(fields, "pid", "private, host or container:NAME")?,
            ipc: text(fields, "ipc", "private, host, none or container:NAME")?,
            ..Default::default()
        },
        stop_signal: text_of(fields, "stop-signal", "a signal such as TERM", |text| {
            engine::signal(text).is_ok().then(|| text.to_owned())
        })?,
        stop_timeout: number(fields, "stop-timeout", "seconds")?,
        ..Settings::default()
    };
    let needs = fields.take("depends-on").map_or(Ok(Vec::new()), |item| needs::read(&item))?;
    let profiles = list(fields, "profiles", "names of profiles, such as [debug]")?;
    let (name, pull) = (name.to_owned(), pull(fields)?);
    let texts = files.texts;
    Ok(Service { name, settings, pull, needs, profiles, texts, ..Service::default() })
}

fn restart(fields: &mut Fields<'_>) -> Result<Restart, FileError> {
    let expected = "no, on-failure, on-failure:TIMES, always or unless-stopped";
    let Some(item) = fields.take("restart") else { return Ok(Restart::default()) };
    item.parsed(expected, |text| engine::value::restart(text).ok())
}

/// `log: {driver: none}`, `log: {max-size: 10m}`
fn log(fields: &mut Fields<'_>) -> Result<LogOptions, FileError> {
    let mut log = LogOptions::default();
    let Some(item) = fields.take("log") else { return Ok(log) };
    let mut own = item.fields("a mapping such as {max-size: 10m, max-file: 3}")?;
    if let Some(item) = own.take("driver") {
        let name = item.text("none, or k8s-file")?;
        engine::value::log_driver(&mut log, name).map_err(|why| item.wrong(why))?;
    }
    for name in ["max-size", "max-file", "labels", "env"] {
        let Some(item) = own.take(name) else { continue };
        let value = item.text("a value")?;
        engine::value::log_option(&mut log, name, value).map_err(|why| item.wrong(why))?;
    }
    own.finish()?;
    Ok(log)
}

fn pull(fields: &mut Fields<'_>) -> Result<Pull, FileError> {
    let Some(item) = fields.take("pull") else { return Ok(Pull::default()) };
    item.parsed("missing, always or never", |text| match text {
        "missing" => Some(Pull::Missing),
        "always" => Some(Pull::Always),
        "never" => Some(Pull::Never),
        _ => None,
    })
}

/// Words in a list, or in one line as for a shell.
pub(super) fn command(item: &Item<'_>) -> Result<Vec<String>, FileError> {
    const EXPECTED: &str = "a command, such as [sleep, 1h] or \"sleep 1h\"";
    if item.is_list() {
        return item.texts(EXPECTED);
    }
    let text = item.text(EXPECTED)?;
    words::split(text)
        .map_err(|missing| item.wrong(format!("found {text:?}, expected {missing} in it")))
}

fn network(fields: &mut Fields<'_>, is_compose: bool) -> Result<Network, FileError> {
    let ports = match fields.take_one(["ports", "port"])? {
        Some(item) => ports(&item, is_compose)?,
        None => Vec::new(),
    };
    let mode = match fields.take("network") {
        Some(item) => item.parsed("none, host or container:NAME", |text| {
            let is_known = matches!(text, "none" | "host") || text.starts_with("container:");
            is_known.then(|| text.to_owned())
        })?,
        None => String::new(),
    };
    let dns = list(fields, "dns", "addresses of servers")?;
    let dns_search = list(fields, "dns-search", "domains, such as [example.org]")?;
    let hosts = list(fields, "extra-hosts", "lines such as \"db:10.0.0.1\"")?;
    Ok(Network { mode, ports, dns, dns_search, hosts, ..Network::default() })
}

/// A port, or several. One number alone is the same on both sides; in a Compose file, any that is
/// free leads to it.
fn ports(item: &Item<'_>, is_compose: bool) -> Result<Vec<String>, FileError> {
    const EXPECTED: &str = "a port such as 8080 or \"8080:80\"";
    let one = |item: &Item<'_>| {
        item.parsed(EXPECTED, |text| {
            let (port, protocol) = text.split_once('/').map_or((text, ""), |it| it);
            let is_number = port.bytes().all(|digit| digit.is_ascii_digit());
            let text = match (is_number && !is_compose, protocol) {
                (true, "") => format!("{port}:{port}"),
                (true, protocol) => format!("{port}:{port}/{protocol}"),
                (false, _) => text.to_owned(),
            };
            net::port::parse(&text).is_ok().then_some(text)
        })
    };
    if item.is_list() {
        item.list(EXPECTED)?.iter().map(one).collect()
    } else {
        Ok(vec![one(item)?])
    }
}

/// What is in files first, so that what the service says itself counts.
fn environment(fields: &mut Fields<'_>, folder: &Path) -> Result<Vec<String>, FileError> {
    let mut all = Vec::new();
    if let Some(item) = fields.take("env-file") {
        const EXPECTED: &str = "a file with a variable a line, or a list of them";
        let items = if item.is_list() { item.list(EXPECTED)? } else { vec![item] };
        for item in items {
            let path = folder.join(item.text(EXPECTED)?);
            let wrong = |what: String| item.wrong(format!("{}: {what}", path.display()));
            let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
            all.extend(engine::value::env_lines(&text).map_err(wrong)?);
        }
    }
    if let Some(item) = fields.take("environment") {
        all.extend(variables(&item)?);
    }
    Ok(all)
}

/// A mapping, or a list of `NAME=VALUE`. A name alone is for the caller to complete.
fn variables(item: &Item<'_>) -> Result<Vec<String>, FileError> {
    const EXPECTED: &str = "variables, such as {NAME: value} or [NAME=value]";
    let valid = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
    if item.is_list() {
        let one = |item: &Item<'_>| {
            item.parsed("NAME=value", |text| {
                let name = text.split_once('=').map_or(text, |(name, _)| name);
                (valid(name) && !text.contains('\0')).then(|| text.to_owned())
            })
        };
        return item.list(EXPECTED)?.iter().map(one).collect();
    }
    let mut all = Vec::new();
    for (key, value) in item.map(EXPECTED)? {
        if !valid(&key.text) {
            let message = format!("found {:?}, expected the name of a variable", key.text);
            let field = item.path.clone();
            return Err(FileError { position: key.position, field, message });
        }
        if value.is_nothing() {
            all.push(key.text.clone());
        } else {
            let text =
                value.parsed("text", |text| (!text.contains('\0')).then_some(text.to_owned()))?;
            all.push(format!("{}={text}", key.text));
        }
    }
    Ok(all)
}

pub(crate) fn pairs(item: &Item<'_>) -> Result<BTreeMap<String, String>, FileError> {
    const EXPECTED: &str = "labels, such as {NAME: value} or [NAME=value]";
    if item.is_list() {
        let texts = item.texts(EXPECTED)?;
        let pair = |text: String| {
            let (name, value) = text.split_once('=').unwrap_or((&text, ""));
            (name.to_owned(), value.to_owned())
        };
        return Ok(texts.into_iter().map(pair).collect());
    }
    let mut all = BTreeMap::new();
    for (key, value) in item.map(EXPECTED)? {
        let text = if value.is_nothing() { "" } else { value.text("text")? };
        all.insert(key.text.clone(), text.to_owned());
    }
    Ok(all)
}

fn text(fields: &mut Fields<'_>, name: &'static str, expected: &str) -> Result<String, FileError> {
    text_of(fields, name, expected, |text| Some(text.to_owned()))
}

fn text_of(
    fields: &mut Fields<'_>,
    name: &'static str,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<String>,
) -> Result<String, FileError> {
    fields.take(name).map_or(Ok(String::new()), |item| item.parsed(expected, parse))
}

pub(super) fn number<T: std::str::FromStr>(
    fields: &mut Fields<'_>,
    name: &'static str,
    expected: &str,
) -> Result<Option<T>, FileError> {
    fields.take(name).map(|item| item.parsed(expected, |text| text.parse().ok())).transpose()
}

fn flag(fields: &mut Fields<'_>, name: &'static str) -> Result<bool, FileError> {
    fields.take(name).map_or(Ok(false), |item| item.boolean())
}

pub(super) fn list(
    fields: &mut Fields<'_>,
    name: &'static str,
    expected: &str,
) -> Result<Vec<String>, FileError> {
    fields.take(name).map_or(Ok(Vec::new()), |item| item.texts(expected))
}

/// A list of what means something each.
fn list_of<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, FileError> {
    let Some(item) = fields.take(name) else { return Ok(Vec::new()) };
    item.list(expected)?.iter().map(|item| item.parsed(expected, &parse)).collect()
}
