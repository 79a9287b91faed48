//! Flows of UDP that the kernel remembers. A published port is looked up for the first packet of a
//! flow only, and a client that goes on sending from one port has one flow for ever: when its port
//! leads elsewhere, what is remembered must be forgotten (linux/netfilter/nfnetlink_conntrack.h).

use super::element::{Element, Published};
use super::message::{REQUEST, STRUCTURE};
use crate::port::Protocol;
use std::net::IpAddr;
use sys::netlink::{ACKNOWLEDGE, DUMP, Message, Received, Socket, attributes};
use sys::rustix::io::Errno;

/// `NFNL_SUBSYS_CTNETLINK`.
const SUBSYSTEM: u16 = 1;
const NEW: u16 = 0;
const GET: u16 = 1;
const DELETE: u16 = 2;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ZONE: u16 = 18;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const IPV4_SOURCE: u16 = 1;
const IPV4_DESTINATION: u16 = 2;
const IPV6_SOURCE: u16 = 3;
const IPV6_DESTINATION: u16 = 4;
const PROTOCOL_NUMBER: u16 = 1;
const DESTINATION_PORT: u16 = 3;

/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// What the ports of these elements are about to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// They lead to their targets: flows to anywhere else are forgotten.
    Added,
    /// They do not any more: flows to their targets are forgotten.
    Removed,
}

/// Forgets the flows of UDP that these elements are about. Without any of UDP nothing is asked.
pub(super) fn forget(
    socket: &mut Socket,
    elements: &[Element],
    change: Change,
) -> Result<(), sys::Error> {
    let ports = elements.iter().filter_map(|element| match element {
        Element::Published(port) if port.protocol == Protocol::Udp => Some(port),
        _ => None,
    });
    let ports: Vec<&Published> = ports.collect();
    if ports.is_empty() {
        return Ok(());
    }
    let mut flows = Vec::new();
    let message = Message::new(SUBSYSTEM << 8 | GET, DUMP, &[0; STRUCTURE]);
    let listed = socket.request("IPCTNL_MSG_CT_GET", message, |answer| {
        let flow = Flow::read(answer);
        flows.extend(flow.filter(|flow| ports.iter().any(|port| flow.is_of(port, change))));
    });
    match listed {
        // A kernel without connection tracking over netlink.
        Err(error) if matches!(error.errno, Errno::INVAL | Errno::OPNOTSUPP) => return Ok(()),
        result => result?,
    }
    for flow in flows {
        match socket.request("IPCTNL_MSG_CT_DELETE", flow.deletion(), |_| {}) {
            // It has ended by itself.
            Err(error) if error.errno == Errno::NOENT => {}
            result => result?,
        }
    }
    Ok(())
}

/// A flow of UDP.
struct Flow {
    family: u8,
    /// Where its first packet went.
    address: IpAddr,
    port: u16,
    /// Who answers it: another one than `address` where it was translated.
    answers: IpAddr,
    /// The key as the kernel wrote it.
    tuple: Vec<u8>,
    zone: Option<Vec<u8>>,
}

impl Flow {
    fn read(answer: &Received<'_>) -> Option<Flow> {
        if answer.kind != SUBSYSTEM << 8 | NEW {
            return None;
        }
        let find = |wanted| {
            attributes(answer.content, STRUCTURE).find(|(kind, _)| *kind == wanted).map(|it| it.1)
        };
        let original = find(TUPLE_ORIGINAL)?;
        let protocol = within(original, TUPLE_PROTOCOL)?;
        if within(protocol, PROTOCOL_NUMBER)? != [Protocol::Udp.number()] {
            return None;
        }
        let port = within(protocol, DESTINATION_PORT)?;
        Some(Flow {
            family: *answer.content.first()?,
            address: address(within(original, TUPLE_IP)?, IPV4_DESTINATION, IPV6_DESTINATION)?,
            port: u16::from_be_bytes(port.try_into().ok()?),
            answers: address(within(find(TUPLE_REPLY)?, TUPLE_IP)?, IPV4_SOURCE, IPV6_SOURCE)?,
            tuple: original.to_vec(),
            zone: find(ZONE).map(<[u8]>::to_vec),
        })
    }

    fn is_of(&self, port: &Published, change: Change) -> bool {
        let target = port.target.ip();
        let leads_there = self.answers == target;
        self.port == port.port
            && self.address.is_ipv4() == target.is_ipv4()
            && port.address.is_none_or(|address| address == self.address)
            && leads_there == (change == Change::Removed)
    }

    fn deletion(&self) -> Message {
        let structure = [self.family, 0, 0, 0];
        let flags = REQUEST | ACKNOWLEDGE;
        let message = Message::new(SUBSYSTEM << 8 | DELETE, flags, &structure)
            .attribute(TUPLE_ORIGINAL | NESTED, &self.tuple);
        match &self.zone {
            Some(zone) => message.attribute(ZONE, zone),
            None => message,
        }
    }
}

fn within(content: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(content, 0).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn address(content: &[u8], ipv4: u16, ipv6: u16) -> Option<IpAddr> {
    let of_ipv4 = within(content, ipv4).and_then(|it| <[u8; 4]>::try_from(it).ok());
    let of_ipv6 = || within(content, ipv6).and_then(|it| <[u8; 16]>::try_from(it).ok());
    of_ipv4.map(IpAddr::from).or_else(|| of_ipv6().map(IpAddr::from))
}
