//! Mounts: what a container gets, and what it must not get.

use std::fs;

use ::kernel::mount::{Assembly, AttributeCall, Propagation, enter_root};
use anyhow::Result;

use super::jail::{self, mounted, parse, rooted};
use crate::expect_eq;

/// As `runc spec` has them, but for the cgroups.
const DEFAULT: [&str; 6] = [
    "proc /proc proc -",
    "tmpfs /dev tmpfs nosuid,strictatime,mode=755,size=65536k",
    "devpts /dev/pts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
    "shm /dev/shm tmpfs nosuid,noexec,nodev,mode=1777,size=65536k",
    "mqueue /dev/mqueue mqueue nosuid,noexec,nodev",
    "sysfs /sys sysfs nosuid,noexec,nodev,ro",
];

const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/no_such_file",
    "/proc/cpuinfo/below_a_file",
    "/proc/scsi",
    "/sys/firmware",
];

pub(crate) fn the_default_mounts_of_a_container() -> Result<()> {
    default_mounts(AttributeCall::MountSetattr)
}

pub(crate) fn the_default_mounts_on_an_old_kernel() -> Result<()> {
    default_mounts(AttributeCall::Remount)
}

fn default_mounts(call: AttributeCall) -> Result<()> {
    let root = jail::enter(&jail::folder("root")?)?;
    let mut assembly = Assembly::with(&root, false, call);
    for line in DEFAULT {
        let mut mount = parse(line)?;
        mount.keep = mount.target == rooted("/dev");
        assembly.mount(&mount)?;
    }
    assembly.mask(&MASKED.map(rooted), "")?;
    assembly.protect(&["/proc/sys", "/proc/none"].map(rooted))?;
    assembly.protect_root()?;
    assembly.finish()?;
    enter_root(&root, Propagation::DEFAULT, None)?;

    for (place, kind, options) in [
        ("/", None, "ro"),
        ("/proc", Some("proc"), "rw,relatime"),
        ("/dev", Some("tmpfs"), "rw,nosuid"),
        ("/dev/pts", Some("devpts"), "rw,nosuid,noexec,relatime"),
        ("/dev/shm", Some("tmpfs"), "rw,nosuid,nodev,noexec,relatime"),
        ("/dev/mqueue", Some("mqueue"), "rw,nosuid,nodev,noexec,relatime"),
        ("/sys", Some("sysfs"), "ro,nosuid,nodev,noexec,relatime"),
        ("/proc/sys", Some("proc"), "ro,relatime"),
        ("/sys/firmware", Some("tmpfs"), "ro,nosuid,nodev,noexec,relatime"),
    ] {
        let line = mounted(place)?;
        if let Some(kind) = kind {
            expect_eq!(line.kind, kind, "{place}");
        }
        let read_only = line.options.split(',').next().unwrap_or_default();
        let wanted = if kind.is_none() { read_only } else { &line.options };
        expect_eq!(wanted, options, "{place}");
        expect_eq!(line.optional.contains("shared"), false, "{place}");
    }
    let devpts = mounted("/dev/pts")?;
    expect_eq!(devpts.super_options, "rw,gid=5,mode=620,ptmxmode=666");
    expect_eq!(fs::read("/proc/timer_list")?, b"");
    expect_eq!(fs::read_dir("/sys/firmware")?.count(), 0);
    expect_eq!(fs::write("/sys/firmware/x", "").is_err(), true);
    // Nothing of the machine is left.
    expect_eq!(fs::exists("/usr")?, false);
    let outside = jail::mounts()?
        .into_iter()
        .filter(|line| !["/", "/proc", "/dev", "/sys"].iter().any(|it| line.place.starts_with(it)));
    expect_eq!(outside.count(), 0);
    Ok(())
}
