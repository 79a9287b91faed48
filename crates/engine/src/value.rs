//! Values as people write them: sizes, times, policies.

mod given;
mod log;
mod mounts;
mod resources;

use crate::settings::{OnFailure, Restart, RestartPolicy};
pub use given::{env_lines, mode, secret};
pub use log::{log_driver, log_option};
pub use mounts::{check_tmpfs, mount_option, tmpfs};
pub use resources::{device, sysctl, ulimit};
use std::time::Duration;

/// `64m`, `1g`, `1.5GiB`, `1024`: bytes, powers of 1024.
///
/// # Errors
/// What would be right.
pub fn bytes(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    let wrong = || format!("{text:?} is no size: write it as 64m or 1g");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let too_much = || format!("{text:?} is more than there can be");
    if !number.contains('.') && !number.is_empty() {
        let number = number.parse::<i64>().ok();
        return number.and_then(|it| it.checked_mul(1 << shift)).ok_or_else(too_much);
    }
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = number * f64::from(1 << (shift.min(30))) * if shift > 30 { 1024.0 } else { 1.0 };
    // 2^63, the first one that is none any more.
    if bytes < 9_223_372_036_854_775_808.0 { Ok(bytes as i64) } else { Err(too_much()) }
}

/// The same where there is no "any".
///
/// # Errors
/// What would be right.
pub fn size(text: &str) -> Result<u64, String> {
    u64::try_from(bytes(text)?).map_err(|_| format!("{text:?} is less than nothing"))
}

/// `1.5`: billionths of a processor.
///
/// # Errors
/// What would be right.
pub fn cpus(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(count) if count == 0.0 || (0.01..1e6).contains(&count) => {
            Ok((count * 1e9).round() as u64)
        }
        _ => Err(format!("{text:?} is no number of processors such as 1.5, from 0.01 on")),
    }
}

/// The name of a machine as others look for it: anything without blanks and separators.
///
/// # Errors
/// What would be right.
pub fn host_name(text: &str) -> Result<String, String> {
    let is_wrong = |it: char| it.is_whitespace() || it.is_control() || "/:,#".contains(it);
    if text.is_empty() || text.len() > 253 || text.contains(is_wrong) {
        return Err(format!("{text:?} is no name of a host, such as db or db.example.org"));
    }
    Ok(text.to_owned())
}

/// `1m30s`, `500ms`, `10` (seconds).
///
/// # Errors
/// What would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time such as 30s or 1m30s");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..end].parse().map_err(|_| wrong())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        nanoseconds += number
            * match &rest[..end] {
                "ns" => 1.0,
                "us" | "µs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                _ => return Err(wrong()),
            };
        rest = &rest[end..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_nanos(nanoseconds as u64)) }
}

/// `no`, `always`, `unless-stopped`, `on-failure[:TIMES]`.
///
/// # Errors
/// What would be right.
pub fn restart(text: &str) -> Result<Restart, String> {
    let (name, limit) = match text.split_once(':') {
        Some((name, limit)) => (name, Some(limit)),
        None => (text, None),
    };
    let policy = match name {
        "no" | "" => RestartPolicy::No,
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        "on-failure" => RestartPolicy::OnFailure,
        _ => return Err(format!("{text:?} is not no, on-failure[:N], always or unless-stopped")),
    };
    let limit = match limit {
        None => 0,
        Some(limit) if policy == RestartPolicy::OnFailure => {
            limit.parse().map_err(|_| format!("{limit:?} is no number of times"))?
        }
        Some(_) => return Err(format!("{name} has no number of times")),
    };
    Ok(Restart { policy, limit })
}

/// `none`, `kill`, `restart`, `stop`.
///
/// # Errors
/// What would be right.
pub fn on_failure(text: &str) -> Result<OnFailure, String> {
    let all = [OnFailure::None, OnFailure::Kill, OnFailure::Restart, OnFailure::Stop];
    let found = all.into_iter().find(|action| action.name() == text);
    found.ok_or_else(|| format!("{text:?} is not none, kill, restart or stop"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("0", 0),
            ("64m", 64 << 20),
            ("1.5k", 1536),
            ("2GiB", 2 << 30),
            ("1t", 1 << 40),
            ("-1", -1),
        ];
        for (text, value) in cases {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        for text in
            ["", "m", "-2", "1x", "1..5m", "99999999999t", "9223372036854775808", "99999999999.5t"]
        {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(size("-1").is_err());
    }

    #[test]
    fn times() {
        let milliseconds = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(milliseconds("10"), Ok(10_000));
        assert_eq!(milliseconds("1m30s"), Ok(90_000));
        assert_eq!(milliseconds("1.5s"), Ok(1_500));
        assert_eq!(milliseconds("20ms"), Ok(20));
        for text in ["", "s", "1x", "1m30", "-1s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_and_processors() {
        for text in ["", "a b", "a\nb", "a/b", "a:1", &"x".repeat(254)] {
            assert!(host_name(text).is_err(), "{text:?}");
        }
        assert!(host_name("my_db.example.org").is_ok());
        assert_eq!((cpus("1.5"), cpus("0")), (Ok(1_500_000_000), Ok(0)));
        for text in ["0.009", "-1", "nan", "inf", "1e9", ""] {
            assert!(cpus(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn policies() {
        assert_eq!(restart("on-failure:3").unwrap().limit, 3);
        assert_eq!(restart("always").unwrap().policy, RestartPolicy::Always);
        for text in ["sometimes", "always:3", "on-failure:x"] {
            assert!(restart(text).is_err(), "{text}");
        }
    }
}
