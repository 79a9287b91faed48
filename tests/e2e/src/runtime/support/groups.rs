//! The cgroups of containers, seen from the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// True on a machine that has cgroup v2 and nothing else.
pub(in crate::runtime) fn only_v2() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// The group called `name` at the top of the hierarchy that has `controller`, or a skip.
pub(in crate::runtime) fn folder(name: &str, controller: &str) -> Result<PathBuf> {
    let hierarchy = if only_v2() { PathBuf::from(ROOT) } else { Path::new(ROOT).join(controller) };
    let available = match only_v2() {
        true => fs::read_to_string(hierarchy.join("cgroup.controllers"))?
            .split_whitespace()
            .any(|it| it == controller),
        false => hierarchy.join("cgroup.procs").exists(),
    };
    if !available {
        harness::skip(format!("the {controller} controller is not here"))?;
    }
    Ok(hierarchy.join(name))
}

/// A value of the group: of the file `v1` or, where there is only that version, `v2`.
pub(in crate::runtime) fn value(
    name: &str,
    controller: &str,
    v1: &str,
    v2: &str,
) -> Result<String> {
    let path = folder(name, controller)?.join(if only_v2() { v2 } else { v1 });
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.trim_end().to_owned())
}

/// All groups of this name: at the top of a hierarchy, or in the group of this process.
pub(in crate::runtime) fn existing(name: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        parents().into_iter().map(|parent| parent.join(name)).filter(|it| it.is_dir()).collect();
    found.sort();
    found.dedup();
    found
}

/// Removes all groups of this name, which have no process.
pub(in crate::runtime) fn remove(name: &str) {
    for group in existing(name) {
        // The kernel may need a moment to notice that the last process has ended.
        for _ in 0..200 {
            if fs::remove_dir(&group).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Removes what trials left that were killed before they could.
pub(in crate::runtime) fn remove_stale() {
    let is_stale = |name: &str| {
        let pid = name.strip_prefix("e2e-").and_then(|rest| rest.split('-').next());
        pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
    };
    for hierarchy in hierarchies() {
        let entries = fs::read_dir(hierarchy).into_iter().flatten().flatten();
        for entry in entries.filter(|it| it.file_name().to_str().is_some_and(is_stale)) {
            // One with a process or a group in it stays, and is left for people to look at.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Where the hierarchies are mounted.
pub(in crate::runtime) fn hierarchies() -> Vec<PathBuf> {
    if only_v2() {
        return vec![PathBuf::from(ROOT)];
    }
    let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.join("cgroup.procs").exists()).collect()
}

fn parents() -> Vec<PathBuf> {
    let hierarchies = hierarchies();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own: Vec<&str> = own.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
    let with_own = |hierarchy: &PathBuf| {
        own.iter().map(|group| hierarchy.join(group.trim_start_matches('/'))).collect::<Vec<_>>()
    };
    let below: Vec<PathBuf> = hierarchies.iter().flat_map(with_own).collect();
    hierarchies.into_iter().chain(below).collect()
}

/// Skips the trial where nothing can be frozen.
pub(in crate::runtime) fn freezer() -> Result<()> {
    if !only_v2() && !Path::new(ROOT).join("freezer/cgroup.procs").exists() {
        harness::skip("the freezer controller is not here")?;
    }
    Ok(())
}
