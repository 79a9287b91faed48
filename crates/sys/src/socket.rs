//! What rustix has no way for: a descriptor sent in another way, and filters of what is received.

#![allow(unsafe_code)]

use crate::call::value;
use crate::seccomp::Instruction;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

/// Space for the control message of one descriptor, aligned as its header must be.
#[repr(C)]
union Control {
    _aligned: libc::cmsghdr,
    _space: [u8; SPACE],
}

// SAFETY: it only computes.
const SPACE: usize = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as usize;

/// Sends one message with a descriptor over a unix socket, as sendmsg(2) would, by a call of
/// another number, which a seccomp filter may treat otherwise. A reader that is gone is EPIPE, not
/// a signal.
///
/// `int sendmmsg(int, struct mmsghdr *, unsigned int, int)`, sendmmsg(2), Linux 3.0.
///
/// # Errors
/// As of sendmsg(2).
pub fn sendmmsg_with_descriptor(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let mut control = Control { _space: [0; SPACE] };
    let mut slice =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all of its fields are numbers or pointers, for which zero is a value.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_iov = ptr::from_mut(&mut slice);
    message.msg_hdr.msg_iovlen = 1;
    message.msg_hdr.msg_control = (&raw mut control).cast();
    message.msg_hdr.msg_controllen = SPACE;
    // SAFETY: the header that CMSG_FIRSTHDR finds is the beginning of `control`, which has room and
    // alignment for it and for the descriptor behind it.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message.msg_hdr);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as usize;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(descriptor.as_raw_fd());
    }
    let (socket, flags) = (socket.as_raw_fd(), libc::MSG_NOSIGNAL);
    // SAFETY: `message`, and `bytes`, `slice` and `control` to which it points, outlive the call. The
    // kernel reads them, and writes nothing but the length sent into `message`.
    let result = unsafe { libc::syscall(libc::SYS_sendmmsg, socket, &raw mut message, 1, flags) };
    value(result).map(drop)
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// Lets a socket receive only the packets that a classic BPF program has a number other than 0 for.
///
/// `int setsockopt(int, SOL_SOCKET, SO_ATTACH_FILTER, const struct sock_fprog *, socklen_t)`,
/// socket(7), Linux 2.2.
///
/// # Errors
/// EINVAL for a program that could read out of bounds or does not end.
pub fn attach_filter(socket: BorrowedFd<'_>, program: &[Instruction]) -> Result<(), Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program = Program { length, instructions: program.as_ptr() };
    let size = size_of::<Program>() as libc::socklen_t;
    // SAFETY: `program` has the layout of `struct sock_fprog` and points to `length` instructions,
    // borrowed by the caller for the duration of the call; the kernel copies them.
    let result = unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const program).cast(), size)
    };
    value(result.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::sendmmsg_with_descriptor;
    use rustix::io::Errno;
    use rustix::net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags,
        SocketType, recvmsg, socketpair,
    };
    use std::io::{IoSliceMut, PipeReader, PipeWriter, Read as _, Write as _};
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd as _;

    fn pair() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
        let (unix, packets) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        socketpair(unix, packets, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn bytes_and_descriptor_arrive() {
        let (ours, theirs) = pair();
        let (mut reader, writer): (PipeReader, PipeWriter) = std::io::pipe().unwrap();
        sendmmsg_with_descriptor(ours.as_fd(), b"here", writer.as_fd()).unwrap();
        drop(writer);

        let mut bytes = [0; 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let got = recvmsg(&theirs, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
        assert_eq!(&bytes[..got.bytes], b"here");
        let mut messages = ancillary.drain();
        let Some(RecvAncillaryMessage::ScmRights(mut fds)) = messages.next() else {
            panic!("no descriptor");
        };
        let mut writer = PipeWriter::from(fds.next().unwrap());
        writer.write_all(b"through").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (ours, theirs) = pair();
        drop(theirs);
        let result = sendmmsg_with_descriptor(ours.as_fd(), b"x", ours.as_fd());
        assert_eq!(result, Err(Errno::PIPE));
    }
}
