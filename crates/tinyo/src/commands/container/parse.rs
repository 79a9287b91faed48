//! Values of flags as Docker's users write them.

use anyhow::{Context as _, Result};
use engine::settings::LogOptions;
use engine::value::env_lines;
pub(crate) use engine::value::{
    bytes, cpus, device, host_name, on_failure, restart, secret, size, sysctl, ulimit,
};
use std::path::PathBuf;
use std::time::Duration;

/// A time; one that is shorter than a thousandth of a second has a slip of the pen in it.
/// A number of seconds, and not none.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{text:?} is no number of seconds")),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let time = engine::value::duration(text)?;
    if !time.is_zero() && time < Duration::from_millis(1) {
        return Err(format!("{text:?} is less than 1ms"));
    }
    Ok(time)
}

/// `--entrypoint`: a program, or as Podman takes it `["program", "argument"]`.
pub(crate) fn entrypoint(text: &str) -> Vec<String> {
    let words = if text.starts_with('[') { serde_json::from_str(text).ok() } else { None };
    words.unwrap_or_else(|| vec![text.to_owned()])
}

/// An Ethernet address.
pub(crate) fn mac(text: &str) -> Result<String, String> {
    let is_byte =
        |part: &str| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_it = text.split([':', '-']).count() == 6 && text.split([':', '-']).all(is_byte);
    let is_it = is_it.then(|| text.to_owned());
    is_it.ok_or_else(|| format!("{text:?} is not like 02:42:ac:11:00:02"))
}

/// An address of IPv4.
pub(crate) fn ip4(text: &str) -> Result<String, String> {
    let parsed = text.parse::<std::net::Ipv4Addr>();
    parsed.map(|_| text.to_owned()).map_err(|_| format!("{text:?} is not like 172.17.0.9"))
}

/// An address of IPv6.
pub(crate) fn ip6(text: &str) -> Result<String, String> {
    let parsed = text.parse::<std::net::Ipv6Addr>();
    parsed.map(|_| text.to_owned()).map_err(|_| format!("{text:?} is not like fd00::9"))
}

/// `--expose`: `PORT[-PORT][/PROTOCOL]`.
pub(crate) fn expose(text: &str) -> Result<String, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let are_ports = number(first).zip(number(last)).is_some_and(|(first, last)| first <= last);
    if are_ports && matches!(protocol, "tcp" | "udp" | "sctp") {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not like 80, 8000-8010 or 53/udp"))
    }
}

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(format!("{text:?} has no name"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Variables of files and of the command line. A name alone takes the caller's value over, or takes
/// the image's away.
pub(crate) fn variables(files: &[PathBuf], given: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("--env-file {}", path.display()))?;
        let lines = env_lines(&text).map_err(anyhow::Error::msg);
        all.extend(lines.with_context(|| format!("--env-file {}", path.display()))?);
    }
    all.extend(given.iter().cloned());
    let complete = |variable: String| match crate::context::environment(&variable) {
        Some(value) if !variable.contains('=') => format!("{variable}={value}"),
        _ => variable,
    };
    Ok(all.into_iter().map(complete).collect())
}

/// `--group-add`.
pub(crate) fn group(text: &str) -> Result<String, String> {
    if text == "keep-groups" {
        return Err("the caller's groups are not handed on: give those that it needs by number, \
                    such as --group-add 44"
            .to_owned());
    }
    Ok(text.to_owned())
}

/// `--umask`, in octal digits.
pub(crate) fn umask(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| format!("{text:?} is not octal, from 0 to 777"))
}

/// `--log-driver`.
pub(crate) fn log_driver(text: &str) -> Result<String, String> {
    engine::value::log_driver(&mut LogOptions::default(), text)?;
    Ok(text.to_owned())
}

/// `NAME`, of a variable.
pub(crate) fn variable_name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && !text.contains('=');
    is_name.then(|| text.to_owned()).ok_or_else(|| format!("{text:?} is no name of a variable"))
}

/// `NAME=VALUE` or `NAME`.
pub(crate) fn variable(text: &str) -> Result<String, String> {
    let name = text.split('=').next().unwrap_or_default();
    if name.is_empty() { Err(format!("{text:?} has no name")) } else { Ok(text.to_owned()) }
}

/// The same, with a value.
pub(crate) fn merged_variable(text: &str) -> Result<String, String> {
    let has_value = text.contains('=');
    variable(text).and_then(|it| has_value.then_some(it).ok_or(format!("{text:?} has no value")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(variable("=x").is_err() && merged_variable("A").is_err());
    }

    #[test]
    fn masks_and_drivers() {
        assert_eq!(umask("027"), Ok(0o27));
        assert!(umask("8").is_err() && umask("1000").is_err());
        assert_eq!(log_driver("json-file").as_deref(), Ok("json-file"));
        assert!(log_driver("journald").unwrap_err().contains("LogPath"));
    }
}
