//! What the tests of the runtime use: bundles, containers made of them, and their cgroups.

pub(super) mod bundle;
pub(super) mod container;
pub(super) mod groups;

pub(super) use bundle::Bundle;
pub(super) use container::Container;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rustix::mount::{MountPropagationFlags, mount_change};

/// The runtime under test: `$TINYORT_BIN`, or `tinyort` beside this executable. Without it, or
/// without root, the trial is skipped.
pub(super) fn runtime() -> Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        harness::skip("needs root")?;
    }
    let path = match std::env::var_os("TINYORT_BIN") {
        Some(path) => PathBuf::from(path),
        None => crate::support::own_program().with_file_name("tinyort"),
    };
    if !path.is_file() {
        harness::skip(format!("there is no runtime at {}", path.display()))?;
    }
    Ok(path)
}

/// Has what this trial mounts concern nobody else; the runtimes that it starts see it.
pub(super) fn unshare_mounts() -> Result<()> {
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}
