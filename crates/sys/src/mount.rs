//! Attributes of mounts: mount_setattr(2).

#![allow(unsafe_code)]

use crate::call;
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Read-only.
pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
/// Set-user-ID, set-group-ID bits and file capabilities have no effect.
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
/// Device files do not work.
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
/// Nothing can be executed.
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
/// The field of the three ways to update access times. To set one, the whole field is cleared.
pub const MOUNT_ATTR_ATIME: u64 = 0x70;
/// Access times are updated when older than the modification or a day.
pub const MOUNT_ATTR_RELATIME: u64 = 0x0;
/// Access times are not updated.
pub const MOUNT_ATTR_NOATIME: u64 = 0x10;
/// Access times are always updated.
pub const MOUNT_ATTR_STRICTATIME: u64 = 0x20;
/// Access times of folders are not updated.
pub const MOUNT_ATTR_NODIRATIME: u64 = 0x80;
/// Ids are mapped as in the user namespace given. Linux 5.12.
pub const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
/// Symbolic links are not followed. Linux 5.14.
pub const MOUNT_ATTR_NOSYMFOLLOW: u64 = 0x20_0000;

/// What to change of a mount: `struct mount_attr`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear, before those to set are set.
    pub clear: u64,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`; 0 leaves the propagation alone.
    pub propagation: u64,
    /// The user namespace for [`MOUNT_ATTR_IDMAP`].
    pub user_namespace: Option<BorrowedFd<'a>>,
}

/// `struct mount_attr`, `MOUNT_ATTR_SIZE_VER0`.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// `int mount_setattr(int dirfd, const char *path, unsigned flags, struct mount_attr *, size_t)`,
/// mount_setattr(2), Linux 5.12: changes the mount at `path` below `directory`, or `directory`
/// itself if the path is empty, and with `recursive` all mounts below it too, or none of them.
///
/// # Errors
/// ENOSYS on an older kernel. EINVAL if this is not the root of a mount, the flags contradict each
/// other, or the file system has no idmapped mounts; EPERM without CAP_SYS_ADMIN, and for
/// attributes that are locked in a user namespace.
pub fn mount_setattr(
    directory: BorrowedFd<'_>,
    path: &CStr,
    recursive: bool,
    change: &Change<'_>,
) -> Result<(), Errno> {
    let mut flags = 0;
    if path.is_empty() {
        flags |= libc::AT_EMPTY_PATH;
    }
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    let attributes = MountAttr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: change.user_namespace.map_or(0, |it| it.as_raw_fd().unsigned_abs().into()),
    };
    // SAFETY: the path ends with NUL, the structure has the size passed, and both outlive the
    // call, which only reads them.
    call::done(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory.as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    })
}
