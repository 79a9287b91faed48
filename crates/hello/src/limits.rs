//! What this process may use of the machine.

use crate::{line, read, section};

/// Prints all of it.
pub(crate) fn show() {
    section("limits");
    let group = read("/proc/self/cgroup").unwrap_or_default();
    line("cgroup", Some(group.lines().map(path).find(|path| *path != "/").unwrap_or("/")));
    let limit =
        |names: &[(&str, &str)]| names.iter().find_map(|(v1, name)| value(&group, v1, name));
    let memory = limit(&[("", "memory.max"), ("memory", "memory.limit_in_bytes")]);
    line("memory", memory.map(|text| bytes(&text)));
    line("processes", limit(&[("", "pids.max"), ("pids", "pids.max")]));
    let quota = limit(&[("", "cpu.max")]).or_else(|| {
        let quota = value(&group, "cpu", "cpu.cfs_quota_us")?;
        Some(format!("{quota} {}", value(&group, "cpu", "cpu.cfs_period_us")?))
    });
    line("processors", quota.and_then(|text| processors(&text)));
    let all = read("/proc/self/limits").unwrap_or_default();
    for (name, title) in [("Max open files", "open files"), ("Max processes", "of the user")] {
        line(title, all.lines().find_map(|line| line.strip_prefix(name)).map(soft));
    }
    line("memory here", read("/proc/meminfo").and_then(|text| total(&text)));
    let count = std::thread::available_parallelism().ok();
    line("processors here", count);
}

/// The path of a line of `/proc/self/cgroup`.
fn path(line: &str) -> &str {
    line.splitn(3, ':').nth(2).unwrap_or("/")
}

/// A file of this process's cgroup, of version 2 (no name) or of a hierarchy of version 1. Where
/// there is a cgroup namespace, the group is the root of what is mounted.
fn value(groups: &str, hierarchy: &str, file: &str) -> Option<String> {
    let is_it = |line: &&str| {
        let names = line.split(':').nth(1).unwrap_or_default();
        names.split(',').any(|name| name == hierarchy)
    };
    let group = groups.lines().find(is_it).map(path)?;
    let folder = if hierarchy.is_empty() {
        "/sys/fs/cgroup".to_owned()
    } else {
        format!("/sys/fs/cgroup/{hierarchy}")
    };
    [format!("{folder}{group}/{file}"), format!("{folder}/{file}")].iter().find_map(|it| read(it))
}

fn bytes(text: &str) -> String {
    match text.parse::<u64>() {
        // "max", or what version 1 has for it.
        Err(_) => "no limit".to_owned(),
        Ok(number) if number > 1 << 60 => "no limit".to_owned(),
        Ok(number) => format!("{} MiB", number >> 20),
    }
}

/// `50000 100000` is half a processor.
fn processors(text: &str) -> Option<String> {
    let (quota, period) = text.split_once(' ')?;
    match (quota.parse::<f64>(), period.parse::<f64>()) {
        (Ok(quota), Ok(period)) if quota > 0.0 && period > 0.0 => {
            Some(format!("{:.2}", quota / period))
        }
        _ => Some("no limit".to_owned()),
    }
}

/// The first number of a line of `/proc/self/limits`.
fn soft(rest: &str) -> &str {
    rest.split_whitespace().next().unwrap_or("?")
}

fn total(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(format!("{} MiB", kibibytes >> 10))
}

#[cfg(test)]
mod tests {
    use super::{bytes, path, processors, soft};

    #[test]
    fn limits_as_people_say_them() {
        assert_eq!(bytes("67108864"), "64 MiB");
        assert_eq!(bytes("max"), "no limit");
        assert_eq!(bytes("9223372036854771712"), "no limit");
        assert_eq!(processors("50000 100000").as_deref(), Some("0.50"));
        assert_eq!(processors("max 100000").as_deref(), Some("no limit"));
        assert_eq!(processors("-1 100000").as_deref(), Some("no limit"));
        assert_eq!(soft("            1024                 4096      files"), "1024");
        assert_eq!(path("4:memory:/a:b"), "/a:b");
    }
}
