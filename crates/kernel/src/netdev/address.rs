//! Addresses of devices, rtnetlink(7).

use sys::netlink::{ACKNOWLEDGE, DUMP, Message, Received, Socket, attributes, number};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_REPLACE: u16 = 0x100;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;
/// What an address is beside its flags. Its label has the device's name, which may change, and
/// its age and its multicast address are not settings.
const KEPT: [u16; 5] = [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_RT_PRIORITY, IFA_PROTO];

const IFA_F_PERMANENT: u32 = 0x80;
/// Those that somebody has set, not those that tell what has become of the address:
/// `IFA_F_NODAD`, `IFA_F_HOMEADDRESS`, `IFA_F_MANAGETEMPADDR`, `IFA_F_NOPREFIXROUTE`,
/// `IFA_F_MCAUTOJOIN`.
const SETTINGS: u32 = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;
const RT_SCOPE_UNIVERSE: u8 = 0;

/// `sizeof(struct ifaddrmsg)`.
const STRUCTURE: usize = 8;

/// An address, and how it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    family: u8,
    prefix: u8,
    flags: u32,
    attributes: Vec<(u16, Vec<u8>)>,
}

/// The permanent addresses of global scope that a device has.
pub(super) fn of_device(socket: &mut Socket, index: u32) -> Result<Vec<Address>, sys::Error> {
    let message = Message::new(RTM_GETADDR, DUMP, &[0; STRUCTURE]);
    let mut found = Vec::new();
    socket.request("RTM_GETADDR", message, |answer| found.extend(read(answer, index)))?;
    Ok(found)
}

/// Gives a device an address.
pub(super) fn add(socket: &mut Socket, index: u32, address: &Address) -> Result<(), sys::Error> {
    let flags = ACKNOWLEDGE | NLM_F_CREATE | NLM_F_REPLACE;
    let mut structure = [address.family, address.prefix, 0, RT_SCOPE_UNIVERSE, 0, 0, 0, 0];
    structure[4..].copy_from_slice(&index.to_ne_bytes());
    let message = Message::new(RTM_NEWADDR, flags, &structure)
        .attribute(IFA_FLAGS, &(address.flags & SETTINGS).to_ne_bytes());
    let message = address
        .attributes
        .iter()
        .fold(message, |message, (kind, value)| message.attribute(*kind, value));
    socket.request("RTM_NEWADDR", message, |_| {})
}

fn read(answer: &Received<'_>, index: u32) -> Option<Address> {
    let &[family, prefix, short_flags, scope, ..] = answer.content else { return None };
    if answer.kind != RTM_NEWADDR
        || number(answer.content.get(4..)?)? != index
        || scope != RT_SCOPE_UNIVERSE
    {
        return None;
    }
    let all = || attributes(answer.content, STRUCTURE);
    let long_flags = all().find(|(kind, _)| *kind == IFA_FLAGS).and_then(|(_, it)| number(it));
    let flags = long_flags.unwrap_or(short_flags.into());
    if flags & IFA_F_PERMANENT == 0 {
        return None;
    }
    let kept = all().filter(|(kind, _)| KEPT.contains(kind));
    let attributes = kept.map(|(kind, value)| (kind, value.to_vec())).collect();
    Some(Address { family, prefix, flags, attributes })
}
