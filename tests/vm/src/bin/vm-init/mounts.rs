//! The guest's file systems.

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_move,
};
use std::ffi::CStr;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use vm::Job;

/// Where the root to be is put together.
const NEW_ROOT: &str = "/vm-root";

/// What is needed before the root exists: device files.
pub(crate) fn first() -> Result<()> {
    mount_at("devtmpfs", "/dev", MountFlags::NOSUID, c"mode=755")
}

/// Makes the root, moves into it, and mounts the rest.
///
/// It is a mount of its own even when it shows the initramfs, because `pivot_root` refuses to
/// work in the kernel's first, unmovable mount, and the guest may want to start containers.
pub(crate) fn enter_root(job: &Job) -> Result<()> {
    fs::create_dir_all(NEW_ROOT)?;
    if job.host_root {
        mount_host_root()?;
    } else {
        mount_bind("/", NEW_ROOT).context("bind /")?;
    }
    fs::create_dir_all(Path::new(NEW_ROOT).join("dev"))?;
    mount_move("/dev", &format!("{NEW_ROOT}/dev")[..]).context("moving /dev")?;
    std::env::set_current_dir(NEW_ROOT)?;
    mount_move(".", "/").context("moving the new root to /")?;
    rustix::process::chroot(".").context("chroot")?;
    std::env::set_current_dir("/")?;
    // As every service manager does; container programs expect it.
    mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC)
        .context("making / shared")?;
    mount_the_rest(job)
}

/// The host's files, which the host lets us only read, below a layer in memory.
fn mount_host_root() -> Result<()> {
    let scratch = "/vm-scratch";
    mount_at("tmpfs", scratch, MountFlags::empty(), c"mode=755")?;
    for folder in ["host", "upper", "work"] {
        fs::create_dir(format!("{scratch}/{folder}"))?;
    }
    mount("host", "/vm-scratch/host", "virtiofs", MountFlags::RDONLY, None).context("virtiofs")?;
    let layers = c"lowerdir=/vm-scratch/host,upperdir=/vm-scratch/upper,workdir=/vm-scratch/work";
    mount("overlay", NEW_ROOT, "overlay", MountFlags::empty(), Some(layers)).context("overlay")
}

fn mount_the_rest(job: &Job) -> Result<()> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    let strict = plain | MountFlags::NOEXEC;
    mount_at("proc", "/proc", strict, c"")?;
    mount_at("sysfs", "/sys", strict, c"")?;
    mount_at(
        "devpts",
        "/dev/pts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        c"gid=5,mode=620,ptmxmode=666",
    )?;
    mount_at("tmpfs", "/dev/shm", plain, c"mode=1777")?;
    mount_at("tmpfs", "/run", plain, c"mode=755")?;
    if !uses_host_tmp(job) {
        mount_at("tmpfs", "/tmp", plain, c"mode=1777")?;
    }
    open_devices_to_all()?;
    mount_at("mqueue", "/dev/mqueue", strict, c"")?;
    mount_at("cgroup2", "/sys/fs/cgroup", strict, c"nsdelegate")?;
    for (link, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        match rustix::fs::symlink(format!("/proc/self/fd{target}"), format!("/dev/{link}")) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).context("links in /dev"),
        }
    }
    enable_controllers()
}

/// A command or working directory below the host's `/tmp` must stay visible.
fn uses_host_tmp(job: &Job) -> bool {
    let mut paths = job.command.iter().chain([&job.directory]);
    job.host_root && paths.any(|path| Path::new(path).starts_with("/tmp"))
}

/// What udev lets everybody use, where a module for it was loaded.
fn open_devices_to_all() -> Result<()> {
    for path in ["/dev/fuse", "/dev/net/tun"] {
        match fs::set_permissions(path, Permissions::from_mode(0o666)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).context(path),
            _ => {}
        }
    }
    Ok(())
}

/// Offers every controller to the groups below the root, as systemd would.
fn enable_controllers() -> Result<()> {
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")?;
    for name in controllers.split_whitespace() {
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", format!("+{name}"))
            .with_context(|| format!("enabling the {name} controller"))?;
    }
    Ok(())
}

fn mount_at(kind: &str, path: &str, flags: MountFlags, options: &CStr) -> Result<()> {
    fs::create_dir_all(path).with_context(|| path.to_owned())?;
    match mount(kind, path, kind, flags, Some(options)) {
        // The kernel may have mounted /dev itself (CONFIG_DEVTMPFS_MOUNT).
        Err(Errno::BUSY) if kind == "devtmpfs" => Ok(()),
        result => result.with_context(|| format!("mounting {kind} at {path}")),
    }
}
