//! How a container's packets leave it, and its published ports are reached: by the machine's
//! firewall, which has their rules, or by a program of the user's, who has no rights.

use super::{Connection, Launch};
use crate::error::Result;
use crate::folders::Folders;
use crate::init;
use net::Reservation;
use net::firewall::{Element, Firewall, Watch};
use net::helper::{self, Connected, Helper, Request};
use net::port::Port;
use net::relay::Relay;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A helper that ends sooner than that would only end again.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// The way out of a container, and in.
pub(super) enum Outward {
    /// Rules.
    Firewall {
        /// Holds the ports, though no packet comes there.
        reservation: Reservation,
        /// Hears when somebody changes the firewall.
        watch: Watch,
        /// For what comes to `::1`, where no rule helps.
        relay: Option<Relay>,
        /// Changes it. After something was removed, closing a socket of either kind waits until the
        /// kernel has freed it (a grace period of RCU, ten milliseconds), so both are there to the
        /// last: until nobody waits for this monitor.
        firewall: Firewall,
    },
    /// A program.
    Helper(Program),
}

/// A helper and what it is started with.
pub(super) struct Program {
    running: Option<(Helper, Instant)>,
    /// For what comes by IPv6, if the helper has none.
    relay: Option<Relay>,
    ports: Vec<Port>,
    init: PathBuf,
    log: PathBuf,
    socket: PathBuf,
}

impl Outward {
    pub(super) fn begin_firewall(
        connection: &Connection,
        mut reservation: Reservation,
    ) -> Result<Outward> {
        // Before anybody can flush it unheard.
        let watch = Watch::open()?;
        let listeners = reservation.take_listeners();
        let relay = match listeners.is_empty() {
            true => None,
            false => Some(Relay::new(listeners, connection.addresses.clone())?),
        };
        let mut firewall = Firewall::open()?;
        // The last that can fail, so that nothing is left then.
        firewall.add(&connection.published(reservation.ports()))?;
        Ok(Outward::Firewall { reservation, watch, relay, firewall })
    }

    pub(super) fn begin_helper(
        launch: &Launch,
        connection: &Connection,
        ports: Vec<Port>,
        folders: &Folders,
        network: BorrowedFd<'_>,
    ) -> Result<Outward> {
        let mut program = Program {
            running: None,
            relay: None,
            ports,
            init: init::file(folders)?,
            log: folders.container(&launch.id).file("helper"),
            socket: folders.helper_socket(&launch.id),
        };
        if !connection.is_internal {
            program.start(network)?;
        }
        Ok(Outward::Helper(program))
    }

    pub(super) fn polled(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let both = match self {
            Outward::Firewall { watch, relay, .. } => {
                [Some(watch.as_fd()), relay.as_ref().and_then(Relay::polled)]
            }
            Outward::Helper(program) => {
                let helper = program.running.as_ref().map(|(helper, _)| helper.as_fd());
                [helper, program.relay.as_ref().and_then(Relay::polled)]
            }
        };
        both.into_iter().flatten()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let (Outward::Firewall { relay, .. } | Outward::Helper(Program { relay, .. })) = self;
        relay.as_ref().and_then(Relay::deadline)
    }

    pub(super) fn serve(&mut self, connection: &Connection, network: BorrowedFd<'_>) -> Result<()> {
        match self {
            Outward::Firewall { reservation, watch, relay, firewall } => {
                if watch.take()? {
                    restore(firewall, connection, reservation.ports())?;
                }
                Ok(relay.as_mut().map_or(Ok(()), Relay::serve)?)
            }
            Outward::Helper(program) => program.look_after(network),
        }
    }

    /// The container is in other networks now.
    pub(super) fn change(
        &mut self,
        old: &Connection,
        new: &Connection,
        network: BorrowedFd<'_>,
    ) -> Result<()> {
        match self {
            Outward::Firewall { reservation, relay, firewall, .. } => {
                if let Some(relay) = relay {
                    relay.set_targets(new.addresses.clone())?;
                }
                let ports = reservation.ports();
                let (old, now) = (old.published(ports), new.published(ports));
                if old != now {
                    firewall.remove(&old)?;
                    firewall.add(&now)?;
                }
                Ok(())
            }
            Outward::Helper(program) if new.is_internal => {
                program.stop();
                Ok(())
            }
            Outward::Helper(program) if program.running.is_none() => program.start(network),
            Outward::Helper(_) => Ok(()),
        }
    }

    /// Nothing comes in or goes out any more, and the ports are free.
    pub(super) fn end(&mut self, connection: &Connection) -> Result<()> {
        match self {
            Outward::Firewall { reservation, firewall, relay, .. } => {
                firewall.remove(&connection.published(reservation.ports()))?;
                *relay = None;
                reservation.release();
            }
            Outward::Helper(program) => program.stop(),
        }
        Ok(())
    }
}

/// Somebody has changed the firewall. Of all monitors, the first one writes what is missing, and
/// each its own ports.
fn restore(firewall: &mut Firewall, connection: &Connection, ports: &[Port]) -> Result<()> {
    let elements = connection.elements(ports);
    if !firewall.is_whole(&elements)? {
        firewall.restore(&elements)?;
    }
    // It may be another program's that was written anew.
    let bridges = elements.iter().filter_map(|element| match element {
        Element::Network(bridge) => Some(bridge.as_str()),
        _ => None,
    });
    firewall.admit(bridges)?;
    Ok(())
}

impl Program {
    fn start(&mut self, network: BorrowedFd<'_>) -> Result<()> {
        let request = Request {
            init: &self.init,
            namespace: network,
            ports: &self.ports,
            log: &self.log,
            socket: &self.socket,
        };
        let Connected { helper, has_ipv6 } = helper::connect(&request)?;
        if !has_ipv6 {
            let listeners = net::listen_beside_helper(&self.ports)?;
            self.relay = match listeners.is_empty() {
                true => None,
                false => Some(Relay::new(listeners, vec![Ipv4Addr::LOCALHOST.into()])?),
            };
        }
        self.running = Some((helper, Instant::now()));
        Ok(())
    }

    fn stop(&mut self) {
        (self.relay, self.running) = (None, None);
    }

    /// Starts it again if somebody has killed it.
    fn look_after(&mut self, network: BorrowedFd<'_>) -> Result<()> {
        self.relay.as_mut().map_or(Ok(()), Relay::serve)?;
        let Some((_, since)) = self.running.as_ref().filter(|(it, _)| it.has_ended()) else {
            return Ok(());
        };
        let has_lived = since.elapsed() >= LONG_ENOUGH;
        self.stop();
        if has_lived { self.start(network) } else { Ok(()) }
    }
}
