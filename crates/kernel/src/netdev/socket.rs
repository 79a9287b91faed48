//! A netlink socket, which belongs for ever to the network namespace it was opened in.

use super::message::{Message, Received, messages, number};
use std::os::fd::OwnedFd;
use sys::OrError;
use sys::rustix::io::{Errno, retry_on_intr};
use sys::rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// Asks for an answer to a request that has none otherwise.
pub(super) const ACKNOWLEDGE: u16 = 0x0001 | 0x0004;
/// Asks for all there are.
pub(super) const DUMP: u16 = 0x0001 | 0x0300;
/// Asks for one.
pub(super) const ONE: u16 = 0x0001 | 0x0004;

/// As large as the kernel's messages get.
const BUFFER: usize = 32 * 1024;

pub(super) struct Socket {
    socket: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// Opens one in the network namespace of the caller.
    pub(super) fn open() -> Result<Socket, sys::Error> {
        // Without a protocol it is NETLINK_ROUTE.
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
                .or_error("socket", || "AF_NETLINK, SOCK_RAW, NETLINK_ROUTE")?;
        Ok(Socket { socket, sequence: 0 })
    }

    /// Sends a request and gives each message of the answer to `each`.
    pub(super) fn request(
        &mut self,
        name: &'static str,
        message: Message,
        mut each: impl FnMut(&Received<'_>),
    ) -> Result<(), sys::Error> {
        self.sequence += 1;
        let arguments = || format!("{name} over netlink");
        let bytes = message.finish(self.sequence);
        send(&self.socket, &bytes, SendFlags::empty()).or_error("sendto", arguments)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let (_, length) =
                retry_on_intr(|| recv(&self.socket, buffer.as_mut_slice(), RecvFlags::TRUNC))
                    .or_error("recvfrom", arguments)?;
            let received = buffer.get(..length).ok_or(Errno::MSGSIZE);
            let received = received.or_error("recvfrom", arguments)?;
            for message in messages(received).filter(|it| it.sequence == self.sequence) {
                match (message.kind, number(message.content)) {
                    (NLMSG_DONE, _) | (NLMSG_ERROR, Some(0)) => return Ok(()),
                    (NLMSG_ERROR, code) => {
                        let code = code.map_or(Errno::IO.raw_os_error(), u32::cast_signed);
                        let errno = Errno::from_raw_os_error(code.saturating_neg());
                        return Err(errno).or_error("netlink", || name);
                    }
                    _ => each(&message),
                }
            }
        }
    }
}
