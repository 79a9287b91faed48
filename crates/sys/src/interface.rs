//! Network interfaces, netdevice(7).

#![allow(unsafe_code)]

use crate::rustix::io::Errno;
use crate::rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

/// `ioctl(socket, SIOCSIFFLAGS, IFF_UP)`, netdevice(7): brings up an interface of the caller's
/// network namespace that has no other flags which could be lost, such as a new loopback device.
/// It returns the socket, which is of no use any more, as it is cheaper to leave it to execve(2).
///
/// # Errors
/// ENODEV if there is none of this name, EPERM without CAP_NET_ADMIN, EINVAL for a name that is too
/// long.
pub fn bring_up(name: &CStr) -> Result<OwnedFd, Errno> {
    let kind = (AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = socket_with(kind.0, kind.1, kind.2, None)?;
    // SAFETY: all zero bytes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let bytes = name.to_bytes_with_nul();
    if bytes.len() > request.ifr_name.len() {
        return Err(Errno::INVAL);
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(bytes) {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as i16;
    // SAFETY: the request is of the type that this ioctl reads, and its name ends with NUL.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 {
        return Ok(socket);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
