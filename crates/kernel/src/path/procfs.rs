//! A procfs that no container can have touched.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{
    CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstat, fstatfs, openat, openat2,
};
use sys::rustix::io::{Errno, retry_on_intr, write};
use sys::rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen,
};

/// The number of the root folder of every procfs.
const ROOT_INODE: u64 = 1;

/// A procfs for writes on which security depends: labels, sysctl, ids.
///
/// If possible it is a new one that is mounted nowhere, so that nothing can be mounted over its
/// files. Else, in a user namespace whose `/proc` is masked, it is the caller's `/proc`, checked
/// to be one, and every file is opened without crossing into another mount. It keeps its worth
/// after the root was changed: make it before.
#[derive(Debug)]
pub struct Procfs {
    root: OwnedFd,
    /// Whether something may be mounted over its files.
    exposed: bool,
}

impl Procfs {
    /// A procfs for the PID namespace of the caller.
    ///
    /// # Errors
    /// ENOTDIR where the caller's is none.
    pub fn open() -> Result<Procfs, sys::Error> {
        match detached() {
            Ok(root) => Ok(Procfs { root, exposed: false }),
            Err(_) => Ok(Procfs { root: of_caller()?, exposed: true }),
        }
    }

    /// A file or folder in it, such as `sys/kernel`.
    ///
    /// # Errors
    /// ENOENT, EACCES; EXDEV if something is mounted over it; ENOSYS where only openat2(2), Linux
    /// 5.6, could tell whether something is.
    pub fn open_at(&self, path: &CStr, flags: OFlags) -> Result<OwnedFd, sys::Error> {
        let flags = flags | OFlags::CLOEXEC;
        let result = if self.exposed {
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
            openat2(&self.root, path, flags, Mode::empty(), resolve)
        } else {
            openat(&self.root, path, flags, Mode::empty())
        };
        result.or_error("openat", || format!("/proc, {path:?}, {flags:?}"))
    }

    /// Writes a file in it, in one call.
    ///
    /// # Errors
    /// As [`Procfs::open_at`], and whatever the file answers; EIO if it took only a part.
    pub fn write(&self, path: &CStr, content: &[u8]) -> Result<(), sys::Error> {
        let arguments = || format!("{:?} to /proc, {path:?}", String::from_utf8_lossy(content));
        let file = self.open_at(path, OFlags::WRONLY)?;
        let written = retry_on_intr(|| write(&file, content)).or_error("write", arguments)?;
        if written == content.len() { Ok(()) } else { Err(Errno::IO).or_error("write", arguments) }
    }

    /// Opens what an `O_PATH` descriptor names, for what `flags` say.
    ///
    /// # Errors
    /// EACCES, ETXTBSY and others of open(2).
    pub fn reopen(&self, place: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd, sys::Error> {
        let folder = self.open_at(c"self/fd", OFlags::PATH | OFlags::DIRECTORY)?;
        let name = place.as_raw_fd().to_string();
        openat(&folder, name.as_str(), flags | OFlags::CLOEXEC, Mode::empty())
            .or_error("openat", || format!("/proc/self/fd, {name}, {flags:?}"))
    }
}

/// A new one, mounted nowhere.
fn detached() -> Result<OwnedFd, sys::Error> {
    let context = fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC).or_error("fsopen", || "\"proc\"")?;
    fsconfig_create(&context).or_error("fsconfig", || "\"proc\", FSCONFIG_CMD_CREATE")?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).or_error("fsmount", || "\"proc\"")
}

/// That of the caller.
fn of_caller() -> Result<OwnedFd, sys::Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let arguments = || "AT_FDCWD, \"/proc\", O_PATH|O_NOFOLLOW|O_DIRECTORY";
    let root = openat(CWD, c"/proc", flags, Mode::empty()).or_error("openat", arguments)?;
    let kind = fstatfs(&root).or_error("fstatfs", || "/proc")?.f_type;
    let inode = fstat(&root).or_error("fstat", || "/proc")?.st_ino;
    if kind == PROC_SUPER_MAGIC && inode == ROOT_INODE {
        return Ok(root);
    }
    Err(Errno::NOTDIR).or_error("openat", || "\"/proc\": not the root of a procfs")
}
