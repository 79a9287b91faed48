//! Kernel parameters that networks of containers need.

use crate::Error;
use std::ffi::CString;
use sys::OrError;
use sys::rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use sys::rustix::io::{Errno, read, retry_on_intr, write};

/// Lets the machine pass on packets between its devices, where it does not yet.
///
/// For IPv6 that would also stop it from hearing routers, where its own routes come from: a
/// device that listens to them goes on doing so.
pub(super) fn forward() -> Result<(), Error> {
    let failed = |name: &str| Error::doing(format!("turn on forwarding with {name}"));
    let parameter = "ipv4/ip_forward";
    if get(parameter).map_err(failed(parameter))? != "1" {
        set(parameter, "1").map_err(failed(parameter))?;
    }
    let parameter = "ipv6/conf/all/forwarding";
    let value = get(parameter);
    // Without IPv6.
    if value.as_ref().is_err_and(|error| error.errno == Errno::NOENT) {
        return Ok(());
    }
    if value.map_err(failed(parameter))? == "1" {
        return Ok(());
    }
    for device in devices_of_ipv6().map_err(failed(parameter))? {
        let accept = format!("ipv6/conf/{device}/accept_ra");
        // A device may go away in between.
        if get(&accept).is_ok_and(|value| value == "1") {
            let result = set(&accept, "2");
            result.or_else(unless_gone).map_err(failed(parameter))?;
        }
    }
    set(parameter, "1").map_err(failed(parameter))
}

/// What a bridge needs: packets of the machine's loopback may leave through it (for published
/// ports), and no container is believed to be a router.
pub(super) fn prepare_bridge(name: &str) -> Result<(), Error> {
    let settings = [
        (format!("ipv4/conf/{name}/route_localnet"), "1"),
        (format!("ipv6/conf/{name}/accept_ra"), "0"),
    ];
    for (parameter, value) in settings {
        set(&parameter, value)
            .or_else(unless_gone)
            .map_err(Error::doing(format!("prepare the bridge {name}")))?;
    }
    Ok(())
}

/// What the device of a container needs: no other container is believed to be its router.
pub(super) fn prepare_device(name: &str) -> Result<(), sys::Error> {
    set(&format!("ipv6/conf/{name}/accept_ra"), "0").or_else(unless_gone)
}

fn unless_gone(error: sys::Error) -> Result<(), sys::Error> {
    if error.errno == Errno::NOENT { Ok(()) } else { Err(error) }
}

fn devices_of_ipv6() -> Result<Vec<String>, sys::Error> {
    let path = "/proc/sys/net/ipv6/conf";
    let folder = open("ipv6/conf", OFlags::RDONLY | OFlags::DIRECTORY)?;
    let entries = Dir::new(folder).or_error("fdopendir", || format!("{path:?}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.or_error("getdents64", || format!("{path:?}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn get(parameter: &str) -> Result<String, sys::Error> {
    let file = open(parameter, OFlags::RDONLY)?;
    let mut bytes = [0; 64];
    let length = retry_on_intr(|| read(&file, bytes.as_mut_slice()))
        .or_error("read", || format!("\"/proc/sys/net/{parameter}\""))?;
    Ok(String::from_utf8_lossy(&bytes[..length]).trim().to_owned())
}

fn set(parameter: &str, value: &str) -> Result<(), sys::Error> {
    let file = open(parameter, OFlags::WRONLY)?;
    retry_on_intr(|| write(&file, value.as_bytes()))
        .or_error("write", || format!("{value:?} to \"/proc/sys/net/{parameter}\""))
        .map(drop)
}

fn open(parameter: &str, flags: OFlags) -> Result<sys::rustix::fd::OwnedFd, sys::Error> {
    let path = format!("/proc/sys/net/{parameter}");
    let name = CString::new(path.as_str()).map_err(|_| Errno::INVAL);
    let name = name.or_error("openat", || format!("{path:?}"))?;
    openat(CWD, &name, flags | OFlags::CLOEXEC, Mode::empty())
        .or_error("openat", || format!("{path:?}, {flags:?}"))
}
