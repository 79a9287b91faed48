//! Requests about devices, rtnetlink(7).

use super::{Mac, Sharing};
use std::os::fd::{AsRawFd, BorrowedFd};
use sys::netlink::{ACKNOWLEDGE, DUMP, Message, ONE, Received, Socket, attributes, number};
use sys::rustix::io::Errno;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
const VETH_INFO_PEER: u16 = 1;
/// `IFLA_MACVLAN_MODE` and `IFLA_IPVLAN_MODE`.
const IFLA_SHARING_MODE: u16 = 1;

const IF_OPER_UP: u8 = 6;
const IFF_UP: u32 = 1;

/// `sizeof(struct ifinfomsg)`.
const STRUCTURE: usize = 16;

/// A device that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) is_bridge: bool,
    pub(super) mtu: Option<u32>,
    pub(super) mac: Option<Mac>,
    /// Whatever somebody wants to do something with together; 0 by default.
    pub(super) group: Option<u32>,
    /// The bridge that it is a port of.
    pub(super) master: Option<u32>,
    pub(super) is_up: bool,
    /// Whether the kernel has noticed that it can send, `IF_OPER_UP`.
    pub(super) passes: bool,
}

/// The device of this name, if there is one.
pub(super) fn by_name(socket: &mut Socket, name: &str) -> Result<Option<Device>, sys::Error> {
    let message = Message::new(RTM_GETLINK, ONE, &structure(0, 0)).text(IFLA_IFNAME, name);
    let mut found = None;
    let each = |answer: &Received<'_>| found = found.take().or(read(answer));
    match socket.request("RTM_GETLINK", message, each) {
        Err(error) if error.errno == Errno::NODEV => Ok(None),
        result => result.map(|()| found),
    }
}

/// All devices of the namespace.
pub(super) fn all(socket: &mut Socket) -> Result<Vec<Device>, sys::Error> {
    let message = Message::new(RTM_GETLINK, DUMP, &structure(0, 0));
    let mut found = Vec::new();
    socket.request("RTM_GETLINK", message, |answer| found.extend(read(answer)))?;
    Ok(found)
}

/// Makes a bridge, still down. EEXIST if there is a device of this name.
pub(super) fn add_bridge(
    socket: &mut Socket,
    name: &str,
    mac: Option<Mac>,
    mtu: Option<u32>,
) -> Result<(), sys::Error> {
    let flags = ACKNOWLEDGE | NLM_F_CREATE | NLM_F_EXCL;
    let message = Message::new(RTM_NEWLINK, flags, &structure(0, 0)).text(IFLA_IFNAME, name);
    let message =
        settings(message, mac, mtu).nested(IFLA_LINKINFO, |it| it.text(IFLA_INFO_KIND, "bridge"));
    socket.request("RTM_NEWLINK, bridge", message, |_| {})
}

/// The two ends of a pair.
pub(super) struct Pair<'a> {
    /// The name of the end on the machine.
    pub(super) name: &'a str,
    /// The number of the bridge it becomes a port of.
    pub(super) bridge: u32,
    pub(super) peer_name: &'a str,
    pub(super) peer_mac: Option<Mac>,
    pub(super) peer_namespace: BorrowedFd<'a>,
    pub(super) mtu: Option<u32>,
}

/// Makes a pair of devices, one of them up at once and a port of a bridge, the other at once in
/// the namespace of a container: nothing is left half done.
pub(super) fn add_pair(socket: &mut Socket, pair: &Pair<'_>) -> Result<(), sys::Error> {
    let flags = ACKNOWLEDGE | NLM_F_CREATE | NLM_F_EXCL;
    let namespace = pair.peer_namespace.as_raw_fd().to_ne_bytes();
    let peer = |message: Message| {
        let message = message.text(IFLA_IFNAME, pair.peer_name);
        settings(message, pair.peer_mac, pair.mtu).attribute(IFLA_NET_NS_FD, &namespace)
    };
    let data = |message: Message| message.nested_with(VETH_INFO_PEER, &structure(0, 0), peer);
    let message = Message::new(RTM_NEWLINK, flags, &structure(0, IFF_UP))
        .text(IFLA_IFNAME, pair.name)
        .attribute(IFLA_MASTER, &pair.bridge.to_ne_bytes());
    let message = settings(message, None, pair.mtu).nested(IFLA_LINKINFO, |message| {
        message.text(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, data)
    });
    socket.request("RTM_NEWLINK, veth", message, |_| {})
}

/// Makes a device that shares the one of this number, at once in the namespace of a container.
pub(super) fn add_sharing(
    socket: &mut Socket,
    shared: u32,
    sharing: Sharing,
    (name, mac, mtu): (&str, Option<Mac>, Option<u32>),
    namespace: BorrowedFd<'_>,
) -> Result<(), sys::Error> {
    let flags = ACKNOWLEDGE | NLM_F_CREATE | NLM_F_EXCL;
    // One has 32 bits for it, the other 16.
    let (wide, narrow) = (u32::from(sharing.number).to_ne_bytes(), sharing.number.to_ne_bytes());
    let number: &[u8] = if sharing.driver == "macvlan" { &wide } else { &narrow };
    let message = Message::new(RTM_NEWLINK, flags, &structure(0, 0))
        .text(IFLA_IFNAME, name)
        .attribute(IFLA_LINK, &shared.to_ne_bytes())
        .attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
    let message = settings(message, mac, mtu).nested(IFLA_LINKINFO, |message| {
        let data = |message: Message| message.attribute(IFLA_SHARING_MODE, number);
        message.text(IFLA_INFO_KIND, sharing.driver).nested(IFLA_INFO_DATA, data)
    });
    socket.request("RTM_NEWLINK, IFLA_LINK", message, |_| {})
}

