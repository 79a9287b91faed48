//! The session keyring.

use std::ffi::CStr;
use sys::OrError;
use sys::keyring;
use sys::rustix::io::Errno;

/// What the kernel gives a new session keyring, which is everything to who possesses it, and to
/// its user to view and read it and to link to it; and to its user to search it, too. keyctl_setperm(3)
/// has the bits.
const PERMISSIONS: u32 = 0x3f1b_0000;

/// Gives the calling process a session keyring of its own, so that it cannot see the keys of
/// whoever started it, and lets all processes of its user search it. A kernel that has no
/// keyrings, or keeps them back, has none to protect.
///
/// # Errors
/// EDQUOT for too many keys.
pub fn make_session_keyring(name: &CStr) -> Result<(), sys::Error> {
    let Some(key) = join(name)? else { return Ok(()) };
    keyring::set_key_permissions(key, PERMISSIONS).or_error("keyctl", || "SETPERM")
}

/// Gives the calling process the one that [`make_session_keyring`] has made, or a new one where
/// that is gone, or closed to others: never that of whoever started it.
///
/// # Errors
/// EDQUOT for too many keys.
pub fn join_session_keyring(name: &CStr) -> Result<(), sys::Error> {
    join(name).map(drop)
}

fn join(name: &CStr) -> Result<Option<i32>, sys::Error> {
    match keyring::join_session_keyring(name) {
        Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        result => result.or_error("keyctl", || format!("JOIN_SESSION_KEYRING, {name:?}")).map(Some),
    }
}
