//! The session keyring.

use std::ffi::CStr;
use sys::OrError;
use sys::keyring;
use sys::rustix::io::Errno;

/// What the user who owns a key may do with it, search and view aside: bits 16 to 21 are the
/// user's, and search is the fourth of them.
const USER_SEARCH: u32 = 0x0008_0000;

/// Gives the calling process a session keyring of its own, so that it cannot see the keys of
/// whoever started it, and lets all processes of its user search it. A kernel that has no
/// keyrings, or keeps them back, has none to protect.
///
/// # Errors
/// EDQUOT for too many keys.
pub fn join_session_keyring(name: &CStr) -> Result<(), sys::Error> {
    let key = match keyring::join_session_keyring(name) {
        Err(Errno::NOSYS | Errno::PERM) => return Ok(()),
        result => result.or_error("keyctl", || format!("JOIN_SESSION_KEYRING, {name:?}"))?,
    };
    let permissions = keyring::key_permissions(key).or_error("keyctl", || "DESCRIBE")?;
    keyring::set_key_permissions(key, permissions | USER_SEARCH).or_error("keyctl", || "SETPERM")
}
