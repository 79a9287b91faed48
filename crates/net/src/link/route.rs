//! Routes, rtnetlink(7).

use crate::octets::octets_of;
use std::net::IpAddr;
use sys::netlink::{ACKNOWLEDGE, Message, Socket};
use sys::rustix::fs::{Access, access};
use sys::rustix::io::Errno;

const RTM_NEWROUTE: u16 = 24;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_EXCL: u16 = 0x200;
pub(super) const RTA_DST: u16 = 1;
pub(super) const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RTN_UNICAST: u8 = 1;

pub(super) const FAMILY_IPV4: u8 = 2;
pub(super) const FAMILY_IPV6: u8 = 10;

/// `sizeof(struct rtmsg)`.
pub(super) const STRUCTURE: usize = 12;

/// Makes a gateway the way to everything that no other route leads to, unless there is one.
pub(super) fn add_default(
    socket: &mut Socket,
    index: u32,
    gateway: IpAddr,
) -> Result<(), sys::Error> {
    let family = if gateway.is_ipv4() { FAMILY_IPV4 } else { FAMILY_IPV6 };
    let structure = [family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, 0, RTN_UNICAST, 0, 0, 0, 0];
    let message = Message::new(RTM_NEWROUTE, ACKNOWLEDGE | NLM_F_CREATE | NLM_F_EXCL, &structure)
        .attribute(RTA_GATEWAY, &octets_of(gateway))
        .attribute(RTA_OIF, &index.to_ne_bytes());
    match socket.request("RTM_NEWROUTE", message, |_| {}) {
        Err(error) if error.errno == Errno::EXIST => Ok(()),
        result => result,
    }
}

/// Whether the kernel has IPv6 at all.
#[must_use]
pub fn is_ipv6_available() -> bool {
    access("/proc/sys/net/ipv6", Access::EXISTS).is_ok()
}