/// Lets a port of a bridge send back what came from it: a container that asks for its own
/// published port.
pub(super) fn reflect(socket: &mut Socket, name: &str) -> Result<(), sys::Error> {
    let message = Message::new(RTM_NEWLINK, ACKNOWLEDGE, &structure(0, 0))
        .text(IFLA_IFNAME, name)
        .nested(IFLA_LINKINFO, |message| {
            let data = |message: Message| message.attribute(IFLA_BRPORT_MODE, &[1]);
            message.text(IFLA_INFO_SLAVE_KIND, "bridge").nested(IFLA_INFO_SLAVE_DATA, data)
        });
    socket.request("RTM_NEWLINK, IFLA_BRPORT_MODE", message, |_| {})
}

fn settings(message: Message, mac: Option<Mac>, mtu: Option<u32>) -> Message {
    let message = match mac {
        Some(mac) => message.attribute(IFLA_ADDRESS, &mac.0),
        None => message,
    };
    match mtu {
        Some(mtu) => message.attribute(IFLA_MTU, &mtu.to_ne_bytes()),
        None => message,
    }
}

/// Lets a device send and receive.
pub(super) fn set_up(socket: &mut Socket, index: u32) -> Result<(), sys::Error> {
    let message = Message::new(RTM_SETLINK, ACKNOWLEDGE, &structure(index, IFF_UP));
    socket.request("RTM_SETLINK, IFF_UP", message, |_| {})
}

/// Changes the longest packet of a device.
pub(super) fn set_mtu(socket: &mut Socket, index: u32, mtu: u32) -> Result<(), sys::Error> {
    let message = Message::new(RTM_SETLINK, ACKNOWLEDGE, &structure(index, 0));
    socket.request("RTM_SETLINK, IFLA_MTU", settings(message, None, Some(mtu)), |_| {})
}

/// Changes the Ethernet address of a device.
pub(super) fn set_mac(socket: &mut Socket, index: u32, mac: Mac) -> Result<(), sys::Error> {
    let message = Message::new(RTM_SETLINK, ACKNOWLEDGE, &structure(index, 0));
    socket.request("RTM_SETLINK, IFLA_ADDRESS", settings(message, Some(mac), None), |_| {})
}

/// Removes a device, of a pair both ends; it is no error if there is none of this name.
pub(super) fn remove(socket: &mut Socket, name: &str) -> Result<(), sys::Error> {
    let message = Message::new(RTM_DELLINK, ACKNOWLEDGE, &structure(0, 0)).text(IFLA_IFNAME, name);
    match socket.request("RTM_DELLINK", message, |_| {}) {
        Err(error) if error.errno == Errno::NODEV => Ok(()),
        result => result,
    }
}

/// Puts a device into a group; it is no error if there is none of this number any more.
pub(super) fn set_group(socket: &mut Socket, index: u32, group: u32) -> Result<(), sys::Error> {
    let message = Message::new(RTM_SETLINK, ACKNOWLEDGE, &structure(index, 0))
        .attribute(IFLA_GROUP, &group.to_ne_bytes());
    match socket.request("RTM_SETLINK, IFLA_GROUP", message, |_| {}) {
        Err(error) if error.errno == Errno::NODEV => Ok(()),
        result => result,
    }
}

/// Removes all devices of a group, if there are any: the kernel waits once for all of them.
pub(super) fn remove_group(socket: &mut Socket, group: u32) -> Result<(), sys::Error> {
    let message = Message::new(RTM_DELLINK, ACKNOWLEDGE, &structure(0, 0))
        .attribute(IFLA_GROUP, &group.to_ne_bytes());
    match socket.request("RTM_DELLINK, IFLA_GROUP", message, |_| {}) {
        Err(error) if error.errno == Errno::NODEV => Ok(()),
        result => result,
    }
}

/// `struct ifinfomsg`: family and type left open, the index, flags to set and none to clear.
fn structure(index: u32, flags: u32) -> [u8; STRUCTURE] {
    let mut bytes = [0; STRUCTURE];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..].copy_from_slice(&flags.to_ne_bytes());
    bytes
}

fn read(answer: &Received<'_>) -> Option<Device> {
    if answer.kind != RTM_NEWLINK {
        return None;
    }
    let all = || attributes(answer.content, STRUCTURE);
    let (_, name) = all().find(|(kind, _)| *kind == IFLA_IFNAME)?;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    let value = |wanted| all().find(|(kind, _)| *kind == wanted).and_then(|(_, it)| number(it));
    let mac = all().find(|(kind, _)| *kind == IFLA_ADDRESS);
    let mut information = all().filter(|(kind, _)| *kind == IFLA_LINKINFO);
    let is_bridge = information
        .any(|(_, value)| attributes(value, 0).any(|it| it == (IFLA_INFO_KIND, &b"bridge\0"[..])));
    Some(Device {
        index: number(answer.content.get(4..)?)?,
        name: String::from_utf8_lossy(name).into_owned(),
        is_bridge,
        mtu: value(IFLA_MTU),
        mac: mac.and_then(|(_, it)| it.try_into().ok()).map(Mac),
        group: value(IFLA_GROUP),
        master: value(IFLA_MASTER),
        is_up: number(answer.content.get(8..)?)? & IFF_UP != 0,
        passes: all().any(|it| it == (IFLA_OPERSTATE, &[IF_OPER_UP][..])),
    })
}
