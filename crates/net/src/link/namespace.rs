//! New network namespaces.

use crate::Error;
use kernel::namespace::{Kind, Namespace, Set, enter_process, unshare};
use std::os::fd::{BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};

/// Makes a network namespace that has nothing but a loopback device, which is up. It lives as long
/// as the descriptor, or a process in it. The calling process must have one thread.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN, ENOSPC for too many. Where the way back fails, the caller must not
/// go on.
pub fn new_namespace() -> Result<OwnedFd, Error> {
    let own = Namespace::own(Kind::Network)?;
    let made = enter_new_namespace();
    own.enter()?;
    made
}

/// The same, in a user namespace, whose root may do with it what he likes. The calling process must
/// have one thread.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN over the user namespace, ENOSPC for too many.
pub fn new_namespace_of(user: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let make = || -> Result<Vec<OwnedFd>, Error> {
        let kinds = Set::EMPTY.with(Kind::User);
        enter_process(user, kinds).map_err(Error::doing("enter a user namespace"))?;
        Ok(vec![enter_new_namespace()?])
    };
    let made = crate::apart(|| make().map_err(|error| error.to_string()))?;
    let gone = || Error::Apart("no network namespace came".to_owned());
    made.into_iter().next().ok_or_else(gone)
}

/// Makes one for the calling process, which stays in it.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN, ENOSPC for too many.
pub fn enter_new_namespace() -> Result<OwnedFd, Error> {
    let failed = || Error::doing("make a network namespace");
    unshare(Set::EMPTY.with(Kind::Network)).map_err(failed())?;
    let opened = openat(CWD, c"/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    sys::interface::bring_up(c"lo")
        .or_error("ioctl", || "SIOCSIFFLAGS, \"lo\"")
        .map_err(failed())?;
    opened.or_error("openat", || "\"/proc/self/ns/net\", O_RDONLY").map_err(failed())
}

/// Enters one, and stays in it.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN over it.
pub fn enter_namespace(namespace: BorrowedFd<'_>) -> Result<(), Error> {
    let kinds = Set::EMPTY.with(Kind::Network);
    enter_process(namespace, kinds).map_err(Error::doing("enter a network namespace"))
}
