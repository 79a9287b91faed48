//! Hearing that somebody else has changed the firewall.

use super::TABLE;
use super::message::{DELETE_ELEMENT, NEW_ELEMENT, NEW_GENERATION, RULE_TABLE, STRUCTURE, is};
use crate::Error;
use std::os::fd::{AsFd, BorrowedFd};
use sys::OrError;
use sys::netlink::{Received, Socket, attributes};
use sys::seccomp::Instruction;
use sys::socket::attach_filter;

/// `NFNLGRP_NFTABLES`, as a bit.
const GROUP: u32 = 1 << 6;

/// What the addresses of our own sockets begin with.
pub(super) const SENDER: u16 = 0x7469;

/// Readable when rules, chains, sets or tables have changed: ours may be gone; or when another program
/// has removed elements of our table; or when it has changed several sets at once, whichever.
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

    /// Takes what was heard, so that it is not readable any more; false if that was nothing of
    /// ours. What it was does not matter: [`super::Firewall::is_whole`] tells whether something is to
    /// be done.
    ///
    /// # Errors
    /// Those of recvfrom(2).
    pub fn take(&mut self) -> Result<bool, Error> {
        let mut has_heard = false;
        let is_complete = self.socket.drain(|message| has_heard |= concerns_us(message));
        let is_complete = is_complete.map_err(Error::doing("watch the firewall"))?;
        Ok(has_heard || !is_complete)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether something of ours may be gone after this message. What was received at once has those of
/// a whole transaction, and those of ours may be anywhere among them.
fn concerns_us(message: &Received<'_>) -> bool {
    if is(message, DELETE_ELEMENT) {
        let table = attributes(message.content, STRUCTURE).find(|it| it.0 == RULE_TABLE);
        return table.is_some_and(|(_, name)| name.strip_suffix(b"\0") == Some(TABLE.as_bytes()));
    }
    !is(message, NEW_ELEMENT) && !is(message, NEW_GENERATION)
}

/// Drops the end of a transaction, elements of our own sockets, and elements of another program, if
/// it is one message about them: but not that it has removed elements of our table, which such a
/// message names first. Where several follow each other, a filter, which has no loops, cannot look at
/// all.
fn filter() -> [Instruction; 23] {
    const LOAD: u16 = 0x20;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_LENGTH: u16 = 0x80;
    const SHIFT_LEFT: u16 = 0x64;
    const KEEP: u16 = 0x07;
    const ADD_KEPT: u16 = 0x0c;
    const SUBTRACT_KEPT: u16 = 0x1c;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const JUMP_IF_GREATER: u16 = 0x25;
    const RETURN: u16 = 0x06;
    let step = |code, when_true, when_false, k| Instruction { code, when_true, when_false, k };
    // A filter reads numbers as networks write them, and the kernel writes them as it has them.
    let is_little = cfg!(target_endian = "little");
    // The lower byte of `nlmsg_type`, the upper half of `nlmsg_pid`, the lower half of `nlmsg_len`.
    let (kind, sender, [high, low]) = if is_little { (4, 14, [1, 0]) } else { (5, 12, [2, 3]) };
    let ours = u16::from_be_bytes(SENDER.to_ne_bytes());
    // `NFTA_SET_ELEM_LIST_TABLE`, which is 1, and has 10 bytes.
    let name = u32::from_be_bytes(if is_little { [10, 0, 1, 0] } else { [0, 10, 0, 1] });
    [
        step(LOAD_BYTE, 0, 0, kind),
        step(JUMP_IF_EQUAL, 20, 0, NEW_GENERATION.into()),
        step(JUMP_IF_EQUAL, 1, 0, NEW_ELEMENT.into()),
        step(JUMP_IF_EQUAL, 0, 17, DELETE_ELEMENT.into()),
        step(LOAD_HALF, 0, 0, sender),
        step(JUMP_IF_EQUAL, 16, 0, ours.into()),
        // What is behind the first message is more than what fills it up to a multiple of four.
        step(LOAD_BYTE, 0, 0, high),
        step(SHIFT_LEFT, 0, 0, 8),
        step(KEEP, 0, 0, 0),
        step(LOAD_BYTE, 0, 0, low),
        step(ADD_KEPT, 0, 0, 0),
        step(KEEP, 0, 0, 0),
        step(LOAD_LENGTH, 0, 0, 0),
        step(SUBTRACT_KEPT, 0, 0, 0),
        step(JUMP_IF_GREATER, 6, 0, 3),
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
