//! What the trials of cgroups share.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use kernel::cgroup::{Cgroups, Driver, Entry, Group, Resources};
use sys::process::{Cloned, clone3_of_single_thread};
use sys::rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use sys::rustix::process::{Gid, Pid, Uid, WaitOptions, waitpid};
use sys::rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

/// A group that goes away with the trial, whatever becomes of it.
pub(super) struct Own(Box<dyn Group>);

impl std::ops::Deref for Own {
    type Target = dyn Group;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove() {
            println!("cannot remove the group: {error}");
        }
    }
}

/// The path of this trial's group from the root of every hierarchy.
pub(super) fn path() -> String {
    format!("/tinyo-e2e-{}", std::process::id())
}

/// Makes the trial's group.
pub(super) fn create(resources: Resources) -> Result<Own> {
    let cgroups = Cgroups::find(&Driver::Files, false)?;
    remove_stale(&cgroups);
    let prepared = cgroups.prepare(&cgroups.locate(Some(&path()), "unused")?, resources)?;
    Ok(Own(prepared.create()?))
}

/// Removes the groups of trials that were killed.
fn remove_stale(cgroups: &Cgroups) {
    let is_stale = |name: &str| {
        let pid = name.strip_prefix("tinyo-e2e-")?.parse::<u32>().ok()?;
        Some(!std::fs::exists(format!("/proc/{pid}")).unwrap_or(true))
    };
    for (_, place) in cgroups.mount_points() {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_stale(&name) == Some(true) {
                let path = format!("/{name}");
                let group = cgroups
                    .locate(Some(&path), "unused")
                    .and_then(|location| cgroups.prepare(&location, Resources::default()));
                // Another trial may be at it too.
                let _ = group.map(|prepared| prepared.description().open().remove());
            }
        }
    }
}

/// Its folders, of v1 and v2.
pub(super) fn folders(group: &dyn Group) -> Vec<PathBuf> {
    let description = group.description();
    let v1 = description.v1.into_iter().map(|(_, path)| path);
    v1.chain(description.v2).map(PathBuf::from).collect()
}

/// What a file of the group says, in whichever folder it is.
pub(super) fn read(group: &dyn Group, file: &str) -> Result<String> {
    for folder in folders(group) {
        if let Ok(text) = std::fs::read_to_string(folder.join(file)) {
            return Ok(text.trim_end().to_owned());
        }
    }
    bail!("no folder has {file}")
}

/// Carries out `body` in a new process of a group; its result, 0 to 255, is the process's exit code.
pub(super) fn run(entry: &Entry, body: impl FnOnce() -> i32) -> Result<i32> {
    let pid = start(entry, || std::process::exit(body()))?;
    let status = waitpid(Some(pid), WaitOptions::empty())?.context("a child")?.1;
    status.exit_status().with_context(|| format!("it did not exit: {status:?}"))
}

/// Gives this process cgroup v2 in the usual place and no v1, as far as it can see.
pub(crate) fn see_v2_alone() -> Result<()> {
    if is_v2_alone() {
        return Ok(());
    }
    unshare_mounts()?;
    unmount("/sys/fs/cgroup", UnmountFlags::DETACH)?;
    mount("none", "/sys/fs/cgroup", "cgroup2", MountFlags::empty(), None)?;
    Ok(())
}

/// Has what this process mounts concern nobody else.
pub(super) fn unshare_mounts() -> Result<()> {
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    make_mounts_private()
}

/// Has nothing of them come from, or go to, another namespace.
pub(super) fn make_mounts_private() -> Result<()> {
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Takes the tree of v2 out of this process's sight; false when nothing would be left.
pub(crate) fn see_v1_alone() -> Result<bool> {
    let is_mounted = |place: &str| std::fs::exists(format!("/sys/fs/cgroup/{place}"));
    if !is_mounted("memory/tasks")? {
        return Ok(false);
    }
    unshare_mounts()?;
    if is_mounted("unified/cgroup.procs")? {
        unmount("/sys/fs/cgroup/unified", UnmountFlags::DETACH)?;
    }
    Ok(true)
}

/// A user with rights to nothing.
pub(super) const USER: u32 = 54_325;

/// Gives up all rights.
pub(super) fn become_user() -> Result<()> {
    set_thread_groups(&[])?;
    set_thread_gid(Gid::from_raw(USER))?;
    Ok(set_thread_uid(Uid::from_raw(USER))?)
}

/// Whether this machine has nothing but v2.
pub(super) fn is_v2_alone() -> bool {
    std::fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap_or(false)
}

/// Starts a process in a group that does `body` and then nothing more.
pub(super) fn start(entry: &Entry, body: impl FnOnce()) -> Result<Pid> {
    match clone3_of_single_thread(0, entry.clone_into()).context("clone3")? {
        Cloned::Parent(pid, _) => Ok(pid),
        Cloned::Child => {
            if let Err(error) = entry.enter() {
                println!("enter: {error}");
                std::process::exit(1);
            }
            body();
            loop {
                std::thread::sleep(std::time::Duration::from_secs(1000));
            }
        }
    }
}

/// The groups of a process, as `/proc/PID/cgroup` tells them.
pub(super) fn groups_of(pid: Pid) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero()))?;
    let line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    Ok(text.lines().filter_map(line).collect())
}
