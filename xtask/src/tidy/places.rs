//! What may stand only in certain places: `unsafe`, and functions that follow any symbolic link.

use super::Finding;
use super::code;

/// The system calls of our programs, and of the tests where no crate has a safe wrapper.
const UNSAFE_ALLOWED: &[&str] = &[
    "benches/src/bin/actor.rs",
    "benches/src/bin/bare/",
    "crates/sys/",
    "crates/tino/src/sys/",
    "crates/tino/src/main.rs",
    "fuzz/",
    "tests/e2e/src/support/seccomp.rs",
    "tests/e2e/src/support/sys.rs",
    "tests/e2e/src/helper/mod.rs",
];

/// Crates to which paths come from containers and images: they open everything relative to a
/// descriptor of the root, which `std::fs` cannot.
const UNTRUSTED_PATHS: &[&str] = &["crates/kernel/", "crates/runtime/", "crates/image/"];

pub(super) fn check(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let starts_with = |places: &[&str]| places.iter().any(|place| name.starts_with(place));
    let unsafe_allowed = starts_with(UNSAFE_ALLOWED);
    let std_fs_forbidden = starts_with(UNTRUSTED_PATHS) && !name.contains("/tests");
    for (index, line) in text.lines().enumerate() {
        let code = code::without_text(line);
        let mut complain = |what: &str| {
            findings.push(Finding::Error(format!("{name}:{}: {what}", index + 1)));
        };
        if !unsafe_allowed && code::has_word(&code, "unsafe") {
            complain("unsafe outside the modules for system calls");
        }
        if std_fs_forbidden && uses_std_fs(&code) {
            complain("std::fs where paths are untrusted: use kernel::path");
        }
    }
    findings
}

fn uses_std_fs(code: &str) -> bool {
    code.contains("std::fs")
        || (code.trim_start().starts_with("use std::{") && code::has_word(code, "fs"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn unsafe_only_where_system_calls_are() {
        let text = "// unsafe\nlet a = unsafe { b() };\n";
        assert_eq!(check("crates/tino/src/words.rs", text).len(), 1);
        assert_eq!(check("crates/tino/src/sys/call.rs", text), []);
    }

    #[test]
    fn std_fs_not_where_paths_are_untrusted() {
        for text in
            ["use std::fs;", "use std::{fs, io};", "std::fs::read(path)", "use std::fs::File;"]
        {
            assert_eq!(check("crates/runtime/src/state.rs", text).len(), 1, "{text}");
            assert_eq!(check("crates/engine/src/lib.rs", text), []);
        }
        assert_eq!(check("crates/kernel/src/path.rs", "use rustix::fs;"), []);
    }
}
