//! One service of a Compose file.

use super::tree::{self, Entries, add, at, entries, make_list, take, text};
use super::variables::Lookup;
use super::{environment, mounts};
use crate::error::FileError;
use crate::fields::Item;
use crate::model::{Project, ProjectNetwork};
use crate::yaml::{Node, Value};
use engine::settings::Endpoint;
use std::collections::BTreeMap;
use std::path::Path;

/// Fields that have another name in a `state.yaml`.
const NAMES: [(&str, &str); 8] = [
    ("logging", "log"),
    ("volumes", "mounts"),
    ("healthcheck", "health"),
    ("network-mode", "network"),
    ("mem-limit", "memory"),
    ("pull-policy", "pull"),
    ("userns-mode", "userns"),
    ("stop-grace-period", "stop-timeout"),
];

/// What means nothing here: services find each other anyway.
const PASSED_OVER: [&str; 6] =
    ["expose", "links", "attach", "stdin-open", "security-opt", "platform"];

/// What may stand alone, or in a list.
const LISTS: [&str; 4] = ["dns", "dns-search", "tmpfs", "env-file"];

/// So many services may extend one after the other.
const DEEPEST: usize = 64;

/// What a `state.yaml` does not say.
#[derive(Default)]
pub(super) struct Besides {
    container: Option<String>,
    /// Networks by the names that the file has for them, with their places.
    networks: Vec<(Node, Endpoint)>,
}

fn wrong(node: &Node, field: &str, message: String) -> FileError {
    FileError { position: node.position, field: field.to_owned(), message }
}

/// Follows `extends`. `above` are those that are extended by it.
pub(super) fn extend(
    own: &mut Node,
    services: &Entries,
    above: &mut Vec<String>,
) -> Result<(), FileError> {
    let Some(other) = entries(own).and_then(|fields| take(fields, "extends")) else {
        return Ok(());
    };
    let item = Item::top(&other);
    let name = match item.is_map() {
        false => item.text("the name of a service")?,
        true => {
            let mut fields = item.fields("\"service: NAME\"")?;
            let name = fields.take("service");
            // Of other files nothing is known here.
            fields.finish()?;
            name.map_or(Ok(""), |item| item.text("the name of a service"))?
        }
    };
    let found = services.iter().find(|(key, _)| key.text == name);
    let is_good = above.len() <= DEEPEST && !above.iter().any(|it| it == name);
    let Some((_, found)) = found.filter(|_| is_good) else {
        let what = format!("found {name:?}, expected another service of this file");
        return Err(wrong(&other, "extends", what));
    };
    above.push(name.to_owned());
    let mut found = found.clone();
    extend(&mut found, services, above)?;
    if let Some(fields) = entries(&mut found) {
        // That is nobody else's.
        fields.retain(|(key, _)| !matches!(&*key.text, "depends_on" | "container_name"));
    }
    tree::extend(own, found);
    Ok(())
}

/// Makes the fields those of a `state.yaml`, and returns what is left.
pub(super) fn change(
    fields: &mut Entries,
    folder: &Path,
    value: Lookup<'_>,
) -> Result<Besides, FileError> {
    tree::rename(fields);
    fields
        .retain(|(key, node)| !key.text.starts_with("x-") && !matches!(node.value, Value::Nothing));
    check_passed_over(fields)?;
    for (key, node) in &mut *fields {
        if let Some((_, name)) = NAMES.iter().find(|(name, _)| *name == key.text) {
            (*name).clone_into(&mut key.text);
        }
        if LISTS.contains(&&*key.text) {
            make_list(node);
        }
    }
    fields.retain(|(key, _)| !PASSED_OVER.contains(&&*key.text));
    let has_image = fields.iter().any(|(key, _)| key.text == "image");
    if let Some(build) = take(fields, "build").filter(|_| !has_image) {
        let text =
            "found build, expected image: images are built elsewhere (buildah, docker build)";
        return Err(wrong(&build, "build", text.to_owned()));
    }
    one_container(take(fields, "scale").as_ref())?;
    if let Some(mut deploy) = take(fields, "deploy") {
        self::deploy(fields, &mut deploy)?;
    }
    environment::with_files(fields, folder, value)?;
    let mut memory = Vec::new();
    for (key, node) in &mut *fields {
        match &*key.text {
            "health" => health(node),
            "log" => log(node),
            "mounts" => mounts::read(node, value, &mut memory),
            "ports" => ports(node),
            "depends-on" => each(node, |fields| {
                fields.retain(|(key, _)| !matches!(&*key.text, "restart" | "required"));
            }),
            "extra-hosts" => hosts(node),
            "pull" if matches!(text(node), Some("if_not_present" | "build")) => {
                *node = at(node, "missing");
            }
            "stop-timeout" => in_seconds(node),
            _ => {}
        }
    }
    for node in memory {
        add(fields, "tmpfs", Node { value: Value::List(Vec::new()), ..node.clone() });
        let list = fields.iter_mut().find(|(key, _)| key.text == "tmpfs");
        if let Some((_, Node { value: Value::List(items), .. })) = list {
            items.push(node);
        }
    }
    let container = take(fields, "container-name");
    let container =
        container.map(|it| Item::top(&it).text("a name").map(str::to_owned)).transpose()?;
    let networks = take(fields, "networks").map_or(Ok(Vec::new()), |node| networks(&node))?;
    Ok(Besides { container, networks })
}

