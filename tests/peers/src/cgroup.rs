//! The cell's cgroup: one group per hierarchy of the machine, below the group of the trial.
//!
//! The cell sees them as the roots of its hierarchies (a cgroup namespace), so whatever a
//! container manager makes lies below and is removed with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// The leaf in which the cell's own processes live on cgroup v2, where a group that hands
/// controllers down must hold no process itself.
const LEAF: &str = "processes";

/// One hierarchy as this process sees it.
struct Hierarchy {
    /// Where it is mounted.
    mount_point: PathBuf,
    /// What to mount it with: `cpu,cpuacct`, `name=systemd`, or nothing for v2.
    controllers: String,
    /// The group of this process, from the root of the hierarchy.
    group: String,
}

impl Hierarchy {
    fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }

    fn own_group(&self) -> PathBuf {
        self.mount_point.join(self.group.trim_start_matches('/'))
    }
}

/// Makes the groups called `name` and returns their folders.
pub(crate) fn create(name: &str) -> Result<Vec<PathBuf>> {
    hierarchies()?.iter().map(|hierarchy| create_in(hierarchy, name)).collect()
}

fn create_in(hierarchy: &Hierarchy, name: &str) -> Result<PathBuf> {
    let parent = hierarchy.own_group();
    let group = parent.join(name);
    fs::create_dir_all(&group).with_context(|| format!("mkdir {}", group.display()))?;
    // A v1 cpuset is born empty, and no process can enter an empty one.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if !hierarchy.is_v2() && group.join(file).exists() {
            fs::write(group.join(file), fs::read(parent.join(file))?)?;
        }
    }
    if hierarchy.is_v2() {
        fs::create_dir_all(group.join(LEAF))?;
    }
    Ok(group)
}

/// Moves this process into the groups called `name`, and returns the leaf for [`enter_leaf`].
pub(crate) fn enter(name: &str) -> Result<Option<PathBuf>> {
    let hierarchies = hierarchies()?;
    for hierarchy in &hierarchies {
        join(&hierarchy.own_group().join(name))?;
    }
    let v2 = hierarchies.iter().find(|hierarchy| hierarchy.is_v2());
    Ok(v2.map(|hierarchy| hierarchy.own_group().join(name).join(LEAF)))
}

/// Moves this process one level down on cgroup v2, below the root of its namespace. The path is
/// the one from outside, which the mounts still show.
pub(crate) fn enter_leaf(leaf: &Path) -> Result<()> {
    join(leaf)
}

fn join(group: &Path) -> Result<()> {
    fs::write(group.join("cgroup.procs"), "0").with_context(|| format!("join {}", group.display()))
}

/// Mounts every hierarchy anew where it was, so that its root is the root of the cgroup
/// namespace. Needs a private mount namespace.
pub(crate) fn remount() -> Result<()> {
    let hierarchies = hierarchies()?;
    unmount(CGROUP_ROOT, UnmountFlags::DETACH).context("umount /sys/fs/cgroup")?;
    let only_v2 = hierarchies.iter().all(|it| it.mount_point == Path::new(CGROUP_ROOT));
    if !only_v2 {
        mount("tmpfs", CGROUP_ROOT, "tmpfs", MountFlags::empty(), Some(c"mode=755"))?;
    }
    for hierarchy in hierarchies {
        let (kind, target) =
            (if hierarchy.is_v2() { "cgroup2" } else { "cgroup" }, &hierarchy.mount_point);
        fs::create_dir_all(target)?;
        let options = std::ffi::CString::new(hierarchy.controllers.as_str())?;
        mount("none", target, kind, MountFlags::empty(), Some(options.as_c_str()))
            .with_context(|| format!("mount {kind} on {}", target.display()))?;
    }
    Ok(())
}

/// Removes the groups with all below them. Their processes must have ended, but the kernel may
/// need a moment to notice.
pub(crate) fn remove(groups: &[PathBuf]) {
    for group in groups {
        for _ in 0..200 {
            remove_tree(group);
            if !group.exists() {
                break;
            }
            sleep(Duration::from_millis(10));
        }
    }
}

/// The groups that earlier trials with dead process ids left, because they were killed.
pub(crate) fn stale(is_stale: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let folders = hierarchies()?.into_iter().filter_map(|it| fs::read_dir(it.own_group()).ok());
    Ok(folders
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(&is_stale))
        .map(|entry| entry.path())
        .collect())
}

fn remove_tree(group: &Path) {
    let Ok(entries) = fs::read_dir(group) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Reads `/proc/self/cgroup` (`ID:CONTROLLERS:GROUP`) and finds the mount of each hierarchy.
/// One that is not mounted below `/sys/fs/cgroup` is passed over.
fn hierarchies() -> Result<Vec<Hierarchy>> {
    let mounts = cgroup_mounts()?;
    let groups = fs::read_to_string("/proc/self/cgroup").context("/proc/self/cgroup")?;
    Ok(groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, group) = (fields.next()?, fields.next()?);
            let (mount_point, _) = mounts.iter().find(|(_, mounted)| mounted == controllers)?;
            Some(Hierarchy {
                mount_point: mount_point.clone(),
                controllers: controllers.to_owned(),
                group: group.to_owned(),
            })
        })
        .collect())
}

/// Mount points below `/sys/fs/cgroup` with the controllers as `/proc/self/cgroup` spells them.
fn cgroup_mounts() -> Result<Vec<(PathBuf, String)>> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?;
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let (point, kind, options) = (*fields.get(1)?, *fields.get(2)?, *fields.get(3)?);
        let controllers = match kind {
            "cgroup2" => String::new(),
            "cgroup" => controllers_of(options),
            _ => return None,
        };
        point.starts_with(CGROUP_ROOT).then(|| (PathBuf::from(point), controllers))
    };
    Ok(mounts.lines().filter_map(parse).collect())
}

fn controllers_of(options: &str) -> String {
    const NOT_CONTROLLERS: [&str; 9] = [
        "rw",
        "ro",
        "relatime",
        "nosuid",
        "nodev",
        "noexec",
        "xattr",
        "clone_children",
        "seclabel",
    ];
    let is_controller =
        |word: &&str| !NOT_CONTROLLERS.contains(word) && !word.starts_with("release_agent=");
    options.split(',').filter(is_controller).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::controllers_of;

    #[test]
    fn controllers_are_told_from_mount_flags() {
        assert_eq!(controllers_of("rw,nosuid,relatime,cpu,cpuacct"), "cpu,cpuacct");
        assert_eq!(
            controllers_of("rw,relatime,xattr,release_agent=/x,name=systemd"),
            "name=systemd"
        );
    }
}
