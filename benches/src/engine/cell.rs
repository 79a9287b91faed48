//! Where the contestants live: namespaces and a cgroup of their own. Whatever becomes of the
//! benchmark, nothing of theirs stays on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MsFlags, mount};

use crate::options::Options;

const CGROUPS: &str = "/sys/fs/cgroup";

/// Folders with fixed names that others keep things in.
const HIDDEN: [&str; 2] = ["/run", "/var/lib/cni"];

/// Starts `bench-engine` as the first process of a cell, and waits for its end.
pub(super) fn run(options: &Options) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "needs root");
    let cell = Cell::new()?;
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "--net", "--ipc", "--uts", "--"])
        .arg(options.release.join("bench-engine"))
        .arg(&options.release)
        .arg(&cell.folder)
        .args(options.words());
    let status = command.status().context("unshare")?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

/// To be called first inside.
pub(super) fn furnish() -> Result<()> {
    for folder in HIDDEN {
        fs::create_dir_all(folder)?;
        mount(Some("none"), folder, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
            .with_context(|| format!("mount {folder}"))?;
    }
    let status = Command::new("ip").args(["link", "set", "lo", "up"]).status().context("ip")?;
    ensure!(status.success(), "ip link set lo up");
    Ok(())
}

/// The cgroup below which all contestants make those of their containers.
pub(super) fn cgroup(folder: &Path) -> String {
    format!("/{}", folder.file_name().unwrap_or_default().display())
}

/// A folder on a disk, and the cgroups; both go when this is dropped.
struct Cell {
    folder: PathBuf,
}

impl Cell {
    fn new() -> Result<Cell> {
        let name = format!("tinyo-bench-engine-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        Ok(Cell { folder })
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let name = cgroup(&self.folder);
        let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten();
        let mut groups: Vec<PathBuf> = hierarchies.map(|it| it.path()).collect();
        groups.push(CGROUPS.into());
        for group in groups {
            remove_group(&group.join(name.trim_start_matches('/')));
        }
    }
}

/// Removes a group and those below it. Its processes were killed and may not be gone yet.
fn remove_group(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_group(&entry.path());
        }
    }
    for _ in 0..100 {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                sleep(Duration::from_millis(20));
            }
            _ => return,
        }
    }
}
