//! Who this process is, and what it may do.

use crate::{line, read, section};

/// By number (capabilities(7)).
// tidy: table
const CAPABILITIES: &[&str] = &[
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

const NAMESPACES: &[&str] = &["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"];

/// Prints all of it.
pub(crate) fn show() {
    let status = read("/proc/self/status").unwrap_or_default();
    let field = |name: &str| field(&status, name);
    section("process");
    line("pid", Some(std::process::id()));
    line("processes", processes().map(|count| format!("{count} to be seen")));
    line("user, group", Some(format!("{}, {}", first(field("Uid")), first(field("Gid")))));
    line("groups", field("Groups").filter(|groups| !groups.is_empty()));
    line("capabilities", field("CapEff").and_then(capabilities));
    line("obtainable", field("CapBnd").and_then(capabilities));
    line("no new rights", field("NoNewPrivs").map(yes_or_no));
    line("seccomp", field("Seccomp").map(|mode| seccomp(mode, field("Seccomp_filters"))));
    line("label", read("/proc/self/attr/current").map(|it| it.trim_end_matches('\0').to_owned()));
    section("namespaces");
    line("host name", read("/proc/sys/kernel/hostname"));
    line("kernel", read("/proc/sys/kernel/osrelease"));
    for name in NAMESPACES {
        line(name, namespace(name));
    }
    line("users outside", read("/proc/self/uid_map").map(|map| ranges(&map)));
    line("groups outside", read("/proc/self/gid_map").map(|map| ranges(&map)));
}

/// A line of `/proc/self/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| *found == name).map(|(_, value)| value.trim())
}

fn first(numbers: Option<&str>) -> &str {
    numbers.and_then(|numbers| numbers.split_whitespace().next()).unwrap_or("?")
}

fn yes_or_no(number: &str) -> &'static str {
    if number == "0" { "no" } else { "yes" }
}

fn seccomp(mode: &str, filters: Option<&str>) -> String {
    match mode {
        "0" => "no filter".to_owned(),
        "1" => "strict".to_owned(),
        _ => format!("filtered by {} program(s)", filters.unwrap_or("some")),
    }
}

/// The names of the bits of a hexadecimal number.
fn capabilities(hex: &str) -> Option<String> {
    let bits = u64::from_str_radix(hex, 16).ok()?;
    let last = read("/proc/sys/kernel/cap_last_cap").and_then(|text| text.parse::<u32>().ok());
    let all = last.filter(|last| *last < 63).map(|last| (1 << (last + 1)) - 1);
    Some(named(bits, all))
}

fn named(bits: u64, all: Option<u64>) -> String {
    let names = |bits: u64| {
        let has = |number: &usize| bits >> number & 1 == 1;
        let name = |number: usize| match CAPABILITIES.get(number) {
            Some(name) => (*name).to_owned(),
            None => number.to_string(),
        };
        (0..64).filter(has).map(name).collect::<Vec<_>>().join(" ")
    };
    match all.map(|all| all & !bits) {
        _ if bits == 0 => "none".to_owned(),
        Some(0) => "all".to_owned(),
        Some(missing) if missing.count_ones() < 8 => format!("all but {}", names(missing)),
        _ => names(bits),
    }
}

/// The number in `pid:[4026531836]`.
fn namespace(name: &str) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
    let text = link.to_str()?;
    Some(text.split(['[', ']']).nth(1)?.to_owned())
}

fn processes() -> Option<usize> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Some(names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count())
}

/// `0-65535 are 100000-165535`, for each line of a map.
fn ranges(map: &str) -> String {
    let range = |line: &str| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        let [inside, outside, count] = numbers[..] else { return None };
        if (inside, outside, count) == (0, 0, u64::from(u32::MAX)) {
            return Some("the same".to_owned());
        }
        let last = count.saturating_sub(1);
        Some(format!("{inside}-{} are {outside}-{}", inside + last, outside + last))
    };
    map.lines().filter_map(range).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{field, named, ranges, seccomp};

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\thello\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert_eq!(field(status, "CapEff"), None);
        assert_eq!(seccomp("2", field(status, "Seccomp_filters")), "filtered by 1 program(s)");
    }

    #[test]
    fn capabilities_have_names() {
        assert_eq!(named(0, Some(3)), "none");
        assert_eq!(named(3, Some(3)), "all");
        assert_eq!(named(1 | 1 << 21 | 1 << 50, None), "chown sys_admin 50");
        assert_eq!(named(!(1 << 24), Some(u64::MAX >> 23)), "all but sys_resource");
        assert_eq!(named(1 << 10, Some(u64::MAX >> 23)), "net_bind_service");
    }

    #[test]
    fn maps_are_ranges() {
        assert_eq!(ranges("         0          0 4294967295"), "the same");
        assert_eq!(
            ranges("0 1000 1\n1 100000 65536"),
            "0-0 are 1000-1000, 1-65536 are 100000-165535"
        );
    }
}
