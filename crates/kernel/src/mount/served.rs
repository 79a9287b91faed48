//! A file system that a program serves, fuse(4), mounted nowhere until it is the container's root.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

/// Such a file system.
#[derive(Debug)]
pub struct Served {
    /// Its root. Whoever looks at it waits until it is served.
    pub tree: OwnedFd,
    /// What the program that serves it gets. It ends when nobody has this any more: let it be that
    /// program alone.
    pub device: OwnedFd,
}

impl Served {
    /// Mounts one where nobody sees it. All processes of this user namespace, and of those in it,
    /// may use it as the modes of its files say, and no others.
    ///
    /// # Errors
    /// ENOENT for `/dev/fuse`; EPERM without CAP_SYS_ADMIN over the mount namespace, and before
    /// Linux 4.18 in a user namespace.
    pub fn mount(kind: &str) -> Result<Served, sys::Error> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let device = openat(CWD, c"/dev/fuse", flags, Mode::empty())
            .or_error("openat", || "\"/dev/fuse\", O_RDWR")?;
        let opened =
            fsopen(c"fuse", FsOpenFlags::FSOPEN_CLOEXEC).or_error("fsopen", || "\"fuse\"")?;
        let number = device.as_raw_fd().to_string();
        let options: [(&CStr, &str); 6] = [
            (c"source", kind),
            (c"subtype", kind),
            (c"fd", &number),
            // A folder, that of root.
            (c"rootmode", "40000"),
            (c"user_id", "0"),
            (c"group_id", "0"),
        ];
        for (key, value) in options {
            fsconfig_set_string(opened.as_fd(), key, value)
                .or_error("fsconfig", || format!("{key:?}, {value:?}"))?;
        }
        for key in [c"allow_other", c"default_permissions"] {
            fsconfig_set_flag(opened.as_fd(), key).or_error("fsconfig", || format!("{key:?}"))?;
        }
        fsconfig_create(opened.as_fd()).or_error("fsconfig", || "\"fuse\", FSCONFIG_CMD_CREATE")?;
        let tree = fsmount(opened.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
            .or_error("fsmount", || "\"fuse\"")?;
        Ok(Served { tree, device })
    }
}
