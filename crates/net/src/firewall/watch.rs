//! Hearing that somebody else has changed the firewall.

use super::message::{DELETE_ELEMENT, NEW_ELEMENT, NEW_GENERATION};
use crate::Error;
use std::os::fd::{AsFd, BorrowedFd};
use sys::OrError;
use sys::netlink::Socket;
use sys::seccomp::Instruction;
use sys::socket::attach_filter;

/// `NFNLGRP_NFTABLES`, as a bit.
const GROUP: u32 = 1 << 6;

/// Readable when rules, chains, sets or tables have changed: ours may be gone.
///
/// Elements of sets are no such change, so thousands of containers can come and go without those
/// that watch being woken.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
}

impl Watch {
    /// Begins to watch the firewall of the caller's network namespace.
    ///
    /// # Errors
    /// [`Error::NoFirewall`]; EPERM without CAP_NET_ADMIN.
    pub fn open() -> Result<Watch, Error> {
        let socket = Socket::listen_netfilter(GROUP).map_err(Error::NoFirewall)?;
        attach_filter(socket.as_fd(), &filter())
            .or_error("setsockopt", || "netlink, SOL_SOCKET, SO_ATTACH_FILTER")
            .map_err(Error::doing("watch the firewall"))?;
        Ok(Watch { socket })
    }

    /// Takes what was heard, so that it is not readable any more; false if that was nothing. What
    /// it was does not matter: [`super::Firewall::is_whole`] tells whether something is to be done.
    ///
    /// # Errors
    /// Those of recvfrom(2).
    pub fn take(&mut self) -> Result<bool, Error> {
        let mut has_heard = false;
        let is_complete = self.socket.drain(|_| has_heard = true);
        let is_complete = is_complete.map_err(Error::doing("watch the firewall"))?;
        Ok(has_heard || !is_complete)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Drops what begins with a message about elements or about the end of a transaction.
fn filter() -> [Instruction; 6] {
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, when_true, k| Instruction { code, when_true, when_false: 0, k };
    // The lower byte of `nlmsg_type`.
    let place = if cfg!(target_endian = "little") { 4 } else { 5 };
    [
        step(LOAD_BYTE, 0, place),
        step(JUMP_IF_EQUAL, 3, NEW_ELEMENT.into()),
        step(JUMP_IF_EQUAL, 2, DELETE_ELEMENT.into()),
        step(JUMP_IF_EQUAL, 1, NEW_GENERATION.into()),
        step(RETURN, 0, u32::MAX),
        step(RETURN, 0, 0),
    ]
}
