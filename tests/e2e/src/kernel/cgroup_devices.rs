//! Which devices a group may use.

use anyhow::{Result, ensure};
use kernel::cgroup::{DeviceAccess, DeviceKind, DeviceRule, Entry, Resources};
use sys::rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, open};
use sys::rustix::io::Errno;
use sys::rustix::mount::{MountFlags, mount};

use super::cgroup::{create, run, see_v2_alone, unshare_mounts};
use crate::expect_eq;
use crate::support::scratch;

/// Numbers for local use, which no driver has: opening fails with ENXIO when it is allowed.
const MAJOR: u32 = 240;

const READ: DeviceAccess = DeviceAccess { read: true, write: false, mknod: false };

fn rule(allow: bool, minor: Option<u32>, access: DeviceAccess) -> DeviceRule {
    DeviceRule { allow, kind: DeviceKind::Character, major: Some(MAJOR), minor, access }
}

fn everything(allow: bool) -> DeviceRule {
    let (kind, access) = (DeviceKind::All, DeviceAccess::ALL);
    DeviceRule { allow, kind, major: None, minor: None, access }
}

/// A folder in which device nodes work; `/tmp` may be mounted so that none do.
fn allow_nodes() -> Result<()> {
    unshare_mounts()?;
    Ok(mount("none", std::env::temp_dir(), "tmpfs", MountFlags::empty(), None)?)
}

/// What a process of the group gets when it opens device 240:`minor`.
fn attempt(entry: &Entry, minor: u32, flags: OFlags) -> Result<Option<Errno>> {
    let node = scratch(&format!("node-{minor}"));
    if !node.exists() {
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, &node, FileType::CharacterDevice, mode, makedev(MAJOR, minor))?;
    }
    let errno = run(entry, || match open(&node, flags, Mode::empty()) {
        Ok(_) => 0,
        Err(errno) => errno.raw_os_error(),
    })?;
    Ok((errno != 0).then(|| Errno::from_raw_os_error(errno)))
}

pub(crate) fn only_listed_devices_open() -> Result<()> {
    allow_nodes()?;
    let devices = vec![everything(false), rule(true, Some(1), READ)];
    let group = create(Resources { devices: Some(devices), ..Resources::default() })?;
    let entry = group.entry()?;
    expect_eq!(attempt(&entry, 1, OFlags::RDONLY)?, Some(Errno::NXIO), "listed");
    expect_eq!(attempt(&entry, 1, OFlags::RDWR)?, Some(Errno::PERM), "for more than is listed");
    expect_eq!(attempt(&entry, 2, OFlags::RDONLY)?, Some(Errno::PERM), "not listed");
    let always = run(&entry, || {
        let opened = open("/dev/null", OFlags::RDWR, Mode::empty());
        let node = scratch("made-inside");
        let mode = Mode::from_raw_mode(0o600);
        let made = mknodat(CWD, &node, FileType::CharacterDevice, mode, makedev(MAJOR, 9));
        i32::from(opened.is_err() || made.is_err())
    })?;
    expect_eq!(always, 0, "null opens and nodes can be made");
    Ok(())
}

pub(crate) fn the_list_changes_while_processes_run() -> Result<()> {
    allow_nodes()?;
    let list = |devices| Resources { devices: Some(devices), ..Resources::default() };
    let group = create(list(vec![everything(false), rule(true, Some(1), READ)]))?;
    let entry = group.entry()?;
    // One list takes another's place; they do not add up.
    for devices in [
        vec![everything(false), rule(true, Some(2), READ)],
        vec![everything(true), rule(false, Some(1), READ)],
        vec![everything(false), rule(true, Some(2), DeviceAccess::ALL)],
    ] {
        group.update(&list(devices))?;
        expect_eq!(attempt(&entry, 1, OFlags::RDONLY)?, Some(Errno::PERM), "no longer listed");
        expect_eq!(attempt(&entry, 2, OFlags::RDONLY)?, Some(Errno::NXIO), "listed now");
    }
    // What is not mentioned stays.
    group.update(&Resources::default())?;
    expect_eq!(attempt(&entry, 1, OFlags::RDONLY)?, Some(Errno::PERM), "still not listed");
    Ok(())
}

pub(crate) fn a_list_that_v1_cannot_keep_is_an_error() -> Result<()> {
    let devices = vec![rule(true, None, DeviceAccess::ALL), rule(false, Some(1), READ)];
    let resources = Resources { devices: Some(devices), ..Resources::default() };
    if super::cgroup::is_v2_alone() {
        allow_nodes()?;
        let group = create(resources)?;
        expect_eq!(attempt(&group.entry()?, 1, OFlags::RDONLY)?, Some(Errno::PERM), "denied");
        return Ok(());
    }
    let Err(error) = create(resources) else { anyhow::bail!("it was accepted") };
    ensure!(error.to_string().starts_with("devices[1]: cgroup v1 cannot except"), "{error}");
    Ok(())
}

pub(crate) fn only_listed_devices_open_on_v2() -> Result<()> {
    see_v2_alone()?;
    only_listed_devices_open()
}

pub(crate) fn the_list_changes_while_processes_run_on_v2() -> Result<()> {
    see_v2_alone()?;
    the_list_changes_while_processes_run()
}
