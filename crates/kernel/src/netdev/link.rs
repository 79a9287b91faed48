//! Requests about devices, rtnetlink(7).

use std::os::fd::{AsRawFd, BorrowedFd};
use sys::netlink::{ACKNOWLEDGE, DUMP, Message, ONE, Received, Socket, attributes, number};
use sys::rustix::io::Errno;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFF_UP: u32 = 1;

/// `sizeof(struct ifinfomsg)`.
const STRUCTURE: usize = 16;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) is_up: bool,
}

/// The device of this name, if there is one.
pub(super) fn by_name(socket: &mut Socket, name: &str) -> Result<Option<Link>, sys::Error> {
    let message = Message::new(RTM_GETLINK, ONE, &structure(0, 0, 0)).text(IFLA_IFNAME, name);
    let mut found = None;
    let result =
        socket.request("RTM_GETLINK", message, |answer| found = found.take().or(read(answer)));
    match result {
        Err(error) if error.errno == Errno::NODEV => Ok(None),
        result => result.map(|()| found),
    }
}

/// All devices of the namespace.
pub(super) fn all(socket: &mut Socket) -> Result<Vec<Link>, sys::Error> {
    let message = Message::new(RTM_GETLINK, DUMP, &structure(0, 0, 0));
    let mut found = Vec::new();
    socket.request("RTM_GETLINK", message, |answer| found.extend(read(answer)))?;
    Ok(found)
}

/// Moves a device into a network namespace, under this name.
pub(super) fn set_namespace(
    socket: &mut Socket,
    index: u32,
    namespace: BorrowedFd<'_>,
    name: &str,
) -> Result<(), sys::Error> {
    let descriptor = namespace.as_raw_fd().to_ne_bytes();
    let message = Message::new(RTM_SETLINK, ACKNOWLEDGE, &structure(index, 0, 0))
        .attribute(IFLA_NET_NS_FD, &descriptor)
        .text(IFLA_IFNAME, name);
    socket.request("RTM_SETLINK, IFLA_NET_NS_FD", message, |_| {})
}

/// Lets a device send and receive.
pub(super) fn set_up(socket: &mut Socket, index: u32) -> Result<(), sys::Error> {
    let message = Message::new(RTM_SETLINK, ACKNOWLEDGE, &structure(index, IFF_UP, IFF_UP));
    socket.request("RTM_SETLINK, IFF_UP", message, |_| {})
}

/// `struct ifinfomsg`: family and type left open, the index, flags, and which of them to change.
fn structure(index: u32, flags: u32, change: u32) -> [u8; STRUCTURE] {
    let mut bytes = [0; STRUCTURE];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..].copy_from_slice(&change.to_ne_bytes());
    bytes
}

fn read(answer: &Received<'_>) -> Option<Link> {
    if answer.kind != RTM_NEWLINK {
        return None;
    }
    let (index, flags) = (number(answer.content.get(4..)?)?, number(answer.content.get(8..)?)?);
    let (_, name) = attributes(answer.content, STRUCTURE).find(|(kind, _)| *kind == IFLA_IFNAME)?;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    let name = String::from_utf8_lossy(name).into_owned();
    Some(Link { index, name, is_up: flags & IFF_UP != 0 })
}
