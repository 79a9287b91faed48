//! Ending a project, and the containers of it that are there.

use crate::error::{Error, Result};
use crate::found::Found;
use crate::labels::PROJECT;
use engine::{Attach, Engine};
use std::thread;

/// Something that was removed.
#[derive(Clone, Copy, Debug)]
pub enum Removed<'a> {
    /// A container.
    Container(&'a str),
    /// A network.
    Network(&'a str),
    /// A volume.
    Volume(&'a str),
}

/// Stops containers: those first that no other needs, and all at once that do not need each other.
///
/// # Errors
/// Some cannot be stopped; all others are.
pub fn stop(engine: &Engine, found: &[Found], timeout: Option<i64>) -> Result<()> {
    let mut failures = Vec::new();
    for layer in layers(found) {
        let stop_one = |it: &&Found| match engine.stop(&it.container, timeout) {
            // Somebody has removed it.
            Err(engine::Error::NoSuchContainer(_)) => None,
            result => result.err().map(|error| error.to_string()),
        };
        let ended = thread::scope(|scope| {
            let threads: Vec<_> =
                layer.iter().map(|it| scope.spawn(move || stop_one(it))).collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        failures.extend(ended.into_iter().filter_map(Result::unwrap_or_default));
    }
    if failures.is_empty() { Ok(()) } else { Err(engine::Error::Several(failures).into()) }
}

/// Starts containers that do not run: those first that others need.
///
/// # Errors
/// One cannot be started; those that need it are not, then.
pub fn start(engine: &Engine, found: &[Found]) -> Result<()> {
    for it in layers(found).into_iter().rev().flatten() {
        let seen = engine.look(&it.container).map_err(Error::of(it.service()))?;
        if seen.status.is_over() {
            engine.start(&it.container, Attach::Nothing).map_err(Error::of(it.service()))?;
        }
    }
    Ok(())
}

/// Stops and removes containers, the project's network, and with `volumes` its volumes.
///
/// # Errors
/// Something cannot be removed; all else is.
pub fn down(
    engine: &Engine,
    project: &str,
    found: &[Found],
    volumes: bool,
    timeout: Option<i64>,
    on_removed: &mut dyn FnMut(Removed<'_>),
) -> Result<()> {
    stop(engine, found, timeout)?;
    let mut failures = Vec::new();
    for it in found {
        match engine.remove(&it.container, true, volumes) {
            Ok(()) => on_removed(Removed::Container(&it.container.name)),
            Err(engine::Error::NoSuchContainer(_)) => {}
            Err(error) => failures.push(error.to_string()),
        }
    }
    let is_ours = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get(PROJECT).is_some_and(|name| name == project)
    };
    let mut networks = engine.networks()?;
    networks.retain(|it| is_ours(&it.settings.labels));
    for (network, removed) in networks.iter().zip(engine.remove_networks(&networks)) {
        match removed {
            Ok(()) => on_removed(Removed::Network(&network.name)),
            Err(error) => failures.push(error.to_string()),
        }
    }
    // Whoever made a container with them may have been killed.
    for secret in engine.secrets()?.iter().filter(|it| is_ours(&it.labels)) {
        match engine.remove_secret(&secret.name) {
            Ok(_) | Err(engine::Error::NoSuchSecret(_)) => {}
            Err(error) => failures.push(error.to_string()),
        }
    }
    let all = if volumes { engine.volumes()? } else { Vec::new() };
    for volume in all.iter().filter(|it| is_ours(&it.labels)) {
        match engine.remove_volume(&volume.name) {
            Ok(()) => on_removed(Removed::Volume(&volume.name)),
            Err(error) => failures.push(error.to_string()),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(engine::Error::Several(failures).into()) }
}

/// Containers in the order in which they are stopped.
fn layers(found: &[Found]) -> Vec<Vec<&Found>> {
    let mut left: Vec<&Found> = found.iter().collect();
    let mut layers = Vec::new();
    while !left.is_empty() {
        let needed: Vec<&str> = left.iter().flat_map(|it| it.needs()).collect();
        let is_needed = |it: &&Found| needed.contains(&it.service());
        let (rest, layer): (Vec<_>, Vec<_>) = left.iter().copied().partition(is_needed);
        if layer.is_empty() {
            // Labels of different times that contradict each other.
            layers.push(rest);
            break;
        }
        layers.push(layer);
        left = rest;
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::layers;
    use crate::found::Found;
    use crate::labels::{NEEDS, SERVICE};
    use engine::settings::Settings;
    use engine::{Container, Status};
    use std::collections::BTreeMap;

    fn found(service: &str, needs: &str) -> Found {
        let labels = [(SERVICE, service), (NEEDS, needs)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings { labels: BTreeMap::from(labels), ..Settings::default() };
        let (id, name) = (String::new(), service.to_owned());
        let container = Container {
            id,
            name,
            manifest: None,
            layers: Vec::new(),
            created: 0,
            settings,
            pod: None,
            is_infra: false,
        };
        Found { container, status: Status::Running }
    }

    fn order(found: &[Found]) -> String {
        let names = |layer: Vec<&Found>| {
            layer.iter().map(|it| it.service().to_owned()).collect::<Vec<_>>().join(" ")
        };
        layers(found).into_iter().map(names).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn who_is_needed_ends_last() {
        let all = [found("db", ""), found("web", "api,db"), found("api", "db"), found("x", "")];
        assert_eq!(order(&all), "web x; api; db");
        assert_eq!(order(&[found("a", "b"), found("b", "a")]), "a b");
    }
}
