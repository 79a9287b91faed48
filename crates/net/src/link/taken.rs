//! Which subnets the machine has already, rtnetlink(7).

use super::device;
use super::route::{FAMILY_IPV4, FAMILY_IPV6, RTA_DST, RTA_OIF, STRUCTURE as ROUTE};
use crate::Error;
use crate::octets::address_of;
use crate::subnet::Subnet;
use sys::netlink::{DUMP, Message, Received, Socket, attributes, number};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
/// That of the other side, where there is one, else the device's own.
const IFA_ADDRESS: u16 = 1;

/// `sizeof(struct ifaddrmsg)`.
const ADDRESS: usize = 8;

/// A subnet that somebody has.
struct Taken {
    subnet: Subnet,
    /// The number of the device; 0 if there is none or several.
    device: u32,
}

/// The subnets that the machine has routes to, but for default routes, and those of its devices,
/// also of those that are down: no network of containers may be one of them.
///
/// # Errors
/// What the kernel answers.
pub fn taken_subnets(socket: &mut Socket) -> Result<Vec<Subnet>, Error> {
    Ok(all(socket)?.into_iter().map(|it| it.subnet).collect())
}

/// Who would get packets that are for a bridge with one of these subnets: another device with the
/// same one or a part of it.
///
/// A larger one is not in the way, as a route to a smaller one comes first, nor is a single address.
pub(super) fn check_free(
    socket: &mut Socket,
    subnets: &[Subnet],
    bridge: Option<u32>,
) -> Result<(), Error> {
    for taken in all(socket)? {
        let is_single = taken.subnet.prefix() == if taken.subnet.is_ipv4() { 32 } else { 128 };
        let found = subnets.iter().find(|it| it.includes(taken.subnet));
        if let (Some(subnet), false, false) = (found, is_single, Some(taken.device) == bridge) {
            let devices = device::all(socket).map_err(Error::doing("list the network devices"))?;
            let device = devices.into_iter().find(|it| it.index == taken.device);
            return Err(Error::Overlap {
                subnet: *subnet,
                other: taken.subnet,
                device: device
                    .map_or_else(|| "a route".to_owned(), |it| format!("the device {}", it.name)),
            });
        }
    }
    Ok(())
}

fn all(socket: &mut Socket) -> Result<Vec<Taken>, Error> {
    let mut found = Vec::new();
    for family in [FAMILY_IPV4, FAMILY_IPV6] {
        let mut structure = [0; ROUTE];
        structure[0] = family;
        let message = Message::new(RTM_GETROUTE, DUMP, &structure);
        socket
            .request("RTM_GETROUTE", message, |answer| found.extend(of_route(answer)))
            .map_err(Error::doing("list the routes"))?;
        let message = Message::new(RTM_GETADDR, DUMP, &structure[..ADDRESS]);
        socket
            .request("RTM_GETADDR", message, |answer| found.extend(of_device(answer)))
            .map_err(Error::doing("list the addresses"))?;
    }
    Ok(found)
}

fn of_route(answer: &Received<'_>) -> Option<Taken> {
    let &[_, prefix, ..] = answer.content else { return None };
    if answer.kind != RTM_NEWROUTE || prefix == 0 {
        return None;
    }
    let value = |wanted| attributes(answer.content, ROUTE).find(|it| it.0 == wanted);
    let subnet = Subnet::around(address_of(value(RTA_DST)?.1)?, prefix).ok()?;
    let device = value(RTA_OIF).and_then(|(_, it)| number(it)).unwrap_or(0);
    Some(Taken { subnet, device })
}

fn of_device(answer: &Received<'_>) -> Option<Taken> {
    let &[_, prefix, _, _, ref device @ ..] = answer.content else { return None };
    if answer.kind != RTM_NEWADDR || prefix == 0 {
        return None;
    }
    let (_, bytes) = attributes(answer.content, ADDRESS).find(|it| it.0 == IFA_ADDRESS)?;
    Some(Taken {
        subnet: Subnet::around(address_of(bytes)?, prefix).ok()?,
        device: number(device)?,
    })
}
