//! Which subnets a network gets: none that the machine has elsewhere, or a network of whatever store.

use super::DEFAULT;
use super::row::{self, Network, NetworkSettings};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::{folders, id};
use net::link;
use net::subnet::{Subnet, free_subnet, unique_local_subnet};
use std::path::Path;
use sys::netlink::Socket;

/// Held by root while a network gets subnets, whatever the store: the machine is one. Whoever holds it
/// may remove it.
pub(crate) const LOCK_OF_MACHINE: &str = "/run/tinyo.lock";

/// The same of a user, whose bridges are nowhere else. No network has this name.
pub(super) const LOCK_OF_USER: &str = ".~subnets";

impl Engine {
    /// Nobody else gives subnets to networks while this is held.
    pub(crate) fn lock_subnets(&self) -> Result<Option<Lock>> {
        if !self.user_marks {
            return Lock::take_lasting(Path::new(LOCK_OF_MACHINE));
        }
        folders::make(&self.folders.networks())?;
        Lock::take(&self.folders.networks().join(LOCK_OF_USER))
    }

    /// Gives the default network other subnets, as the machine has this one elsewhere by now: its
    /// bridge is not there after the machine's start. False if it is another's, or if somebody has
    /// asked for certain subnets or addresses.
    pub(super) fn move_default_network(&self, taken: Subnet) -> Result<bool> {
        let _lock = self.lock_subnets()?;
        let all = self.networks()?;
        let has_it = |it: &&Network| it.settings.subnets.iter().any(|it| it.subnet == taken);
        // Else somebody was faster.
        let Some(network) = all.iter().find(has_it) else { return Ok(true) };
        let wants_address = self.containers()?.iter().any(|it| {
            let endpoints = it.settings.network.endpoints();
            endpoints.iter().any(|it| it.network == DEFAULT && !it.addresses.is_empty())
        });
        if network.name != DEFAULT || !network.settings.are_subnets_chosen || wants_address {
            return Ok(false);
        }
        let subnets = Vec::new();
        let settings = NetworkSettings { subnets, ..network.settings.clone() };
        let settings = complete(settings, &all)?;
        let moved = Network { settings, ..network.clone() };
        let is_moved = row::move_addresses(&self.store, network, &moved.settings)?;
        if is_moved {
            self.show(&moved)?;
        }
        Ok(is_moved)
    }
}

/// With subnets, if there are none. The caller has the lock of them.
pub(super) fn complete(
    mut settings: NetworkSettings,
    existing: &[Network],
) -> Result<NetworkSettings> {
    let others: Vec<Subnet> =
        existing.iter().flat_map(|it| &it.settings.subnets).map(|it| it.subnet).collect();
    for given in &settings.subnets {
        if let Some(other) = others.iter().find(|it| it.overlaps(given.subnet)) {
            let text = format!("the subnet {} overlaps {other} of another network", given.subnet);
            return Err(Error::Invalid(text));
        }
        if !given.subnet.contains(given.gateway) {
            let text = format!("the gateway {} is not in {}", given.gateway, given.subnet);
            return Err(Error::Invalid(text));
        }
    }
    if settings.shared.is_some() {
        return Ok(settings);
    }
    settings.are_subnets_chosen = settings.subnets.is_empty();
    let has = |ipv4: bool| settings.subnets.iter().any(|it| it.subnet.is_ipv4() == ipv4);
    let (needs_ipv4, needs_ipv6) = (!has(true), !has(false) && link::is_ipv6_available());
    let mut taken = link::taken_subnets(&mut Socket::open()?)?;
    taken.extend(others);
    if needs_ipv4 {
        let subnet = free_subnet(&taken).map_err(|error| Error::Invalid(error.to_string()))?;
        settings.subnets.push(row::Range::of(subnet));
    }
    if needs_ipv6 {
        settings.subnets.push(row::Range::of(unique_local_subnet(id::bytes()?)));
    }
    settings.subnets.sort_by_key(|it| !it.subnet.is_ipv4());
    Ok(settings)
}
