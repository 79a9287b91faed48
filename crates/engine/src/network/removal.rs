//! Removing networks: the kernel takes some 40 ms to forget bridges, however many they are.

use super::names;
use super::row::{self, Network};
use crate::database;
use crate::engine::Engine;
use crate::error::{Error, Result};
use net::firewall::{Element, Firewall};
use net::link;
use sys::netlink::Socket;

/// So many at once, as others wait for the database meanwhile.
const AT_ONCE: usize = 32;

impl Engine {
    /// Removes a network that no container is connected to.
    ///
    /// # Errors
    /// There is none; containers are connected to it.
    pub fn remove_network(&self, network: &Network) -> Result<()> {
        self.remove_together(&[network]).pop().unwrap_or(Ok(()))
    }

    /// Removes those of these networks that no container is connected to, with what became of each.
    pub fn remove_networks(&self, networks: &[Network]) -> Vec<Result<()>> {
        let mut order: Vec<usize> = (0..networks.len()).collect();
        // Who removes the same ones meanwhile takes their locks in the same order.
        order.sort_by_key(|place| &networks[*place].name);
        order.dedup_by_key(|place| &networks[*place].name);
        let gone = |network: &Network| Err(Error::NoSuchNetwork(network.name.clone()));
        let mut results: Vec<Result<()>> = networks.iter().map(gone).collect();
        for some in order.chunks(AT_ONCE) {
            let meant: Vec<&Network> = some.iter().map(|place| &networks[*place]).collect();
            for (place, result) in some.iter().zip(self.remove_together(&meant)) {
                results[*place] = result;
            }
        }
        results
    }

    /// With one transaction, and one wait of the kernel's.
    fn remove_together(&self, networks: &[&Network]) -> Vec<Result<()>> {
        let done = || -> Result<Vec<Result<()>>> {
            let lock = |network: &&Network| names::lock(&self.folders, &network.name);
            let locks = networks.iter().map(lock).collect::<Result<Vec<_>>>()?;
            let delete = || row::delete(&self.store, networks, |gone| self.take_away(gone));
            let results = database::make_room(&self.store, delete)?;
            let all = networks.iter().zip(locks).zip(results);
            let end = |((network, lock), result): ((&&Network, _), Result<()>)| {
                result.and_then(|()| {
                    names::remove(&self.folders, &network.name, lock)?;
                    self.tell_event_of_network(network, "destroy", None)
                })
            };
            Ok(all.map(end).collect())
        };
        match (done(), networks) {
            (Ok(results), _) => results,
            (Err(error), [_]) => vec![Err(error)],
            // Then nothing was done; one of them is the reason.
            (Err(_), _) => networks.iter().flat_map(|it| self.remove_together(&[*it])).collect(),
        }
    }

    /// Takes away their bridges, and what the firewall has of them.
    pub(super) fn take_away(&self, networks: &[&Network]) -> Result<()> {
        if networks.is_empty() {
            return Ok(());
        }
        let Some(place) = self.existing_bridge_place() else { return Ok(()) };
        let bridges: Vec<&str> = networks.iter().map(|it| it.bridge.as_str()).collect();
        let remove = || {
            link::remove_bridges(&mut Socket::open()?, &bridges)?;
            let both = |name: &&str| {
                [Element::Network, Element::Internal].map(|it| it((*name).to_owned()))
            };
            let elements: Vec<Element> = bridges.iter().flat_map(both).collect();
            Firewall::open()?.remove(&elements)?;
            Ok(Vec::new())
        };
        place.within(remove).map(drop)
    }
}
