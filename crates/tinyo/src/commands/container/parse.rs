//! Values of flags as Docker's users write them.

use anyhow::{Context as _, Result};
use engine::settings::{Device, SecretKind, SecretUse};
pub(crate) use engine::value::{bytes, cpus, host_name, on_failure, restart, size};
use std::path::PathBuf;
use std::time::Duration;

/// A time; one that is shorter than a thousandth of a second has a slip of the pen in it.
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

/// `nofile=1024[:2048]`: name, soft, hard.
pub(crate) fn ulimit(text: &str) -> Result<(String, u64, u64), String> {
    let wrong = || format!("{text:?} is not like nofile=1024:2048");
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ => text.parse().map_err(|_| wrong()),
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (number(soft)?, number(hard)?);
    if !ULIMITS.contains(&name) {
        return Err(format!("there is no limit {name:?}, only {}", ULIMITS.join(" ")));
    }
    if soft > hard {
        return Err(format!("{soft} is above the hard limit, {hard}"));
    }
    Ok((name.to_owned(), soft, hard))
}

/// getrlimit(2).
const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `--sysctl`: `NAME=VALUE`.
pub(crate) fn sysctl(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if name.contains(['.', '/']) && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(format!("{text:?} is not like net.ipv4.ip_forward=1")),
    }
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

/// `/dev/sda[:/dev/xvda[:rwm]]`.
pub(crate) fn device(text: &str) -> Result<Device, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_access = |text: &str| !text.is_empty() && text.bytes().all(|it| b"rwm".contains(&it));
    let (source, target, access) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, access] if is_access(access) => (source, source, access),
        [source, target] => (source, target, "rwm"),
        [source, target, access] if is_access(access) => (source, target, access),
        _ => return Err(format!("{text:?} is not like /dev/sda:/dev/xvda:rwm")),
    };
    let [source, target, access] = [source, target, access].map(str::to_owned);
    Ok(Device { source, target, access })
}

/// `--secret`: `NAME[,OPTION=VALUE..]`, or `source=NAME,..`.
pub(crate) fn secret(text: &str) -> Result<SecretUse, String> {
    let mut secret = SecretUse::default();
    let mut of_files = None;
    for (place, field) in text.split(',').enumerate() {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        if place == 0 && !field.contains('=') {
            field.clone_into(&mut secret.name);
            continue;
        }
        let number = |range: &str| {
            value.parse().map_err(|_| format!("{text:?}: {key} is {range}, not {value:?}"))
        };
        match (key, value) {
            (_, "") => return Err(format!("{text:?}: {key:?} has no value")),
            ("source" | "src", _) => value.clone_into(&mut secret.name),
            ("type", "mount") => secret.kind = SecretKind::Mount,
            ("type", "env") => secret.kind = SecretKind::Env,
            ("type", _) => return Err(format!("{text:?}: type is mount or env, not {value:?}")),
            ("target" | "dst" | "destination", _) => value.clone_into(&mut secret.target),
            ("uid", _) => (secret.user, of_files) = (number("a number")?, Some(key)),
            ("gid", _) => (secret.group, of_files) = (number("a number")?, Some(key)),
            ("mode", _) => (secret.mode, of_files) = (mode(value)?, Some(key)),
            _ => {
                return Err(format!(
                    "{text:?}: there is no option {key:?}, only type, target, uid, gid, mode"
                ));
            }
        }
    }
    if secret.name.is_empty() {
        return Err(format!("{text:?} has no name"));
    }
    if let (SecretKind::Env, Some(key)) = (secret.kind, of_files) {
        return Err(format!("{text:?}: {key} is for type=mount: a variable belongs to nobody"));
    }
    match secret.kind {
        SecretKind::Env if secret.target.contains('=') => {
            Err(format!("{text:?}: no variable can have this name"))
        }
        SecretKind::Mount if secret.target.split('/').any(|part| part == "..") => {
            Err(format!("{text:?}: the target leads out of its folder"))
        }
        _ => Ok(secret),
    }
}

