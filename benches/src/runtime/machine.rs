//! A view of the machine in which every contestant can run, and what they leave in it.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

const CGROUP: &str = "/sys/fs/cgroup";
const NO_DATA: Option<&str> = None;

/// The mount namespace of the benchmark, with a folder in memory for bundles and states.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The folder; it vanishes with the process.
    pub(crate) folder: PathBuf,
    /// The version of the cgroups, 1 or 2.
    pub(crate) version: u8,
    /// The own group in every hierarchy.
    groups: Vec<PathBuf>,
    /// The number of ids given out.
    ids: Cell<u32>,
}

impl Machine {
    /// Moves this process, which must have one thread, to a private mount namespace.
    ///
    /// On a machine with both versions of cgroups the tree of version 2 is hidden from all
    /// contestants alike: crun refuses to run beside one without a systemd that uses it.
    pub(crate) fn prepare() -> Result<Self> {
        ensure!(nix::unistd::geteuid().is_root(), "needs root");
        unshare(CloneFlags::CLONE_NEWNS).context("unshare")?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(NO_DATA, "/", NO_DATA, private, NO_DATA).context("make mounts private")?;
        let unified = Path::new(CGROUP).join("unified");
        if unified.join("cgroup.procs").exists() {
            umount2(&unified, MntFlags::MNT_DETACH).context("umount unified")?;
            mount(Some("none"), &unified, Some("tmpfs"), MsFlags::empty(), NO_DATA)?;
        }
        let folder = std::env::temp_dir().join(format!("bench-runtime-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        mount(Some("none"), &folder, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
        let (version, groups) = own_groups()?;
        let machine = Self { folder, version, groups, ids: Cell::new(0) };
        fs::create_dir(machine.states())?;
        Ok(machine)
    }

    /// Below it each contestant keeps the states of its containers.
    pub(crate) fn states(&self) -> PathBuf {
        self.folder.join("states")
    }

    /// An id that no container had.
    pub(crate) fn fresh_id(&self) -> String {
        self.ids.set(self.ids.get() + 1);
        format!("{}{}", prefix(), self.ids.get())
    }

    /// The folders that the cgroup of a container called `id` will have.
    pub(crate) fn groups_for(&self, id: &str) -> impl Iterator<Item = PathBuf> {
        self.groups.iter().map(move |group| group.join(id))
    }

    /// Groups, mounts and states that the contestants left although they should be gone.
    pub(crate) fn leftovers(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for group in self.groups.iter().chain(&roots(&self.groups)) {
            for entry in fs::read_dir(group)?.flatten() {
                if entry.file_name().to_string_lossy().starts_with(&prefix()) {
                    found.push(format!("the cgroup {}", entry.path().display()));
                }
            }
        }
        for state in fs::read_dir(self.states())?.flatten() {
            for entry in fs::read_dir(state.path())?.flatten() {
                found.push(format!("the state {}", entry.path().display()));
            }
        }
        let inside = format!(" {}/", self.folder.display());
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        found.extend(
            mounts.lines().filter(|it| it.contains(&inside)).map(|it| format!("the mount {it}")),
        );
        found.sort();
        found.dedup();
        Ok(found)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = umount2(&self.folder, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// How the ids of all containers of this run begin.
fn prefix() -> String {
    format!("bench-{}-", std::process::id())
}

/// The version, and the group of this process in each hierarchy that is mounted.
fn own_groups() -> Result<(u8, Vec<PathBuf>)> {
    let text = fs::read_to_string("/proc/self/cgroup").context("/proc/self/cgroup")?;
    let unified = Path::new(CGROUP).join("cgroup.procs").exists();
    let mut groups = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let hierarchy = match controllers.trim_start_matches("name=") {
            "" if unified => PathBuf::from(CGROUP),
            "" => continue,
            name => Path::new(CGROUP).join(name),
        };
        let group = hierarchy.join(group.trim_start_matches('/'));
        if group.join("cgroup.procs").exists() {
            groups.push(group);
        }
    }
    ensure!(!groups.is_empty(), "no cgroup hierarchy is mounted below {CGROUP}");
    Ok((if unified { 2 } else { 1 }, groups))
}

/// The tops of the hierarchies, where some contestants put their containers.
fn roots(groups: &[PathBuf]) -> Vec<PathBuf> {
    let depth = Path::new(CGROUP).components().count() + 1;
    groups.iter().map(|group| group.components().take(depth).collect()).collect()
}
