//! Writes to procfs on which security depends.

use std::fs;
use std::path::PathBuf;

use ::kernel::path::Procfs;
use ::kernel::sysctl::{Owned, Sysctl};
use anyhow::Result;
use sys::rustix::mount::mount_bind;

use super::jail;
use crate::expect_eq;
use crate::support::scratch;

const NETWORK: u64 = libc::CLONE_NEWNET as u64;

fn forwarding() -> Result<Sysctl> {
    let owned = Owned { network: true, ..Owned::default() };
    Ok(Sysctl::parse("net.ipv4.ip_forward", "1", owned)?)
}

pub(crate) fn a_parameter_is_set_in_the_containers_namespace() -> Result<()> {
    let machine = fs::read("/proc/sys/net/ipv4/ip_forward")?;
    let child = crate::support::sys::fork(0, || {
        let set = || -> Result<()> {
            sys::process::unshare_namespaces(NETWORK)?;
            forwarding()?.apply(&Procfs::open()?)?;
            expect_eq!(fs::read("/proc/sys/net/ipv4/ip_forward")?, b"1\n");
            Ok(())
        };
        set().map_or_else(
            |error| {
                eprintln!("{error:#}");
                1
            },
            |()| 0,
        )
    })?;
    let (_, change) = crate::support::sys::wait(child, 0)?.expect("it ends");
    expect_eq!(change, crate::support::sys::Change::Exited(0));
    expect_eq!(fs::read("/proc/sys/net/ipv4/ip_forward")?, machine);
    Ok(())
}

/// A file of the container mounted over the parameter would swallow the value, and over
/// `/proc/self/attr/exec` the label.
pub(crate) fn a_file_mounted_over_a_parameter_is_not_written() -> Result<()> {
    sys::process::unshare_namespaces(NETWORK | jail::MOUNTS)?;
    ::kernel::mount::isolate(::kernel::mount::Propagation::DEFAULT)?;
    let trap = scratch("trap");
    fs::write(&trap, "")?;
    mount_bind(&trap, "/proc/sys/net/ipv4/ip_forward")?;
    forwarding()?.apply(&Procfs::open()?)?;
    expect_eq!(fs::read(&trap)?, b"");
    sys::rustix::mount::unmount(
        "/proc/sys/net/ipv4/ip_forward",
        sys::rustix::mount::UnmountFlags::DETACH,
    )?;
    expect_eq!(fs::read("/proc/sys/net/ipv4/ip_forward")?, b"1\n");
    Ok(())
}

/// Makes namespaces in which no new procfs can be mounted, and returns a file.
fn mask_proc_and_become_user() -> Result<PathBuf> {
    sys::process::unshare_namespaces(NETWORK | jail::MOUNTS)?;
    ::kernel::mount::isolate(::kernel::mount::Propagation::DEFAULT)?;
    let trap = scratch("trap");
    fs::write(&trap, "")?;
    mount_bind(&trap, "/proc/timer_list")?;
    jail::become_user()?;
    sys::process::unshare_namespaces(NETWORK | jail::MOUNTS)?;
    Ok(trap)
}

/// Where no new procfs can be made: a user namespace that sees only a masked one.
pub(crate) fn with_a_masked_proc_a_trap_is_an_error() -> Result<()> {
    let trap = mask_proc_and_become_user()?;
    let procfs = Procfs::open()?;
    forwarding()?.apply(&procfs)?;
    expect_eq!(fs::read("/proc/sys/net/ipv4/ip_forward")?, b"1\n");
    mount_bind(&trap, "/proc/sys/net/ipv4/ip_forward")?;
    let error = forwarding()?.apply(&procfs).unwrap_err().to_string();
    expect_eq!(error.contains("errno 18"), true, "{error}");
    expect_eq!(fs::read(&trap)?, b"");
    Ok(())
}

pub(crate) fn a_proc_that_is_none_is_not_written() -> Result<()> {
    mask_proc_and_become_user()?;
    mount_bind("/proc/self", "/proc")?;
    let error = Procfs::open().unwrap_err().to_string();
    expect_eq!(error.contains("not the root of a procfs"), true, "{error}");
    Ok(())
}
