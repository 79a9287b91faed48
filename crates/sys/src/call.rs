//! The result of `syscall(2)` as a `Result`.

use rustix::io::Errno;

/// What a call returned, or the `errno` it left where it returned -1.
pub(crate) fn value(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result == -1 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(result)
}

/// The same for a call whose value says nothing more.
pub(crate) fn done(result: libc::c_long) -> Result<(), Errno> {
    value(result).map(drop)
}