/// What is usual here is passed over, and nothing else is.
fn check_passed_over(fields: &Entries) -> Result<(), FileError> {
    for (key, node) in fields {
        let items = match &node.value {
            Value::List(items) => &items[..],
            _ => std::slice::from_ref(node),
        };
        let is_usual = |item: &Node| match &*key.text {
            "security-opt" => {
                text(item).is_some_and(|text| text.trim_end_matches(":true") == "no-new-privileges")
            }
            "platform" => text(item).is_some_and(|text| text.starts_with("linux/amd64")),
            // The other name would be nobody's.
            "links" => text(item).is_some_and(|text| !text.contains(':')),
            _ => true,
        };
        if let Some(item) = items.iter().find(|item| !is_usual(item)) {
            let usual = match &*key.text {
                "security-opt" => "expected no-new-privileges",
                "platform" => "expected linux/amd64",
                _ => "expected a service's name: other names are the aliases in its networks",
            };
            return Err(wrong(item, &key.text, format!("found {}, {usual}", item.describe())));
        }
    }
    Ok(())
}

fn one_container(count: Option<&Node>) -> Result<(), FileError> {
    match count {
        Some(count) if text(count) != Some("1") => {
            let text =
                format!("found {}, expected 1: each service has one container", count.describe());
            Err(wrong(count, "scale", text))
        }
        _ => Ok(()),
    }
}

/// Limits, and when it is started again.
fn deploy(fields: &mut Entries, deploy: &mut Node) -> Result<(), FileError> {
    let Some(deploy) = entries(deploy) else { return Ok(()) };
    one_container(take(deploy, "replicas").as_ref())?;
    let mut resources = take(deploy, "resources");
    let mut limits = resources.as_mut().and_then(entries).and_then(|it| take(it, "limits"));
    for (key, node) in limits.as_mut().and_then(entries).into_iter().flatten() {
        match &*key.text {
            "pids" => add(fields, "pids-limit", node.clone()),
            name @ ("cpus" | "memory") => add(fields, name, node.clone()),
            _ => {}
        }
    }
    let mut policy = take(deploy, "restart_policy");
    if let Some(policy) = policy.as_mut().and_then(entries)
        && let Some(node) = take(policy, "condition")
    {
        let times = take(policy, "max_attempts");
        let name = match (text(&node), times.as_ref().and_then(text)) {
            (Some("none"), _) => "no".to_owned(),
            (Some("on-failure"), Some(times)) => format!("on-failure:{times}"),
            (Some("on-failure"), None) => "on-failure".to_owned(),
            _ => "always".to_owned(),
        };
        add(fields, "restart", at(&node, name));
    }
    Ok(())
}

/// Does something with each mapping in a list or mapping.
fn each(node: &mut Node, mut change: impl FnMut(&mut Entries)) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().filter_map(entries).for_each(change),
        Value::Map(all) => {
            all.iter_mut().filter_map(|(_, node)| entries(node)).for_each(&mut change);
        }
        Value::Nothing | Value::Text(_) => {}
    }
}

fn health(node: &mut Node) {
    let Some(fields) = entries(node) else { return };
    tree::rename(fields);
    let is_off = take(fields, "disable").is_some_and(|it| text(&it) == Some("true"));
    let mut is_none = is_off;
    if let Some(mut test) = take(fields, "test") {
        if let Value::List(words) = &mut test.value {
            match words.first().and_then(text) {
                Some("CMD-SHELL") if words.len() == 2 => test = words.swap_remove(1),
                Some("CMD") => drop(words.remove(0)),
                Some("NONE") => is_none = true,
                _ => {}
            }
        }
        add(fields, "command", test);
    }
    if is_none {
        *node = at(node, "none");
    }
}

/// Options beside the driver.
fn log(node: &mut Node) {
    let Some(fields) = entries(node) else { return };
    if let Some(own) = take(fields, "options").as_mut().and_then(entries) {
        fields.append(own);
    }
}

