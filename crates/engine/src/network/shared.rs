//! Networks whose containers share a device of the machine (macvlan, ipvlan): they are in the network
//! that the device is in. No bridge, no firewall and no published port is of use there.

use super::row::{Network, NetworkSettings, SharedDevice, Wish};
use crate::database::Container;
use crate::error::{Error, Result};
use net::link::{self, Sharing};
use net::port::Port;
use std::os::fd::BorrowedFd;
use sys::netlink::Socket;

impl SharedDevice {
    /// How it is shared.
    pub(super) fn sharing(&self) -> Option<Sharing> {
        Sharing::of(&self.driver).find(|it| it.mode == self.mode)
    }

    /// Whether such a network can be made of these addresses.
    pub(super) fn check(&self, settings: &NetworkSettings, is_user: bool) -> Result<()> {
        let SharedDevice { driver, parent, mode } = self;
        let wrong = |text: String| Err(Error::Invalid(text));
        if is_user {
            return wrong(format!("--driver {driver}: only root can share the machine's devices"));
        }
        if self.sharing().is_none() {
            let modes: Vec<_> = Sharing::of(driver).map(|it| it.mode).collect();
            return wrong(format!("--opt mode={mode}: one of {}", modes.join(", ")));
        }
        if !link::has_device(&mut Socket::open()?, parent)? {
            return wrong(format!("--opt parent={parent}: the machine has no such device"));
        }
        if settings.subnets.is_empty() {
            return wrong(format!(
                "--driver {driver}: say with --subnet (and --gateway, --ip-range) which addresses \
                 the network of {parent} has, and which of them containers may have"
            ));
        }
        Ok(())
    }
}

/// Whether a container can be connected like this.
pub(super) fn check_connections(planned: &[(Network, Wish)], port: Option<&Port>) -> Result<()> {
    let shared = |it: &Network| it.settings.shared.clone();
    for (network, wish) in planned {
        let Some(device) = shared(network) else { continue };
        if let (Some(mac), Some(false)) = (&wish.mac, device.sharing().map(Sharing::has_own_mac)) {
            return Err(Error::invalid(format!(
                "--mac-address {mac}: in network {} containers have the one of {}",
                network.name, device.parent
            )));
        }
    }
    match (port, planned.first()) {
        (Some(port), Some((network, _))) if planned.iter().all(|(it, _)| shared(it).is_some()) => {
            Err(Error::invalid(format!(
                "the port {port} cannot be published: in network {} the container is reached at an \
                 address of its own, with all of its ports",
                network.name
            )))
        }
        _ => Ok(()),
    }
}

/// Where `--add-host NAME:host-gateway` has no meaning.
pub(super) fn check_gateway(network: &Network, host: &str) -> Result<()> {
    match &network.settings.shared {
        Some(device) => Err(Error::invalid(format!(
            "--add-host {host}: containers do not reach the machine by its device {}, which they \
             share",
            device.parent
        ))),
        None => Ok(()),
    }
}

/// Takes a shared device away from a container that runs; there is no end of it on the machine.
pub(super) fn detach(
    container: &Container,
    process: BorrowedFd<'_>,
    place: u32,
    name: &str,
) -> Result<()> {
    let endpoints = container.settings.network.endpoints();
    let named = endpoints.iter().find(|it| it.network == name).map(|it| it.device.clone());
    let device = named.filter(|it| !it.is_empty()).unwrap_or_else(|| format!("eth{place}"));
    let mut inside = link::Container::open(process)?;
    Ok(link::detach_inside(&mut inside, &device)?)
}
