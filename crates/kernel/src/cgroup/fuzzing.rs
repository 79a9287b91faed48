//! What `fuzz/` may try: parsers of what others write, and devices by three ways to the same answer.

use super::devices::model::{Numbers, allowed, questions};
use super::layout::{Membership, parse_mounts};
use super::location::Location;
use super::systemd::{self, Bus};
use super::{v1, v2};

/// A message that comes from a bus.
pub fn message(bytes: &[u8]) {
    systemd::read_message(bytes);
}

/// `mountinfo` and `/proc/PID/cgroup`, in which paths are of others' choice.
pub fn mounts(mountinfo: &str, groups: &str) {
    let layout = parse_mounts(mountinfo);
    let own = Membership::parse(groups);
    for hierarchy in layout.v1.iter().chain(&layout.v2) {
        if let Ok(path) = own.path_in(hierarchy) {
            assert!(!path.split('/').any(|name| name == ".."), "{path:?}");
        }
    }
}

/// A `cgroupsPath`, in either form.
pub fn location(text: &str) {
    let found = [
        Location::from_path(Some(text), "id"),
        Location::from_unit(Some(text), "id", &Bus::System),
    ];
    for location in found.iter().flatten() {
        let path = location.below("/mount", "/own");
        let inside = path.strip_prefix("/mount/own/").expect("below");
        assert!(inside.split('/').all(|name| !matches!(name, "" | "." | "..")), "{path:?}");
    }
}

/// Rules made of these bytes.
pub fn devices(bytes: &[u8]) {
    let rules = Numbers(bytes.iter().copied()).rules();
    let program = v2::devices::program::compile(&rules);
    for question in questions() {
        let expected = allowed(&rules, question);
        let found = v2::devices::interpreter::run(&program, question);
        assert_eq!(found, expected, "v2: {question:?} {rules:?}");
        if let Some(found) = v1::devices::would_allow(&rules, question) {
            assert_eq!(found, expected, "v1: {question:?} {rules:?}");
        }
    }
}
