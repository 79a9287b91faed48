//! Limits, kernel parameters, devices, as people write them.

use crate::settings::Device;

/// `nofile=1024[:2048]`: name, soft, hard.
///
/// # Errors
/// What would be right.
pub fn ulimit(text: &str) -> Result<(String, u64, u64), String> {
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
///
/// # Errors
/// What would be right.
pub fn sysctl(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if name.contains(['.', '/']) && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(format!("{text:?} is not like net.ipv4.ip_forward=1")),
    }
}

/// `/dev/sda[:/dev/xvda[:rwm]]`.
///
/// # Errors
/// What would be right.
pub fn device(text: &str) -> Result<Device, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
