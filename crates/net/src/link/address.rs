//! Addresses of devices, rtnetlink(7).

use super::Interface;
use crate::octets::octets_of;
use std::net::IpAddr;
use sys::netlink::{ACKNOWLEDGE, Message, Socket};
use sys::rustix::io::Errno;

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_EXCL: u16 = 0x200;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
/// Usable at once, without asking around whether somebody else has it: we know that nobody does.
const IFA_F_NODAD: u8 = 0x02;

/// Gives a device an address: false if it has it already.
pub(super) fn add(
    socket: &mut Socket,
    index: u32,
    interface: &Interface,
) -> Result<bool, sys::Error> {
    let Interface { address, subnet } = interface;
    let (family, flags) = match address {
        IpAddr::V4(_) => (super::route::FAMILY_IPV4, 0),
        IpAddr::V6(_) => (super::route::FAMILY_IPV6, IFA_F_NODAD),
    };
    // `struct ifaddrmsg`: its scope 0 is the whole world.
    let mut structure = [family, subnet.prefix(), flags, 0, 0, 0, 0, 0];
    structure[4..].copy_from_slice(&index.to_ne_bytes());
    let bytes = octets_of(*address);
    let message = Message::new(RTM_NEWADDR, ACKNOWLEDGE | NLM_F_CREATE | NLM_F_EXCL, &structure)
        .attribute(IFA_LOCAL, &bytes)
        .attribute(IFA_ADDRESS, &bytes);
    let message = match broadcast(interface) {
        Some(last) => message.attribute(IFA_BROADCAST, &last),
        None => message,
    };
    match socket.request("RTM_NEWADDR", message, |_| {}) {
        Err(error) if error.errno == Errno::EXIST => Ok(false),
        result => result.map(|()| true),
    }
}

/// Takes an address away from a device.
pub(super) fn remove(
    socket: &mut Socket,
    index: u32,
    interface: &Interface,
) -> Result<(), sys::Error> {
    let Interface { address, subnet } = interface;
    let is_ipv4 = address.is_ipv4();
    let family = if is_ipv4 { super::route::FAMILY_IPV4 } else { super::route::FAMILY_IPV6 };
    let mut structure = [family, subnet.prefix(), 0, 0, 0, 0, 0, 0];
    structure[4..].copy_from_slice(&index.to_ne_bytes());
    let bytes = octets_of(*address);
    let message = Message::new(RTM_DELADDR, ACKNOWLEDGE, &structure).attribute(IFA_LOCAL, &bytes);
    socket.request("RTM_DELADDR", message, |_| {})
}

fn broadcast(interface: &Interface) -> Option<[u8; 4]> {
    let IpAddr::V4(address) = interface.address else { return None };
    let hosts = u32::MAX.checked_shr(interface.subnet.prefix().into()).unwrap_or(0);
    Some((u32::from(address) | hosts).to_be_bytes())
}
