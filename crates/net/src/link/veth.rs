//! Pairs of devices: one end is a port of a bridge, the other in a container.

use super::sharing::{Sharing, share};
use super::{Interface, Mac, address, device, neighbour, route, sysctl};
use crate::Error;
use kernel::namespace::{Kind, visit};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use sys::OrError;
use sys::netlink::Socket;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::Errno;

/// The network namespace of a container.
#[derive(Debug)]
pub struct Container<'a> {
    process: BorrowedFd<'a>,
    namespace: OwnedFd,
    socket: Socket,
}

impl<'a> Container<'a> {
    /// Opens the one of a process, given by its pidfd, or one given by itself. The calling process
    /// must have one thread.
    ///
    /// # Errors
    /// The process has ended, or is out of reach.
    pub fn open(process: BorrowedFd<'a>) -> Result<Container<'a>, Error> {
        let opened = visit(process, Kind::Network, || {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let namespace = openat(CWD, c"/proc/self/ns/net", flags, Mode::empty())
                .or_error("openat", || "\"/proc/self/ns/net\", O_RDONLY")?;
            Ok((namespace, Socket::open()?))
        })?;
        let (namespace, socket) =
            opened.map_err(Error::doing("open the network of the container"))?;
        Ok(Container { process, namespace, socket })
    }

    /// Does some work in it.
    ///
    /// # Errors
    /// As of [`visit`].
    pub fn visit<T>(&self, work: impl FnOnce() -> T) -> Result<T, Error> {
        Ok(visit(self.process, Kind::Network, work)?)
    }

    pub(super) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// Removes a device of its own, if there is one of this name.
    pub(super) fn remove(&mut self, device: &str) -> Result<(), sys::Error> {
        device::remove(&mut self.socket, device)
    }
}

/// How a container is connected to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The name of the bridge, or of the device that is shared.
    pub bridge: String,
    /// How it is shared, if it is no bridge.
    pub sharing: Option<Sharing>,
    /// The name of the end on the machine, which nobody else uses.
    pub host_device: String,
    /// The name of the end in the container: `eth0`.
    pub device: String,
    /// The addresses of the container.
    pub interfaces: Vec<Interface>,
    /// Its gateways: none where this network does not lead to the rest of the world.
    pub gateways: Vec<IpAddr>,
    /// Its Ethernet address, if not made of the first address.
    pub mac: Option<Mac>,
    /// The longest packet, if not as the kernel has it.
    pub mtu: Option<u32>,
}

impl Attachment {
    /// The one that was chosen, or one that is made of the first address.
    pub(super) fn own_mac(&self) -> Option<Mac> {
        self.mac.or(self.interfaces.first().map(|it| Mac::of(it.address)))
    }
}

/// Connects a container to the bridge of a network. What an attempt that was killed has left is
/// replaced.
///
/// # Errors
/// [`Error::Missing`] if there is no such bridge; what the kernel answers: EEXIST if the container
/// has a device of this name, EPERM without CAP_NET_ADMIN over both sides.
pub fn attach(
    host: &mut Socket,
    container: &mut Container<'_>,
    attachment: &Attachment,
) -> Result<(), Error> {
    if let Some(sharing) = attachment.sharing {
        return share(host, container, attachment, sharing);
    }
    let Attachment { bridge, host_device, device, .. } = attachment;
    let failed = || Error::doing(format!("connect {device} of the container to {bridge}"));
    let found = device::by_name(host, bridge).map_err(failed())?;
    let found = found.ok_or_else(|| Error::Missing(bridge.clone()))?;
    let pair = device::Pair {
        name: host_device,
        bridge: found.index,
        peer_name: device,
        peer_mac: attachment.own_mac(),
        peer_namespace: container.namespace.as_fd(),
        mtu: attachment.mtu,
    };
    match device::add_pair(host, &pair) {
        Err(error) if error.errno == Errno::EXIST => {
            device::remove(host, host_device).map_err(failed())?;
            device::add_pair(host, &pair).map_err(failed())?;
        }
        result => result.map_err(failed())?,
    }
    let reflected = device::reflect(host, host_device).map_err(failed());
    let configured = reflected.and_then(|()| configure(container, attachment, found.mac));
    let passes = configured
        .and_then(|()| await_passing(host, host_device))
        .and_then(|()| await_passing(host, bridge));
    match passes {
        // Half a connection helps nobody.
        Err(error) => {
            device::remove(host, host_device).map_err(failed())?;
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

/// A device passes nothing on until the kernel has noticed that its other end is up, or of a bridge one
/// of its ports, which it does when it likes, a second later at worst; and what a container sends to a
/// router that it knows is lost until then. To be asked makes newer kernels notice (6.13).
fn await_passing(host: &mut Socket, name: &str) -> Result<(), Error> {
    const LONGEST_PAUSE: Duration = Duration::from_millis(10);
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut pause = Duration::from_micros(50);
    let failed = || Error::doing(format!("see whether {name} is up"));
    while device::by_name(host, name).map_err(failed())?.is_some_and(|it| !it.passes) {
        if Instant::now() > deadline {
            break;
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    Ok(())
}

/// Where it is known who the router is, no neighbour passes for it.
pub(super) fn configure(
    container: &mut Container<'_>,
    attachment: &Attachment,
    router: Option<Mac>,
) -> Result<(), Error> {
    let name = &attachment.device;
    let failed = || Error::doing(format!("set up {name} of the container"));
    container.visit(|| sysctl::prepare_device(name))?.map_err(failed())?;
    let socket = &mut container.socket;
    let found = device::by_name(socket, name).map_err(failed())?;
    let index = found.ok_or_else(|| Error::Missing(name.clone()))?.index;
    for interface in &attachment.interfaces {
        address::add(socket, index, interface).map_err(failed())?;
    }
    device::set_up(socket, index).map_err(failed())?;
    for gateway in &attachment.gateways {
        route::add_default(socket, index, *gateway).map_err(failed())?;
        if let Some(mac) = router {
            neighbour::fix(socket, index, *gateway, mac).map_err(failed())?;
        }
    }
    Ok(())
}

/// Disconnects a container: removes the pair by the name of the end on the machine, if it is there.
///
/// # Errors
/// What the kernel answers.
pub fn detach(host: &mut Socket, host_device: &str) -> Result<(), Error> {
    device::remove(host, host_device).map_err(Error::doing(format!("remove {host_device}")))
}
