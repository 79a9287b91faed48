//! Bridges: one for each network.

use super::device::Device;
use super::taken::check_free;
use super::{Interface, Mac, address, device, sysctl};
use crate::Error;
use crate::subnet::Subnet;
use sys::netlink::Socket;
use sys::rustix::io::Errno;

/// The names of all our bridges begin with this, by which the firewall knows them.
pub const PREFIX: &str = "tinyo";

/// The bridge of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its name, which begins with [`PREFIX`] and has at most 15 letters.
    pub name: String,
    /// The addresses of the machine in this network, the gateways of the containers.
    pub gateways: Vec<Interface>,
    /// The longest packet, if not as the kernel has it.
    pub mtu: Option<u32>,
}

/// Makes a bridge, or makes one that is there (from an attempt that was killed, maybe) what it
/// should be, and lets the machine forward. Returns its number.
///
/// # Errors
/// [`Error::NoBridge`]; [`Error::Overlap`] if its subnets are elsewhere already; and what the kernel
/// answers: EPERM without CAP_NET_ADMIN.
pub fn ensure_bridge(socket: &mut Socket, bridge: &Bridge) -> Result<u32, Error> {
    let Bridge { name, gateways, mtu } = bridge;
    let failed = || Error::doing(format!("make the bridge {name}"));
    let mut found = place_for(socket, bridge)?;
    let is_complete = found.as_ref().is_some_and(is_complete);
    // Else it would have the address of one of its ports, and change it as they come and go: containers
    // believe that it stays.
    let mac = gateways.first().map(|it| Mac::of(it.address));
    if found.is_none() {
        match device::add_bridge(socket, name, mac, *mtu) {
            // Somebody else was faster.
            Err(error) if error.errno == Errno::EXIST => {}
            result => result.map_err(failed())?,
        }
        found = device::by_name(socket, name).map_err(failed())?;
    }
    let found = found.ok_or_else(|| Error::Missing(name.clone()))?;
    if !found.is_bridge {
        return Err(Error::NoBridge(name.clone()));
    }
    if let Some(mtu) = mtu.filter(|mtu| Some(*mtu) != found.mtu) {
        device::set_mtu(socket, found.index, mtu).map_err(failed())?;
    }
    if !is_complete {
        if let Some(mac) = mac.filter(|mac| Some(*mac) != found.mac) {
            device::set_mac(socket, found.index, mac).map_err(failed())?;
        }
        sysctl::prepare_bridge(name)?;
    }
    // One that is complete may be that of another store, or of one that was removed; or the network
    // has moved since the caller has read of it.
    for gateway in gateways {
        let is_new = address::add(socket, found.index, gateway).map_err(failed())?;
        if is_new && is_complete {
            check_free(socket, &[gateway.subnet], Some(found.index)).or_else(|error| {
                address::remove(socket, found.index, gateway).map_err(failed())?;
                Err(error)
            })?;
        }
    }
    if !is_complete {
        sysctl::forward()?;
        device::set_up(socket, found.index).map_err(failed())?;
    }
    Ok(found.index)
}

/// What there is of a bridge. If it is not complete its subnets are nowhere else.
fn place_for(socket: &mut Socket, bridge: &Bridge) -> Result<Option<Device>, Error> {
    let failed = || Error::doing(format!("make the bridge {}", bridge.name));
    let subnets: Vec<Subnet> = bridge.gateways.iter().map(|it| it.subnet).collect();
    let mut found = device::by_name(socket, &bridge.name).map_err(failed())?;
    loop {
        if found.as_ref().is_some_and(|it| is_complete(it) || !it.is_bridge) {
            return Ok(found);
        }
        let index = found.as_ref().map(|it| it.index);
        let Err(error) = check_free(socket, &subnets, index) else { return Ok(found) };
        // Somebody else may have made it meanwhile, and its own subnets were what was found.
        found = device::by_name(socket, &bridge.name).map_err(failed())?;
        if found.as_ref().map(|it| it.index) == index {
            return Err(error);
        }
    }
}

/// It is brought up last, so one that is up is complete.
fn is_complete(device: &Device) -> bool {
    device.is_up && device.is_bridge
}

/// Removes bridges, those that are there. Each time the kernel waits until no processor is at a device
/// any more, which takes longer than all else: so it is asked to remove them all together.
///
/// # Errors
/// [`Error::NoBridge`], and what the kernel answers.
pub fn remove_bridges(socket: &mut Socket, names: &[&str]) -> Result<(), Error> {
    let failed = || Error::doing(format!("remove the bridges {}", names.join(", ")));
    let mut found = Vec::new();
    for name in names {
        match device::by_name(socket, name).map_err(failed())? {
            Some(device) if !device.is_bridge => return Err(Error::NoBridge((*name).to_owned())),
            device => found.extend(device),
        }
    }
    let [first, _, ..] = &found[..] else {
        return found.iter().try_for_each(|it| device::remove(socket, &it.name)).map_err(failed());
    };
    let all = device::all(socket).map_err(failed())?;
    // Somebody else who does the same has other devices, so that he begins elsewhere.
    let is_free = |group: &u32| all.iter().all(|it| it.group != Some(*group));
    let group = (GROUPS | first.index..).find(is_free).unwrap_or(GROUPS);
    for device in &found {
        device::set_group(socket, device.index, group).map_err(failed())?;
    }
    device::remove_group(socket, group).map_err(failed())
}

/// Where groups begin that nobody else has: a number that nobody chooses, with that of a device.
const GROUPS: u32 = 0x7469_0000;

/// The names of the bridges that are there and whose names are ours.
///
/// # Errors
/// What the kernel answers.
pub fn bridge_names(socket: &mut Socket) -> Result<Vec<String>, Error> {
    let all = device::all(socket).map_err(Error::doing("list the network devices"))?;
    let ours = all.into_iter().filter(|it| it.is_bridge && it.name.starts_with(PREFIX));
    Ok(ours.map(|it| it.name).collect())
}

/// The names of the devices that are ports of a bridge; none if it is not there.
///
/// # Errors
/// What the kernel answers.
pub fn bridge_ports(socket: &mut Socket, bridge: &str) -> Result<Vec<String>, Error> {
    let all = device::all(socket).map_err(Error::doing("list the network devices"))?;
    let index = all.iter().find(|it| it.is_bridge && it.name == bridge).map(|it| it.index);
    let ports = all.into_iter().filter(|it| index.is_some() && it.master == index);
    Ok(ports.map(|it| it.name).collect())
}
