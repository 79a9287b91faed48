//! A short stay in a namespace of another process.

use super::{Error, Kind, Namespace, Set, enter_process, unshare};
use std::os::fd::BorrowedFd;
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::process::{chroot, fchdir};

/// Does some work in the network or mount namespace of a process, given by its pidfd, or in the
/// namespace of a descriptor, and returns. Paths in the work are resolved from the root of that mount namespace.
///
/// The calling process must have one thread.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN over both namespaces (for mounts CAP_SYS_CHROOT too), ESRCH when
/// the process has ended. Where the way back fails, the caller must not go on.
pub fn visit<T>(place: BorrowedFd<'_>, kind: Kind, work: impl FnOnce() -> T) -> Result<T, Error> {
    away(kind, || enter_process(place, Set::EMPTY.with(kind)), work)
}

/// The same in a mount namespace of its own, which is gone afterwards: a copy of the caller's.
///
/// # Errors
/// As [`visit`].
pub fn visit_new_mounts<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    away(Kind::Mount, || unshare(Set::EMPTY.with(Kind::Mount)), work)
}

fn away<T>(
    kind: Kind,
    leave: impl FnOnce() -> Result<(), sys::Error>,
    work: impl FnOnce() -> T,
) -> Result<T, Error> {
    let own = Namespace::own(kind)?;
    let way_back = if kind == Kind::Mount { Some((open("/")?, open(".")?)) } else { None };
    leave()?;
    let result = work();
    own.enter()?;
    // Entering a mount namespace moves to its root.
    if let Some((root, folder)) = way_back {
        fchdir(&root).or_error("fchdir", || "the own root")?;
        chroot(c".").or_error("chroot", || "the own root")?;
        fchdir(&folder).or_error("fchdir", || "the own folder")?;
    }
    Ok(result)
}

fn open(path: &str) -> Result<std::os::fd::OwnedFd, sys::Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .or_error("openat", || format!("AT_FDCWD, {path:?}, O_PATH|O_DIRECTORY"))
}
