//! The root of the container: made a mount, and changed into.

use super::revealing::take_away;
use super::{Error, Propagation, PropagationKind, Step, tree};
use crate::path::Root;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::Errno;
use sys::rustix::mount::{MoveMountFlags, UnmountFlags, mount_move, move_mount, unmount};
use sys::rustix::process::{chdir, chroot, fchdir, pivot_root};

/// Sets how the mount namespace of the caller, a copy of the machine's, goes on with it.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn isolate(propagation: Propagation) -> Result<(), Error> {
    propagation.apply_to_path(c"/").map_err(Error::at(Step::Propagation, &"/"))
}

/// Makes a mount of the folder that becomes the root, at its own path, with all that is mounted
/// below.
///
/// pivot_root(2) wants a mount, and hooks look for it at its path. If the namespace is shared
/// (see [`isolate`]), the mount that the folder is on and the new one stop to be, or everything
/// that is mounted below would be on the machine too.
///
/// # Errors
/// ENOENT, EACCES, ENOTDIR for the path; EPERM.
pub fn attach_root(path: &CStr, isolation: Propagation) -> Result<Root, Error> {
    let shown = path.to_string_lossy();
    let closed = isolation.is_closed() && isolation.recursive;
    if !closed {
        close_parent(path).map_err(Error::at(Step::AttachRoot, &shown))?;
    }
    let tree = tree::of_path(path, true, &shown)?;
    if !closed {
        let private = Propagation { kind: PropagationKind::Private, recursive: false };
        private.apply(tree.as_fd(), &shown)?;
    }
    move_mount(&tree, c"", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .or_error("move_mount", || format!("{path:?}"))
        .map_err(Error::at(Step::AttachRoot, &shown))?;
    Ok(Root::from_descriptor(tree))
}

/// Makes the mount private that a path of the machine is on.
pub(super) fn close_parent(path: &CStr) -> Result<(), sys::Error> {
    let private = Propagation { kind: PropagationKind::Private, recursive: false };
    let mut path = path.to_bytes();
    loop {
        let c_path = std::ffi::CString::new(path).unwrap_or_default();
        match private.apply_to_path(&c_path) {
            // Not the root of a mount: the folder above.
            Err(error) if error.errno == Errno::INVAL && path != b"/" => {}
            result => return result,
        }
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        path = if slash == 0 { b"/" } else { &path[..slash] };
    }
}

/// Changes the root of the mount namespace to the container's and removes the machine's from it.
/// The current folder is the new root afterwards.
///
/// `isolation` is what [`isolate`] was told, and `propagation` what the container's root has in
/// the end, if anything was said about it.
///
/// # Errors
/// EINVAL if the root is no mount, or the current root is that of an initramfs: then
/// [`move_root`] is the way.
pub fn enter_root(
    root: &Root,
    isolation: Propagation,
    propagation: Option<Propagation>,
) -> Result<(), Error> {
    let failed = Error::at(Step::EnterRoot, &"/");
    let closed = isolation.is_closed() && isolation.recursive;
    let old = if closed { None } else { Some(old_root().map_err(&failed)?) };
    fchdir(root).or_error("fchdir", || "the root").map_err(&failed)?;
    // The old root is then on top of the new one, at the same place (pivot_root(2), NOTES).
    pivot_root(c".", c".").or_error("pivot_root", || "\".\", \".\"").map_err(&failed)?;
    if let Some(old) = old {
        // Else the machine's mounts would be unmounted too.
        fchdir(&old).or_error("fchdir", || "the old root").map_err(&failed)?;
        Propagation::DEFAULT.apply_to_path(c".").map_err(&failed)?;
    }
    unmount(c".", UnmountFlags::DETACH)
        .or_error("umount2", || "\".\", MNT_DETACH")
        .map_err(&failed)?;
    if !closed {
        chdir(c"/").or_error("chdir", || "\"/\"").map_err(&failed)?;
    }
    match propagation {
        Some(propagation) if propagation.kind != PropagationKind::Private => {
            propagation.apply_to_path(c"/").map_err(Error::at(Step::Propagation, &"/"))
        }
        _ => Ok(()),
    }
}

fn old_root() -> Result<OwnedFd, sys::Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, c"/", flags, Mode::empty()).or_error("openat", || "AT_FDCWD, \"/\", O_PATH")
}

/// The same where pivot_root(2) is impossible (`--no-pivot`): moves the root over `/`. The
/// machine's mounts stay below, out of sight, but for those at `revealing`
/// ([`super::whole_proc_and_sys`]).
///
/// # Errors
/// EINVAL if the root is no mount.
pub fn move_root(root: &Root, revealing: &[CString]) -> Result<(), Error> {
    let failed = Error::at(Step::EnterRoot, &"/");
    revealing.iter().try_for_each(take_away)?;
    fchdir(root).or_error("fchdir", || "the root").map_err(&failed)?;
    mount_move(c".", c"/").or_error("mount", || "\".\", \"/\", MS_MOVE").map_err(&failed)?;
    chroot(c".").or_error("chroot", || "\".\"").map_err(&failed)?;
    chdir(c"/").or_error("chdir", || "\"/\"").map_err(failed)
}
