//! Layers seen as one file system: overlayfs, mounted nowhere until it is the container's root.

use super::root::close_parent;
use super::{Error, Propagation, Step};
use crate::path::{Resolver, Root};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::Errno;
use sys::rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use sys::rustix::process::{chdir, fchdir};

/// An overlay that can be mounted.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// Folders that are only read, the uppermost first; at least one.
    pub layers: Vec<CString>,
    /// Where changes go, and an empty folder on the same disk; without them it is read-only, and
    /// two layers are the least.
    pub changes: Option<(CString, CString)>,
    /// Nothing is written to the disk when it is unmounted: for changes that are thrown away.
    pub volatile: bool,
    /// The marks of the layers are in `user.overlay.*`, as an unprivileged user has unpacked them.
    pub user_marks: bool,
}

impl Overlay {
    /// Mounts it where nobody sees it; the descriptor is of its root.
    ///
    /// The folders are opened here, since they must be in the mount namespace of whoever mounts
    /// it. They are named by their descriptors: paths may be too long for the kernel, and may have
    /// commas and colons in them, and nobody learns from the mount where they are.
    ///
    /// # Errors
    /// EINVAL if a folder is on a file system that cannot be a layer, EPERM, E2BIG for more layers
    /// than this kernel takes.
    pub fn detached(&self) -> Result<OwnedFd, sys::Error> {
        let layers = self.layers.iter().map(|layer| open(layer)).collect::<Result<Vec<_>, _>>()?;
        let context = match self.created(&layers, set_each) {
            // The option is of Linux 6.8, and before 6.5 it is refused only in the end.
            Err(error) if error.errno == Errno::INVAL => self.created(&layers, set_list)?,
            result => result?,
        };
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
            .or_error("fsmount", || "\"overlay\"")
    }

    fn created(
        &self,
        layers: &[OwnedFd],
        set_layers: fn(BorrowedFd<'_>, &[OwnedFd]) -> Result<(), sys::Error>,
    ) -> Result<OwnedFd, sys::Error> {
        let opened =
            fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).or_error("fsopen", || "\"overlay\"")?;
        let context = opened.as_fd();
        set(context, c"source", "overlay")?;
        // Open until the end: an older kernel follows the paths only then.
        let changes = match &self.changes {
            Some((upper, work)) => Some((open(upper)?, open(work)?)),
            None => None,
        };
        if let Some((upper, work)) = &changes {
            set(context, c"upperdir", &path(upper))?;
            set(context, c"workdir", &path(work))?;
            if self.volatile {
                set_flag(context, c"volatile")?;
            }
        }
        if self.user_marks {
            set_flag(context, c"userxattr")?;
        }
        set_layers(context, layers)?;
        Ok(opened)
    }
}

/// One option a layer.
fn set_each(context: BorrowedFd<'_>, layers: &[OwnedFd]) -> Result<(), sys::Error> {
    layers.iter().try_for_each(|layer| set(context, c"lowerdir+", &path(layer)))?;
    create(context)
}

/// All layers in one option, which has 255 bytes: their numbers, in the folder that has a link of
/// this name for each descriptor.
fn set_list(context: BorrowedFd<'_>, layers: &[OwnedFd]) -> Result<(), sys::Error> {
    let numbers: Vec<String> = layers.iter().map(|layer| layer.as_raw_fd().to_string()).collect();
    let here = open(c".")?;
    chdir(c"/proc/self/fd").or_error("chdir", || "\"/proc/self/fd\"")?;
    let result = set(context, c"lowerdir", &numbers.join(":")).and_then(|()| create(context));
    fchdir(&here).or_error("fchdir", || "the folder from before")?;
    result
}

/// Mounts an overlay on a folder of the machine, in the caller's mount namespace alone; see
/// [`super::attach_root`].
///
/// # Errors
/// As [`Overlay::detached`]; ENOENT for the path.
pub fn attach_overlay(
    overlay: &Overlay,
    target: &CStr,
    isolation: Propagation,
    resolver: Resolver,
) -> Result<Root, Error> {
    let shown = target.to_string_lossy();
    let failed = Error::at(Step::AttachRoot, &shown);
    if !(isolation.is_closed() && isolation.recursive) {
        close_parent(target).map_err(&failed)?;
    }
    let tree = overlay.detached().map_err(&failed)?;
    move_mount(&tree, c"", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .or_error("move_mount", || format!("{target:?}"))
        .map_err(&failed)?;
    Ok(Root::from_descriptor(tree, resolver))
}

fn open(path: &CStr) -> Result<OwnedFd, sys::Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).or_error("openat", || format!("{path:?}"))
}

fn path(folder: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", folder.as_raw_fd())
}

fn create(context: BorrowedFd<'_>) -> Result<(), sys::Error> {
    fsconfig_create(context).or_error("fsconfig", || "\"overlay\", FSCONFIG_CMD_CREATE")
}

fn set(context: BorrowedFd<'_>, key: &CStr, value: &str) -> Result<(), sys::Error> {
    fsconfig_set_string(context, key, value).or_error("fsconfig", || format!("{key:?}, {value:?}"))
}

fn set_flag(context: BorrowedFd<'_>, key: &CStr) -> Result<(), sys::Error> {
    fsconfig_set_flag(context, key).or_error("fsconfig", || format!("{key:?}"))
}
