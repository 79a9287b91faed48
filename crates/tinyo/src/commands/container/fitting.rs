//! Which containers fit `--filter`.

use super::list::networks;
use crate::commands::wanted::{self, Filter};
use anyhow::{Error, Result};
use engine::{Container, Engine, Seen, Status};
use regex_lite::Regex;

const FILTERS: &[&str] = &[
    "pod",
    "id",
    "name",
    "label",
    "label!",
    "status",
    "exited",
    "ancestor",
    "volume",
    "network",
    "health",
    "before",
    "since",
    "until",
    "publish",
    "expose",
    "restart-policy",
];

/// What `status` and `health` can be asked for; of Docker's words, those for what takes no time
/// here fit nothing.
const STATUSES: &[&str] =
    &["created", "running", "paused", "restarting", "exited", "removing", "dead"];
const HEALTHS: &[&str] = &["none", "starting", "healthy", "unhealthy"];

/// Reads a filter of containers.
pub(super) fn filter(text: &str) -> Result<Filter, String> {
    let (name, value) = wanted::one_of(FILTERS)(text)?;
    let known = match name.as_str() {
        "status" => STATUSES,
        "health" => HEALTHS,
        "name" => return pattern(&value).map(|_| (name, value)),
        _ => return Ok((name, value)),
    };
    match known.contains(&value.as_str()) {
        true => Ok((name, value)),
        false => Err(format!("there is no {name} {value:?}, only {}", known.join(" "))),
    }
}

/// A part of a name, or a regular expression.
fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| format!("{text:?} is no regular expression: {error}"))
}

/// Filters of one name are alternatives; different ones must all fit.
pub(super) fn fits(
    engine: &Engine,
    container: &Container,
    seen: &Seen,
    filters: &[(String, String)],
) -> Result<bool> {
    let names: std::collections::BTreeSet<&str> =
        filters.iter().map(|(name, _)| name.as_str()).collect();
    for name in names {
        let mut values =
            filters.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let fits = match name {
            // All labels that are asked for must be there.
            "label" => values.all(|value| wanted::has_label(&container.settings.labels, value)),
            "label!" => !values.any(|it| wanted::has_label(&container.settings.labels, it)),
            _ => {
                let mut any = false;
                for value in values {
                    any |= fits_one(engine, container, seen, name, value)?;
                }
                any
            }
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn fits_one(
    engine: &Engine,
    container: &Container,
    seen: &Seen,
    name: &str,
    value: &str,
) -> Result<bool> {
    let settings = &container.settings;
    Ok(match name {
        "pod" => match (&container.pod, engine.pod(value)) {
            (own, Ok(pod)) => *own == Some(pod.id),
            (_, Err(engine::Error::NoSuchPod(_))) => false,
            (_, Err(error)) => return Err(error.into()),
        },
        "id" => container.id.starts_with(value),
        "name" => {
            let pattern = pattern(value).map_err(Error::msg)?;
            pattern.is_match(&container.name) || pattern.is_match(&format!("/{}", container.name))
        }
        "status" => seen.status.name() == value,
        "exited" => seen.status == Status::Exited && seen.state.exit_code.to_string() == value,
        "ancestor" => {
            untagged(&settings.image) == untagged(value) || is_image(engine, container, value)?
        }
        "volume" => {
            settings.mounts.iter().any(|mount| mount.source == value || mount.target == value)
        }
        "network" => networks(settings).iter().any(|it| it == value),
        "health" => {
            let health = seen.state.health.map_or("none", |(health, _)| health.name());
            health == value
        }
        "until" => wanted::is_prunable(
            &[(name.to_owned(), value.to_owned())],
            container.created,
            &settings.labels,
        )?,
        "publish" => {
            let ports = engine.published_ports(container)?;
            ports
                .iter()
                .any(|port| is_port(value, port.host.unwrap_or(0), &port.protocol.to_string()))
        }
        "expose" => settings.network.exposed.iter().any(|port| {
            let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            number.parse().is_ok_and(|number| is_port(value, number, protocol))
        }),
        "restart-policy" => settings.restart.policy.name() == value,
        "before" => container.created < engine.find(value)?.created,
        "since" => container.created > engine.find(value)?.created,
        _ => false,
    })
}

/// `80`, `80/udp`, `8000-8100/tcp`.
fn is_port(wanted: &str, number: u16, protocol: &str) -> bool {
    let (range, wanted) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let is_in = first.parse().is_ok_and(|it: u16| it <= number)
        && last.parse().is_ok_and(|it: u16| number <= it);
    is_in && wanted == protocol
}

/// Without the tag that is meant where none is said.
fn untagged(name: &str) -> &str {
    name.strip_suffix(":latest").unwrap_or(name)
}

fn is_image(engine: &Engine, container: &Container, value: &str) -> Result<bool> {
    let Some(manifest) = &container.manifest else { return Ok(false) };
    let found = engine.store().find_by_digest(value)?;
    if found.is_some_and(|image| image.manifest == *manifest) {
        return Ok(true);
    }
    let image = engine.store().image(manifest)?;
    let mut names = image.names.iter().flat_map(|it| [it.name.familiar(), it.name.to_string()]);
    Ok(names.any(|name| untagged(&name) == untagged(value)))
}

#[cfg(test)]
mod tests {
    use super::{filter, pattern};

    #[test]
    fn values_that_fit_nothing_are_refused() {
        assert!(filter("status=exited").is_ok() && filter("name=^web$").is_ok());
        let error = filter("status=foo").unwrap_err();
        assert!(error.contains("created running paused"), "{error}");
        for wrong in ["health=ill", "name=(", "nothing=x"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_have_beginnings_and_ends() {
        let is_match = |text: &str, name: &str| pattern(text).unwrap().is_match(name);
        assert!(is_match("eb", "web1") && is_match("^web.$", "web1") && is_match("^w.*1", "web1"));
        assert!(!is_match("^eb", "web1") && !is_match("web$", "web1"));
    }
}
