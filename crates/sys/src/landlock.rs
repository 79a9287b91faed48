//! Landlock, landlock(7): rights that a thread takes away from itself. Linux 5.13.

#![allow(unsafe_code)]

use crate::call::{done, value};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// What a ruleset takes away where no rule gives it back: `struct landlock_ruleset_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handled {
    /// `LANDLOCK_ACCESS_FS_*`.
    pub filesystem: u64,
    /// `LANDLOCK_ACCESS_NET_*`, ABI 4.
    pub network: u64,
    /// `LANDLOCK_SCOPE_*`, ABI 6.
    pub scopes: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: RawFd,
}

/// `struct landlock_net_port_attr`.
#[repr(C)]
struct NetPort {
    allowed: u64,
    port: u64,
}

const CREATE_RULESET_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;
const RULE_NET_PORT: u32 = 2;

/// The kernel's ABI version: `int landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)`,
/// landlock_create_ruleset(2), Linux 5.13.
///
/// # Errors
/// ENOSYS for a kernel without Landlock, EOPNOTSUPP where it is not turned on.
pub fn abi() -> Result<u32, Errno> {
    let none = std::ptr::null::<Handled>();
    // SAFETY: with this flag the kernel reads no attribute.
    let result = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, CREATE_RULESET_VERSION)
    };
    Ok(u32::try_from(value(result)?).unwrap_or(0))
}

/// `int landlock_create_ruleset(const struct landlock_ruleset_attr *, size_t, 0)`,
/// landlock_create_ruleset(2), Linux 5.13. The descriptor is close-on-exec.
///
/// # Errors
/// EINVAL for rights that the kernel has not, E2BIG for a field that it has not and that is not 0,
/// ENOMSG for nothing at all.
pub fn create_ruleset(handled: &Handled) -> Result<OwnedFd, Errno> {
    let (attribute, size) = (std::ptr::from_ref(handled), size_of::<Handled>());
    // SAFETY: `attribute` points to `size` bytes, borrowed for the call, which only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attribute, size, 0_u32) };
    let descriptor = value(result)? as RawFd;
    // SAFETY: the kernel has made this descriptor for this call; nobody else knows of it yet.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Gives rights back on what a descriptor names, and on all below it: `int landlock_add_rule(int,
/// LANDLOCK_RULE_PATH_BENEATH, const void *, 0)`, landlock_add_rule(2), Linux 5.13.
///
/// # Errors
/// EINVAL for rights that the ruleset does not handle, or that make no sense on a file; EBADFD for
/// a descriptor of no file system with paths.
pub fn add_path_rule(
    ruleset: BorrowedFd<'_>,
    allowed: u64,
    parent: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let rule = PathBeneath { allowed, parent: parent.as_raw_fd() };
    add_rule(ruleset, RULE_PATH_BENEATH, &rule)
}

/// Gives rights back on a TCP port: `int landlock_add_rule(int, LANDLOCK_RULE_NET_PORT, const void
/// *, 0)`, landlock_add_rule(2), Linux 6.7 (ABI 4).
///
/// # Errors
/// EINVAL for rights that the ruleset does not handle.
pub fn add_port_rule(ruleset: BorrowedFd<'_>, allowed: u64, port: u16) -> Result<(), Errno> {
    let rule = NetPort { allowed, port: u64::from(port) };
    add_rule(ruleset, RULE_NET_PORT, &rule)
}

fn add_rule<Rule>(ruleset: BorrowedFd<'_>, kind: u32, rule: &Rule) -> Result<(), Errno> {
    let (ruleset, rule) = (ruleset.as_raw_fd(), std::ptr::from_ref(rule));
    // SAFETY: the callers pass the structure that the kernel reads for this kind of rule, borrowed
    // for the call.
    done(unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset, kind, rule, 0_u32) })
}

/// Restricts the calling thread and its later children: `int landlock_restrict_self(int, 0)`,
/// landlock_restrict_self(2), Linux 5.13.
///
/// # Errors
/// EPERM with neither `no_new_privs` nor CAP_SYS_ADMIN, E2BIG above 16 rulesets.
pub fn restrict_self(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    let ruleset = ruleset.as_raw_fd();
    // SAFETY: no memory is passed.
    done(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0_u32) })
}

#[cfg(test)]
mod tests {
    use super::{Handled, abi, create_ruleset};
    use rustix::io::Errno;

    #[test]
    fn nothing_handled_is_no_ruleset() {
        if abi().is_ok() {
            assert_eq!(create_ruleset(&Handled::default()).unwrap_err(), Errno::NOMSG);
        }
    }
}