/// The long form as the short one.
fn ports(node: &mut Node) {
    let Value::List(items) = &mut node.value else { return };
    for item in items {
        let Some(fields) = entries(item) else { continue };
        let mut part = |name| take(fields, name).as_ref().and_then(text).map(str::to_owned);
        let Some(target) = part("target") else { continue };
        let (published, address) = (part("published"), part("host_ip"));
        let address =
            address.map(|it| if it.contains(':') { format!("[{it}]:") } else { it + ":" });
        let protocol = part("protocol").map(|it| format!("/{it}")).unwrap_or_default();
        let published = match (&address, published) {
            (_, Some(port)) => port + ":",
            (Some(_), None) => ":".to_owned(),
            (None, None) => String::new(),
        };
        let text = format!("{}{published}{target}{protocol}", address.unwrap_or_default());
        *item = at(item, text);
    }
}

fn in_seconds(node: &mut Node) {
    if let Some(time) = text(node).and_then(|text| engine::value::duration(text).ok()) {
        *node = at(node, time.as_secs().to_string());
    }
}

fn hosts(node: &mut Node) {
    if let Value::Map(all) = &node.value {
        let line = |(key, node): &(_, Node)| {
            let key: &crate::yaml::Key = key;
            at(node, format!("{}:{}", key.text, text(node).unwrap_or_default()))
        };
        node.value = Value::List(all.iter().map(line).collect());
    }
    let Value::List(items) = &mut node.value else { return };
    for item in items {
        if let Some((name, address)) = text(item).and_then(|text| text.split_once('=')) {
            *item = at(item, format!("{name}:{address}"));
        }
    }
}

fn networks(node: &Node) -> Result<Vec<(Node, Endpoint)>, FileError> {
    const EXPECTED: &str = "names of networks, such as [front] or {front: {aliases: [web]}}";
    let item = Item::top(node);
    if !item.is_map() {
        let one = |item: Item<'_>| {
            let network = item.text(EXPECTED)?.to_owned();
            Ok((item.node.clone(), Endpoint { network, ..Endpoint::default() }))
        };
        return item.list(EXPECTED)?.into_iter().map(one).collect();
    }
    let mut all = Vec::new();
    for (key, item) in item.map(EXPECTED)? {
        let mut endpoint = Endpoint { network: key.text.clone(), ..Endpoint::default() };
        if !item.is_nothing() {
            let mut fields = item.fields(EXPECTED)?;
            if let Some(item) = fields.take("aliases") {
                endpoint.aliases = item.texts("a list of names")?;
            }
            for name in ["ipv4_address", "ipv6_address"] {
                if let Some(item) = fields.take(name) {
                    let is_one = |text: &str| text.parse::<std::net::IpAddr>().ok();
                    let address = item.parsed("an address", is_one)?;
                    endpoint.addresses.push(address.to_string());
                }
            }
            if let Some(item) = fields.take("mac_address") {
                endpoint.mac = Some(item.text("an Ethernet address")?.to_owned());
            }
            // Which of them leads on is up to the order here.
            let _ = (fields.take("priority"), fields.take("gw_priority"));
            fields.finish()?;
        }
        all.push((item.node.clone(), endpoint));
    }
    Ok(all)
}

impl Besides {
    /// Adds it to a service of the project. `known` are the networks of the file.
    pub(super) fn complete(
        self,
        project: &mut Project,
        service: &str,
        known: &mut BTreeMap<String, ProjectNetwork>,
    ) -> Result<(), FileError> {
        let usual = project.name().to_owned();
        let Some(own) = project.service_mut(service) else { return Ok(()) };
        own.container = self.container;
        own.makes_sources = true;
        let settings = &mut own.settings.network;
        let mut all = Vec::new();
        for (node, mut endpoint) in self.networks {
            let default = ProjectNetwork { name: usual.clone(), ..ProjectNetwork::default() };
            let network = match endpoint.network.as_str() {
                "default" => &*known.entry("default".to_owned()).or_insert(default),
                name => known.get(name).ok_or_else(|| {
                    let text = format!(
                        "found {name:?}, expected a network that \"networks:\" at the top has"
                    );
                    wrong(&node, &format!("services.{service}.networks"), text)
                })?,
            };
            endpoint.network.clone_from(&network.name);
            endpoint.aliases.push(service.to_owned());
            all.push(endpoint);
        }
        if all.is_empty() {
            if let (Some(network), "") = (known.get("default"), settings.mode.as_str()) {
                settings.mode.clone_from(&network.name);
                settings.aliases.push(service.to_owned());
            }
            return Ok(());
        }
        let first = all.remove(0);
        (settings.mode, settings.more) = (first.network, all);
        (settings.aliases, settings.addresses) = (first.aliases, first.addresses);
        settings.mac = first.mac;
        Ok(())
    }
}