/// Permissions of a file, in octal digits.
fn mode(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| format!("mode {text:?} is not octal, from 0 to 777"))
}

/// The lines of an `--env-file`: `NAME=VALUE`, as it stands, or `NAME`, which takes over the
/// caller's. A shell's grammar is not obeyed, but noticed.
pub(crate) fn env_lines(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if let Some(wrong) = wrong_name(name) {
            return Err(format!("line {}: {line:?}: {wrong}", number + 1));
        }
        all.push(line.to_owned());
    }
    Ok(all)
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

/// `--umask`, in octal digits.
pub(crate) fn umask(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| format!("{text:?} is not octal, from 0 to 777"))
}

/// `--log-driver`. Docker's names for a file of its own mean ours, which `logs` reads as well.
pub(crate) fn log_driver(text: &str) -> Result<String, String> {
    match text {
        "k8s-file" | "json-file" | "local" => Ok("k8s-file".to_owned()),
        "none" => Ok("none".to_owned()),
        _ => Err("output is kept in a file (k8s-file), or not at all (none); other programs can \
                  read it from where `tinyo inspect --format '{{.LogPath}}'` says"
            .to_owned()),
    }
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

fn wrong_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("there is no name before the =");
    }
    name.contains(char::is_whitespace)
        .then_some("the name has a blank in it; it is NAME=VALUE, without export and quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_variables() {
        let text = "\u{feff}A=1\r\n# no\n\n  B= x \nHOME\n";
        assert_eq!(env_lines(text), Ok(["A=1", "B= x ", "HOME"].map(str::to_owned).to_vec()));
        assert!(env_lines("A=1\nexport B=2").unwrap_err().starts_with("line 2: \"export B=2\""));
        assert!(env_lines("=x").is_err() && env_lines("A = 1").is_err());
        assert!(variable("=x").is_err());
    }

    #[test]
    fn secrets() {
        let found = secret("key,target=/etc/key,uid=33,gid=0,mode=0400").unwrap();
        assert_eq!((found.name.as_str(), found.target.as_str()), ("key", "/etc/key"));
        assert_eq!((found.user, found.group, found.mode), (33, 0, 0o400));
        assert_eq!(secret("key").unwrap().mode, 0o444);
        let found = secret("source=key,type=env,target=PASSWORD").unwrap();
        assert_eq!((found.name.as_str(), found.kind), ("key", SecretKind::Env));
        for (wrong, said) in [
            ("", "no name"),
            ("type=env", "no name"),
            ("a,b", "\"b\" has no value"),
            ("a,color=red", "no option"),
            ("a,type=file", "mount or env"),
            ("a,mode=999", "octal"),
            ("a,uid=-1", "uid is a number"),
            ("a,type=env,mode=400", "for type=mount"),
            ("a,type=env,target=A=B", "no variable"),
            ("a,target=../../etc/passwd", "leads out"),
        ] {
            let error = secret(wrong).unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }

    #[test]
    fn masks_and_drivers() {
        assert_eq!(umask("027"), Ok(0o27));
        assert!(umask("8").is_err() && umask("1000").is_err());
        assert_eq!(log_driver("json-file").as_deref(), Ok("k8s-file"));
        assert!(log_driver("journald").unwrap_err().contains("LogPath"));
    }

    #[test]
    fn devices_and_limits() {
        assert_eq!(device("/dev/a:rw").unwrap().access, "rw");
        assert_eq!(device("/dev/a:/dev/b").unwrap().target, "/dev/b");
        assert!(device("/dev/a:/dev/b:x").is_err());
        assert_eq!(ulimit("nofile=1:2"), Ok(("nofile".into(), 1, 2)));
        assert_eq!(ulimit("core=-1"), Ok(("core".into(), u64::MAX, u64::MAX)));
        assert!(ulimit("nofile").is_err());
    }
}
