//! Networks: bridges of the machine that containers are connected to.
//!
//! A row says what a network is and which address each container has in it; the bridge, the devices
//! and the firewall are made of that when a container starts. Names of running containers are in a
//! file for each network, which their monitors read.

mod choice;
mod connect;
mod join;
mod mode;
mod names;
mod place;
mod plan;
mod removal;
mod row;
mod shared;

pub use mode::is_network;
pub use row::{Connected, Network, NetworkSettings, Range, SharedDevice};

pub(crate) use choice::LOCK_OF_MACHINE;
pub(crate) use connect::{PORTS, Prepared, device_prefix, is_device};
pub(crate) use mode::PATH as NAMESPACE;
pub(crate) use names::{ids as ids_of_names, names_end, path as zone_path, set_names};
pub(crate) use place::Place;
pub(crate) use row::{TABLES, connect_in};

use crate::clock;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::id;
use choice::complete;
use net::link::{self, Interface};
use net::subnet::Subnet;
use std::net::IpAddr;
use sys::netlink::Socket;

/// The network that containers are in unless another is named.
pub const DEFAULT: &str = "bridge";

/// Locks that are no network's, in the folder with those that are.
pub(crate) const LOCKS_OF_ALL: [&str; 2] = [place::LOCK, choice::LOCK_OF_USER];

/// The words that are no names of networks.
const MODES: [&str; 6] = ["none", "host", "default", "container", "private", "ns"];

impl Engine {
    /// Makes a network. Subnets that are not given are chosen, so that they overlap nothing that the
    /// machine has and no other network.
    ///
    /// # Errors
    /// The name is taken or none; a subnet overlaps another network, or the machine has it; no subnet
    /// is left.
    pub fn create_network(&self, name: &str, settings: NetworkSettings) -> Result<Network> {
        id::check_name(name)?;
        if MODES.contains(&name) {
            return Err(Error::invalid(format!("{name} cannot be the name of a network")));
        }
        let id = id::random()?;
        let _lock = self.lock_subnets()?;
        let existing = self.networks()?;
        let bridge = match &settings.bridge {
            Some(bridge) => self.check_bridge(bridge, &existing)?.to_owned(),
            // Of whatever store: each may have a default network.
            None => format!("{}-{}", link::PREFIX, &id[..8]),
        };
        if let Some(device) = &settings.shared {
            device.check(&settings, self.user_marks)?;
        }
        let settings = complete(settings, &existing)?;
        let network =
            Network { name: name.to_owned(), id, bridge, created: clock::now(), settings };
        row::insert(&self.store, &network)?;
        if let Err(error) = self.show(&network) {
            // Unless somebody has made use of it by now.
            row::delete(&self.store, &[&network], |gone| self.take_away(gone))?;
            return Err(error);
        }
        self.tell_event_of_network(&network, "create", None)?;
        Ok(network)
    }

    /// Makes the bridge of a network at once, without waiting for a container, so that other stores see
    /// that its subnets are taken. Rules are of no use yet.
    fn show(&self, network: &Network) -> Result<()> {
        // A user's are made in his own namespace when there is one.
        if !self.user_marks && network.settings.shared.is_none() {
            link::ensure_bridge(&mut Socket::open()?, &bridge(network))?;
        }
        Ok(())
    }

    /// Whether a new bridge can be called so. The firewall knows ours by how their names begin, and
    /// what is another's would be removed with the network.
    fn check_bridge<'a>(&self, bridge: &'a str, existing: &[Network]) -> Result<&'a str> {
        let wrong = |why: &str| {
            let text = format!("--opt com.docker.network.bridge.name={bridge}: {why}");
            Err(Error::Invalid(text))
        };
        let rest = bridge.strip_prefix(link::PREFIX).and_then(|it| it.strip_prefix('-'));
        let fits = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        if bridge.len() > 15 || !rest.is_some_and(|it| !it.is_empty() && it.chars().all(fits)) {
            return wrong(
                "it must begin with tinyo-, by which the firewall knows bridges, and have 15 of \
                 A-Z a-z 0-9 - _ . at most",
            );
        }
        let is_here = !self.user_marks
            && link::bridge_names(&mut Socket::open()?)?.iter().any(|it| it == bridge);
        if is_here || existing.iter().any(|it| it.bridge == bridge) {
            return wrong("there is such a device already");
        }
        Ok(bridge)
    }

    /// All networks, by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn networks(&self) -> Result<Vec<Network>> {
        row::all(&self.store)
    }

    /// The network of this name or id. The default one is made when it is first needed.
    ///
    /// # Errors
    /// There is none.
    pub fn network(&self, text: &str) -> Result<Network> {
        let found = self.networks()?.into_iter().find(|it| {
            it.name == text || it.id == text || (text.len() >= 12 && it.id.starts_with(text))
        });
        match found {
            Some(network) => Ok(network),
            None if text == DEFAULT => {
                match self.create_network(text, NetworkSettings::default()) {
                    // Somebody else was faster.
                    Err(Error::NetworkExists(_)) => self.network(text),
                    result => result,
                }
            }
            None => Err(Error::NoSuchNetwork(text.to_owned())),
        }
    }

    /// Who is connected to a network, and how: the ids of containers, running or not.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn connected(&self, network: &Network) -> Result<Vec<Connected>> {
        row::of_network(&self.store, &network.name)
    }

    /// What a container is connected to, in the order of its devices.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn connections(&self, container: &str) -> Result<Vec<Connected>> {
        row::of_container(&self.store, container)
    }
}

/// The bridge of a network.
fn bridge(network: &Network) -> link::Bridge {
    let interface = |range: &row::Range| Interface { address: range.gateway, subnet: range.subnet };
    link::Bridge {
        name: network.bridge.clone(),
        gateways: network.settings.subnets.iter().map(interface).collect(),
        mtu: network.settings.mtu,
    }
}

/// Which of the addresses of a container belongs to this subnet.
fn address_in(connected: &Connected, subnet: Subnet) -> Option<IpAddr> {
    connected.addresses.iter().copied().find(|it| subnet.contains(*it))
}
