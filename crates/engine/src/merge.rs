//! What the image says where the user does not.

use crate::configuration::PATH;
use crate::settings::{Health, ImageVolumes, Mount, MountKind, Settings};
use spec::image::{ContainerConfig, HealthCheck};
use std::collections::BTreeMap;

/// Seconds as nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// The settings with the image's defaults.
pub(crate) fn with_image(mut settings: Settings, config: &ContainerConfig) -> Settings {
    match &settings.entrypoint {
        // Who says another entrypoint does not want the arguments of the image's.
        Some(words) if words.iter().all(String::is_empty) => settings.entrypoint = Some(Vec::new()),
        Some(_) => {}
        None => {
            settings.entrypoint = Some(config.entrypoint.clone().unwrap_or_default());
            if settings.command.is_empty() {
                settings.command = config.cmd.clone().unwrap_or_default();
            }
        }
    }
    let merged = std::mem::take(&mut settings.env_merge);
    let merged = merged.iter().map(|variable| replaced(variable, &config.env));
    let of_image = config.env.iter().filter(|_| !settings.no_image_env).cloned();
    settings.env = of_image.chain(merged).chain(settings.env).collect();
    let or_else = |own: &mut String, image: &String| {
        if own.is_empty() {
            own.clone_from(image);
        }
    };
    or_else(&mut settings.working_dir, &config.working_dir);
    or_else(&mut settings.user, &config.user);
    or_else(&mut settings.stop_signal, &config.stop_signal);
    let own = std::mem::take(&mut settings.labels);
    settings.labels = config.labels.clone().into_iter().chain(own).collect::<BTreeMap<_, _>>();
    settings.network.exposed.extend(config.exposed_ports.keys().cloned());
    settings.network.exposed.sort_unstable();
    settings.network.exposed.dedup();
    let kind = match settings.image_volumes {
        ImageVolumes::Volume => Some(MountKind::Volume),
        ImageVolumes::Tmpfs => Some(MountKind::Tmpfs),
        ImageVolumes::Ignore => None,
    };
    for (target, kind) in config.volumes.keys().filter_map(|target| Some((target, kind?))) {
        if !settings.mounts.iter().any(|mount| mount.target == *target) {
            settings.mounts.push(Mount { kind, target: target.clone(), ..Mount::default() });
        }
    }
    settings.health = health(settings.health, config.healthcheck.as_ref());
    settings
}

/// A variable's value with those of the image in place of `$NAME` and `${NAME}`.
fn replaced(variable: &str, of_image: &[String]) -> String {
    let value_of = |name: &str| {
        let usual = [PATH.to_owned()];
        let mut all = of_image.iter().rev().chain(&usual).filter_map(|it| it.split_once('='));
        all.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut parts = variable.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let braced = part.strip_prefix('{').and_then(|it| it.split_once('}'));
        let end = part.find(|it| !is_name(it)).unwrap_or(part.len());
        match (braced, end) {
            (Some((name, rest)), _) => text.extend([&value_of(name), rest]),
            // It is no variable's.
            (None, 0) => text.extend(["$", part]),
            (None, end) => text.extend([&value_of(&part[..end]), &part[end..]]),
        }
    }
    text
}

/// A check of the user's without a command has that of the image; one with no words says that
/// there is none.
fn health(own: Option<Health>, image: Option<&HealthCheck>) -> Option<Health> {
    let of_image = image.and_then(|check| {
        let time = |value: Option<i64>| value.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        Some(Health {
            command: health_command(&check.test)?,
            interval: time(check.interval),
            timeout: time(check.timeout),
            start_period: time(check.start_period),
            start_interval: time(check.start_interval),
            retries: u32::try_from(check.retries.unwrap_or(0)).unwrap_or(0),
            ..Health::default()
        })
    });
    let mut health = match (own, of_image) {
        (None, None) => return None,
        (Some(own), None) => own,
        (None, Some(image)) => image,
        (Some(own), Some(image)) => Health {
            command: if own.command.is_empty() { image.command } else { own.command },
            interval: either(own.interval, image.interval),
            timeout: either(own.timeout, image.timeout),
            start_period: either(own.start_period, image.start_period),
            start_interval: either(own.start_interval, image.start_interval),
            retries: if own.retries == 0 { image.retries } else { own.retries },
            on_failure: own.on_failure,
            startup: own.startup,
        },
    };
    if health.command.is_empty() || health.command == ["NONE"] {
        return None;
    }
    health.interval = either(health.interval, 30 * SECOND);
    health.timeout = either(health.timeout, 30 * SECOND);
    health.start_interval = either(health.start_interval, 5 * SECOND);
    health.retries = if health.retries == 0 { 3 } else { health.retries };
    if let Some(startup) = &mut health.startup {
        startup.interval = either(startup.interval, 30 * SECOND);
        startup.timeout = either(startup.timeout, 30 * SECOND);
    }
    Some(health)
}

fn either(first: u64, second: u64) -> u64 {
    if first == 0 { second } else { first }
}

/// `["CMD", ...]` or `["CMD-SHELL", COMMAND]`.
fn health_command(test: &[String]) -> Option<Vec<String>> {
    match test.split_first()? {
        (kind, words) if kind == "CMD" => Some(words.to_vec()),
        (kind, words) if kind == "CMD-SHELL" => {
            Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{replaced, with_image};
    use crate::settings::{Health, Settings};
    use spec::image::{ContainerConfig, HealthCheck};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn command(entrypoint: Option<&str>, command: &str) -> String {
        let config = ContainerConfig {
            entrypoint: Some(words("/entry")),
            cmd: Some(words("a b")),
            ..ContainerConfig::default()
        };
        let settings = Settings {
            entrypoint: entrypoint.map(words),
            command: words(command),
            ..Settings::default()
        };
        with_image(settings, &config).words().cloned().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_command_is_as_with_docker() {
        assert_eq!(command(None, ""), "/entry a b");
        assert_eq!(command(None, "c"), "/entry c");
        assert_eq!(command(Some("/other"), ""), "/other");
        assert_eq!(command(Some("/other"), "c"), "/other c");
        assert_eq!(command(Some(""), "c"), "c");
    }

    #[test]
    fn variables_of_the_image_are_put_into_others() {
        let image = words("A=1 B=x=$A A=2");
        for (variable, expected) in [
            ("C=${A}-$B", "C=2-x=$A"),
            ("A=$A$A.", "A=22."),
            ("C=$D-${D}", "C=-"),
            ("C=$-$$A{$", "C=$-$2{$"),
            ("C=${A", "C=${A"),
        ] {
            assert_eq!(replaced(variable, &image), expected, "{variable}");
        }
        assert!(replaced("PATH=$PATH:/x", &image).ends_with("/bin:/x"));
    }

    #[test]
    fn a_check_of_the_image_can_be_changed_and_taken_away() {
        let check = HealthCheck { test: words("CMD-SHELL true"), ..HealthCheck::default() };
        let config = ContainerConfig { healthcheck: Some(check), ..ContainerConfig::default() };
        let merged =
            |health| with_image(Settings { health, ..Settings::default() }, &config).health;
        let usual = merged(None).unwrap();
        assert_eq!(usual.command, words("/bin/sh -c true"));
        assert_eq!(usual.retries, 3);
        let faster = merged(Some(Health { interval: 1, ..Health::default() })).unwrap();
        assert_eq!((faster.interval, faster.command), (1, usual.command));
        assert_eq!(merged(Some(Health { command: words("NONE"), ..Health::default() })), None);
    }
}
