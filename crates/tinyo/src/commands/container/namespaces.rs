//! The namespaces of a container, as `ps --ns` shows them.

use serde_json::Value;
use std::fs;

/// The fields, which are headings as well, and what the kernel calls each.
pub(super) const NAMESPACES: [(&str, &str); 7] = [
    ("CGROUPNS", "cgroup"),
    ("IPC", "ipc"),
    ("MNT", "mnt"),
    ("NET", "net"),
    ("PIDNS", "pid"),
    ("USERNS", "user"),
    ("UTS", "uts"),
];

/// The numbers of those that a process is in; none of one that does not run.
pub(super) fn add(record: &mut Value, pid: i32) {
    for (field, name) in NAMESPACES {
        // `net:[4026531840]`, while it lives.
        let link = fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap_or_default();
        let text = link.to_string_lossy();
        let number = text.split_once('[').map_or("", |(_, rest)| rest.trim_end_matches(']'));
        record[field] = number.into();
    }
}
