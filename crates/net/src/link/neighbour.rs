//! Which Ethernet address a neighbour has, rtnetlink(7).

use super::Mac;
use crate::octets::octets_of;
use std::net::IpAddr;
use sys::netlink::{ACKNOWLEDGE, Message, Socket};

const RTM_NEWNEIGH: u16 = 28;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// `NUD_PERMANENT`
const PERMANENT: u8 = 0x80;

/// Says it once and for all: nobody is asked, and nobody who says something else is believed.
pub(super) fn fix(
    socket: &mut Socket,
    index: u32,
    address: IpAddr,
    mac: Mac,
) -> Result<(), sys::Error> {
    let family =
        if address.is_ipv4() { super::route::FAMILY_IPV4 } else { super::route::FAMILY_IPV6 };
    // `struct ndmsg`: its state has two bytes.
    let [low, high] = u16::from(PERMANENT).to_ne_bytes();
    let mut structure = [family, 0, 0, 0, 0, 0, 0, 0, low, high, 0, 0];
    structure[4..8].copy_from_slice(&index.to_ne_bytes());
    let flags = ACKNOWLEDGE | NLM_F_CREATE | NLM_F_REPLACE;
    let message = Message::new(RTM_NEWNEIGH, flags, &structure)
        .attribute(NDA_DST, &octets_of(address))
        .attribute(NDA_LLADDR, &mac.0);
    socket.request("RTM_NEWNEIGH", message, |_| {})
}
