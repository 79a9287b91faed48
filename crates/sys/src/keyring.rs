//! Keyrings, keyrings(7).

#![allow(unsafe_code)]

use crate::rustix::io::Errno;
use std::ffi::CStr;

const JOIN_SESSION_KEYRING: libc::c_int = 1;
const SET_PERMISSIONS: libc::c_int = 5;

/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING, name)`, keyctl(2): a new session keyring, or the one of
/// this name if there is one that the caller may join. Returns its serial number.
///
/// # Errors
/// ENOSYS for a kernel without keyrings, EDQUOT for too many keys, EPERM where a seccomp filter
/// keeps it back.
pub fn join_session_keyring(name: &CStr) -> Result<i32, Errno> {
    // SAFETY: the name ends with NUL and outlives the call, which only reads it.
    let serial = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, name.as_ptr()) };
    i32::try_from(serial).ok().filter(|serial| *serial >= 0).ok_or_else(last_error)
}

/// `keyctl(KEYCTL_SETPERM, key, permissions)`, keyctl_setperm(3).
///
/// # Errors
/// EACCES without the right to change them.
pub fn set_key_permissions(key: i32, permissions: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, SET_PERMISSIONS, key, permissions) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// What nobody outside of this program can foresee, nor say afterwards: `AT_RANDOM`, getauxval(3), the
/// 16 bytes that the kernel draws for each program. It takes no system call. They are a secret of the
/// C library's: to be shown only as part of a hash.
#[must_use]
pub fn unforeseen() -> [u8; 16] {
    // SAFETY: it reads what the kernel has put above the stack, which stays.
    let address = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const [u8; 16];
    // SAFETY: where there is such an entry, it is the address of 16 bytes beside it; without one it
    // is null, of which `as_ref` makes none.
    unsafe { address.as_ref() }.copied().unwrap_or_default()
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
