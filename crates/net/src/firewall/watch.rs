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

/// What the addresses of our own sockets begin with.
pub(super) const SENDER: u16 = 0x7469;

/// Readable when rules, chains, sets or tables have changed: ours may be gone; or when another program
/// has removed elements of our table.
///
/// Our own elements are no such change, nor are those of other tables, so thousands of containers can
/// come and go without those that watch being woken.
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

/// Drops what begins with a message about elements or about the end of a transaction; but not that
/// another program has removed elements of our table, which such a message names first.
fn filter() -> [Instruction; 14] {
    const LOAD: u16 = 0x20;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, when_true, when_false, k| Instruction { code, when_true, when_false, k };
    // A filter reads numbers as networks write them, and the kernel writes them as it has them.
    let is_little = cfg!(target_endian = "little");
    // The lower byte of `nlmsg_type`, and the upper half of `nlmsg_pid`.
    let (kind, sender) = if is_little { (4, 14) } else { (5, 12) };
    let ours = u16::from_be_bytes(SENDER.to_ne_bytes());
    // `NFTA_SET_ELEM_LIST_TABLE`, which is 1, and has 10 bytes.
    let name = u32::from_be_bytes(if is_little { [10, 0, 1, 0] } else { [0, 10, 0, 1] });
    [
        step(LOAD_BYTE, 0, 0, kind),
        step(JUMP_IF_EQUAL, 11, 0, NEW_ELEMENT.into()),
        step(JUMP_IF_EQUAL, 10, 0, NEW_GENERATION.into()),
        step(JUMP_IF_EQUAL, 0, 8, DELETE_ELEMENT.into()),
        step(LOAD_HALF, 0, 0, sender),
        step(JUMP_IF_EQUAL, 7, 0, ours.into()),
        step(LOAD, 0, 0, 20),
        step(JUMP_IF_EQUAL, 0, 5, name),
        step(LOAD, 0, 0, 24),
        step(JUMP_IF_EQUAL, 0, 3, u32::from_be_bytes(*b"tiny")),
        step(LOAD_HALF, 0, 0, 28),
        step(JUMP_IF_EQUAL, 0, 1, u16::from_be_bytes(*b"o\0").into()),
        step(RETURN, 0, 0, u32::MAX),
        step(RETURN, 0, 0, 0),
    ]
}
