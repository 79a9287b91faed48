//! Attributes of a mount: read-only, no devices, access times, ...

use super::{Error, Step};
use std::fmt::Display;
use std::os::fd::{AsRawFd, BorrowedFd};
use sys::OrError;
use sys::mount::{
    Change, MOUNT_ATTR_ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME, mount_setattr,
};
use sys::rustix::fs::{StatVfsMountFlags, fstatvfs};
use sys::rustix::io::Errno;
use sys::rustix::mount::{MountFlags, mount_remount};

/// Attributes of a mount to set and to clear, the rest left as they are: `MOUNT_ATTR_*` of
/// mount_setattr(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// To set. Never one that is also in `clear`, but for the field of access times.
    pub set: u64,
    /// To clear.
    pub clear: u64,
}

impl Attributes {
    /// Read-only.
    pub const READ_ONLY: Attributes = Attributes { set: MOUNT_ATTR_RDONLY, clear: 0 };

    /// Nothing forbidden.
    pub(super) const UNRESTRICTED: Attributes = Attributes {
        set: 0,
        clear: MOUNT_ATTR_RDONLY
            | MOUNT_ATTR_NOSUID
            | MOUNT_ATTR_NODEV
            | MOUNT_ATTR_NOEXEC
            | MOUNT_ATTR_NOSYMFOLLOW,
    };

    /// The same without what others set or clear.
    pub(super) fn without(self, others: Attributes) -> Attributes {
        let all = others.set | others.clear;
        Attributes { set: self.set & !all, clear: self.clear & !all }
    }

    /// Nothing to change.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Attributes::default()
    }

    /// Whether it makes read-only.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        self.set & MOUNT_ATTR_RDONLY != 0
    }

    /// The same without read-only, neither set nor cleared.
    #[must_use]
    pub fn without_read_only(self) -> Attributes {
        Attributes { set: self.set & !MOUNT_ATTR_RDONLY, clear: self.clear & !MOUNT_ATTR_RDONLY }
    }

    /// These changes, and then `later`.
    #[must_use]
    pub fn then(self, later: Attributes) -> Attributes {
        Attributes {
            set: self.set & !later.clear | later.set,
            // The field of access times is always cleared to be set.
            clear: (self.clear | later.clear) & !(later.set & !MOUNT_ATTR_ATIME),
        }
    }

    /// The flags of mount(2) for a new mount with these attributes.
    pub(super) fn mount_flags(self) -> MountFlags {
        let mut flags = MountFlags::empty();
        for (attribute, flag) in [
            (MOUNT_ATTR_RDONLY, MountFlags::RDONLY),
            (MOUNT_ATTR_NOSUID, MountFlags::NOSUID),
            (MOUNT_ATTR_NODEV, MountFlags::NODEV),
            (MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC),
            (MOUNT_ATTR_NOATIME, MountFlags::NOATIME),
            (MOUNT_ATTR_STRICTATIME, MountFlags::STRICTATIME),
            (MOUNT_ATTR_NODIRATIME, MountFlags::NODIRATIME),
            (MOUNT_ATTR_NOSYMFOLLOW, MountFlags::NOSYMFOLLOW),
        ] {
            if self.set & attribute != 0 {
                flags |= flag;
            }
        }
        flags
    }
}

/// How attributes of a mount are changed; an older kernel is found out at the first try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeCall {
    /// mount_setattr(2), Linux 5.12.
    MountSetattr,
    /// mount(2) with `MS_REMOUNT|MS_BIND`: only once the mount is attached, never recursive.
    Remount,
}

/// Changes a detached or attached mount by its descriptor. `Ok(false)` means that the kernel is
/// too old to do that before it is attached: then [`remount`] does it afterwards.
pub(super) fn change(
    call: &mut AttributeCall,
    mount: BorrowedFd<'_>,
    path: &impl Display,
    recursive: bool,
    attributes: Attributes,
) -> Result<bool, Error> {
    if *call == AttributeCall::MountSetattr {
        let Attributes { set, clear } = attributes;
        let change = Change { set, clear, ..Change::default() };
        match mount_setattr(mount, c"", recursive, &change) {
            Err(Errno::NOSYS) => *call = AttributeCall::Remount,
            result => {
                return result
                    .map(|()| true)
                    .or_error("mount_setattr", || {
                        let recursive = if recursive { "|AT_RECURSIVE" } else { "" };
                        let mount = mount.as_raw_fd();
                        format!("{mount}, AT_EMPTY_PATH{recursive}, +{set:#x} -{clear:#x}")
                    })
                    .map_err(Error::at(Step::Attributes, path));
            }
        }
    }
    if recursive {
        let error = Errno::NOSYS;
        return Err(error)
            .or_error("mount_setattr", || "AT_RECURSIVE: Linux 5.12 is the first that can")
            .map_err(Error::at(Step::Attributes, path));
    }
    Ok(false)
}

/// Changes an attached mount by its descriptor without mount_setattr.
///
/// It goes through `/proc/self/fd`, so the caller's `/proc` must be the machine's.
pub(super) fn remount(
    mount: BorrowedFd<'_>,
    path: &impl Display,
    attributes: Attributes,
) -> Result<(), Error> {
    let change = || {
        let arguments = || mount.as_raw_fd().to_string();
        let present = fstatvfs(mount).or_error("fstatvfs", arguments)?.f_flag;
        let flags = present_attributes(present).then(attributes).mount_flags() | MountFlags::BIND;
        let place = format!("/proc/self/fd/{}", mount.as_raw_fd());
        mount_remount(place.as_str(), flags, c"")
            .or_error("mount", || format!("{place:?}, MS_REMOUNT|{flags:?}"))
    };
    change().map_err(Error::at(Step::Attributes, path))
}

/// The attributes that a mount has, from statvfs(3).
fn present_attributes(flags: StatVfsMountFlags) -> Attributes {
    let mut set = 0;
    for (flag, attribute) in [
        (StatVfsMountFlags::RDONLY, MOUNT_ATTR_RDONLY),
        (StatVfsMountFlags::NOSUID, MOUNT_ATTR_NOSUID),
        (StatVfsMountFlags::NODEV, MOUNT_ATTR_NODEV),
        (StatVfsMountFlags::NOEXEC, MOUNT_ATTR_NOEXEC),
        (StatVfsMountFlags::NOATIME, MOUNT_ATTR_NOATIME),
        (StatVfsMountFlags::NODIRATIME, MOUNT_ATTR_NODIRATIME),
        // ST_NOSYMFOLLOW, Linux 5.10.
        (StatVfsMountFlags::from_bits_retain(0x2000), MOUNT_ATTR_NOSYMFOLLOW),
    ] {
        if flags.contains(flag) {
            set |= attribute;
        }
    }
    if !flags.intersects(StatVfsMountFlags::NOATIME | StatVfsMountFlags::RELATIME) {
        set |= MOUNT_ATTR_STRICTATIME;
    }
    Attributes { set, clear: 0 }
}
