//! A Compose file, read as the `state.yaml` that means the same.
//!
//! Its tree is changed before anybody reads it: variables are filled in, `<<` and `extends` are
//! followed, fields get the names that they have there. What says nothing of containers on one machine
//! (`version`, `x-*`, `expose`, `links`, `logging`, most of `deploy`) is passed over; what would change
//! how a container is, and is not understood, is an error.

mod dotenv;
mod environment;
mod mounts;
mod service;
mod tree;
mod variables;

use crate::error::{FileError, Position};
use crate::fields::Item;
use crate::model::{Project, ProjectNetwork, ProjectVolume};
use crate::state::{self, Defaults, pairs};
use crate::yaml::{self, Node};
use net::subnet::Subnet;
use service::Besides;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use tree::{Entries, entries, take};

/// Reads a Compose file, with the variables of the `.env` beside it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(bytes: &[u8], defaults: Defaults<'_>) -> Result<Project, FileError> {
    let mut top = yaml::parse(bytes)?
        .unwrap_or(Node { position: Position { line: 1, column: 1 }, value: yaml::Value::Nothing });
    let beside = beside(&defaults)?;
    let value = |name: &str| (defaults.environment)(name).or_else(|| dotenv::find(&beside, name));
    tree::merge(&mut top);
    variables::fill(&mut top, &value)?;
    let mut besides = BTreeMap::new();
    let (mut networks, mut volumes) = (None, None);
    if let Some(all) = entries(&mut top) {
        all.retain(|(key, _)| key.text != "version" && !key.text.starts_with("x-"));
        (networks, volumes) = (take(all, "networks"), take(all, "volumes"));
        let services = all.iter_mut().find(|(key, _)| key.text == "services");
        if let Some(services) = services.and_then(|(_, node)| entries(node)) {
            besides = all_services(services, defaults.folder, &value)?;
        }
    }
    let mut project = state::read(&top, defaults, true)?;
    let name = project.name().to_owned();
    let mut known = BTreeMap::new();
    for (key, node) in networks.iter_mut().filter_map(entries).flatten() {
        known.insert(key.text.clone(), network(node, &name, &key.text)?);
    }
    for (key, node) in volumes.iter_mut().filter_map(entries).flatten() {
        let Named { name: own, external, labels, .. } =
            named(node, &format!("{name}_{}", key.text), &key.text)?;
        project.add_volume(&key.text, ProjectVolume { name: own, external, labels });
    }
    for (service, besides) in besides {
        besides.complete(&mut project, &service, &mut known)?;
    }
    project.set_networks(known.into_values().collect());
    Ok(project)
}

/// The variables of the `.env` in the folder, which need not be there.
fn beside(defaults: &Defaults<'_>) -> Result<Vec<String>, FileError> {
    let path = defaults.folder.join(".env");
    let wrong = |what: String| FileError {
        position: Position { line: 1, column: 1 },
        field: String::new(),
        message: format!("{}: {what}", path.display()),
    };
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        text => dotenv::read(&text.map_err(|it| wrong(it.to_string()))?, &defaults.environment)
            .map_err(wrong),
    }
}

fn all_services(
    services: &mut Entries,
    folder: &Path,
    value: variables::Lookup<'_>,
) -> Result<BTreeMap<String, Besides>, FileError> {
    let mut all = BTreeMap::new();
    for place in 0..services.len() {
        let mut own = services[place].1.clone();
        service::extend(&mut own, services, &mut vec![services[place].0.text.clone()])?;
        let name = services[place].0.text.clone();
        if let Some(fields) = entries(&mut own) {
            all.insert(name, service::change(fields, folder, value)?);
        }
        // Others are extended by what the file says of it.
        services.push((services[place].0.clone(), own));
    }
    let count = services.len() / 2;
    services.drain(..count);
    Ok(all)
}

/// What the file says at the top of a network or volume.
#[derive(Default)]
struct Named {
    name: String,
    external: bool,
    internal: bool,
    labels: BTreeMap<String, String>,
}

fn named(node: &Node, usual: &str, key: &str) -> Result<Named, FileError> {
    let item = Item::top(node);
    if item.is_nothing() {
        return Ok(Named { name: usual.to_owned(), ..Named::default() });
    }
    let mut fields = item.fields("a mapping with \"name\" or \"external\"")?;
    let mut flag = |name| fields.take(name).map_or(Ok(false), |item| item.boolean());
    let (external, internal) = (flag("external")?, flag("internal")?);
    let usual = if external { key } else { usual };
    let name = fields.take("name").map_or(Ok(usual), |item| item.text("a name"))?.to_owned();
    if let Some(item) = fields.take("driver") {
        item.parsed("bridge or local", |text| ["bridge", "local"].contains(&text).then_some(()))?;
    }
    let labels = fields.take("labels").map_or(Ok(BTreeMap::new()), |item| pairs(&item))?;
    fields.finish()?;
    Ok(Named { name, external, internal, labels })
}

fn network(node: &mut Node, project: &str, key: &str) -> Result<ProjectNetwork, FileError> {
    let usual = if key == "default" { project.to_owned() } else { format!("{project}_{key}") };
    let ipam = entries(node).and_then(|fields| take(fields, "ipam"));
    let subnets = ipam.map_or(Ok(Vec::new()), |node| subnets(&Item::top(&node)))?;
    let Named { name, external, internal, labels } = named(node, &usual, key)?;
    Ok(ProjectNetwork { name, external, internal, subnets, labels })
}

/// `ipam: {config: [{subnet: ..., gateway: ...}]}`
fn subnets(ipam: &Item<'_>) -> Result<Vec<(Subnet, Option<IpAddr>)>, FileError> {
    const EXPECTED: &str = "\"config:\" with a list such as [{subnet: 10.9.0.0/24}]";
    let mut fields = ipam.fields(EXPECTED)?;
    let config = fields.take("config").map_or(Ok(Vec::new()), |item| item.list(EXPECTED))?;
    if let Some(item) = fields.take("driver") {
        item.parsed("default", |text| (text == "default").then_some(()))?;
    }
    fields.finish()?;
    let mut all = Vec::new();
    for item in config {
        let mut fields = item.fields(EXPECTED)?;
        let subnet = fields.take("subnet").ok_or_else(|| item.wrong("found no subnet"))?;
        let subnet = subnet.parsed("a subnet such as 10.9.0.0/24", |text| text.parse().ok())?;
        let gateway = fields.take("gateway");
        let gateway = gateway.map(|it| it.parsed("an address", |text| text.parse().ok()));
        fields.finish()?;
        all.push((subnet, gateway.transpose()?));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
