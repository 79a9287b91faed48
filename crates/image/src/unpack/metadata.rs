//! Owners, modes, attributes and times.

use super::folders::display;
use crate::tar::{Entry, Time};
use std::os::fd::{AsRawFd, BorrowedFd};
use sys::rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, futimens, lsetxattr, utimensat,
};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// Sets the owner of whatever has this name.
pub(super) fn set_owner(
    folder: BorrowedFd<'_>,
    name: &[u8],
    (user, group): (u32, u32),
) -> Result<(), Error> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
        .or_error("fchownat", || format!("{}, {user:?}, {group:?}", display(name)))
}

/// Sets the owner of an open file.
pub(super) fn set_file_owner(file: BorrowedFd<'_>, (user, group): (u32, u32)) -> Result<(), Error> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    fchown(file, Some(user), Some(group)).or_error("fchown", || format!("{user:?}, {group:?}"))
}

/// Sets the mode of what this process itself has just made under this name, which is no link.
pub(super) fn set_mode(folder: BorrowedFd<'_>, name: &[u8], mode: Mode) -> Result<(), Error> {
    chmodat(folder, name, mode, AtFlags::empty())
        .or_error("fchmodat", || format!("{}, {mode:?}", display(name)))
}

/// Sets the mode of an open file.
pub(super) fn set_file_mode(file: BorrowedFd<'_>, mode: Mode) -> Result<(), Error> {
    fchmod(file, mode).or_error("fchmod", || format!("{mode:?}"))
}

/// The times to set. The kernel needs both; a layer seldom has the first.
fn timestamps(modified: Time, accessed: Option<Time>) -> Timestamps {
    let timespec = |time: Time| Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    let accessed = accessed.unwrap_or(modified);
    Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) }
}

/// Sets the times of whatever has this name.
pub(super) fn set_times(
    folder: BorrowedFd<'_>,
    name: &[u8],
    modified: Time,
    accessed: Option<Time>,
) -> Result<(), Error> {
    let times = timestamps(modified, accessed);
    utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)
        .or_error("utimensat", || display(name))
}

/// Makes an open file or folder what an entry says, but for its times.
pub(crate) fn make_like(file: BorrowedFd<'_>, entry: &Entry) -> Result<(), Error> {
    set_file_owner(file, (entry.user, entry.group))?;
    set_file_mode(file, Mode::from_raw_mode(entry.mode))?;
    set_attributes(Target::Open(file), entry, |_| ())
}

/// Sets the times of an open file or folder.
pub(crate) fn set_file_times(
    file: BorrowedFd<'_>,
    modified: Time,
    accessed: Option<Time>,
) -> Result<(), Error> {
    futimens(file, &timestamps(modified, accessed)).or_error("futimens", String::new)
}

/// What the attributes are set on.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// An open file or folder.
    Open(BorrowedFd<'a>),
    /// What must not be opened: a link, a device, a pipe.
    Named(BorrowedFd<'a>, &'a [u8]),
}

/// Sets the attributes that a layer may have, and tells of those that could not be kept.
pub(super) fn set_attributes(
    target: Target<'_>,
    entry: &Entry,
    mut skipped: impl FnMut(String),
) -> Result<(), Error> {
    for (name, value) in &entry.attributes {
        if is_ignored(name) {
            continue;
        }
        let arguments = || format!("{}, {}", display(entry.name.as_bytes()), display(name));
        match set_attribute(target, name, value) {
            // The file system has none, or this process may not: the file is there all the same.
            Err(Errno::OPNOTSUPP | Errno::PERM) => {
                skipped(format!("its attribute {}", String::from_utf8_lossy(name)));
            }
            result => result.or_error("setxattr", arguments)?,
        }
    }
    Ok(())
}

fn set_attribute(target: Target<'_>, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    match target {
        Target::Open(file) => fsetxattr(file, name, value, XattrFlags::empty()),
        Target::Named(folder, file) => {
            // There is no call for a name in a folder before Linux 6.13. The folder's own link in
            // /proc leads to itself, and the last part is not followed.
            let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
            path.extend_from_slice(file);
            lsetxattr(path, name, value, XattrFlags::empty())
        }
    }
}

/// What would make overlayfs or `fuse-overlayfs` look elsewhere, or is about the machine that made the layer.
pub(crate) fn is_ignored(attribute: &[u8]) -> bool {
    let prefixes =
        [&b"trusted.overlay."[..], b"user.overlay.", b"user.fuseoverlayfs.", b"user.containers."];
    let names = [&b"security.selinux"[..], b"security.ima", b"security.evm", b"security.SMACK64"];
    prefixes.iter().any(|prefix| attribute.starts_with(prefix)) || names.contains(&attribute)
}

/// Whether what is made in a folder afterwards would be changed by this attribute of it.
pub(super) fn is_inherited(attribute: &[u8]) -> bool {
    attribute == b"system.posix_acl_default"
}
