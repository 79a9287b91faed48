//! What a monitor does for its container's networks: it holds the published ports, writes them to
//! the firewall anew when somebody has flushed it, and answers questions about names.

use super::Launch;
use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders};
use crate::network::{PORTS, zone_path};
use crate::small_file;
use net::Reservation;
use net::dns::{Responder, Upstream, Zone, listen};
use net::firewall::{Element, Firewall, Published, Watch};
use net::link::Container;
use net::port::{self, Port};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

/// What it must know of the networks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Connection {
    /// Their names.
    pub(crate) networks: Vec<String>,
    /// Their bridges, and which of them lead nowhere else.
    pub(crate) bridges: Vec<(String, bool)>,
    /// None of them leads anywhere else.
    pub(crate) is_internal: bool,
    /// Who is asked for names, if not those that the machine asks.
    pub(crate) servers: Vec<String>,
    /// The ports to publish, as they are written.
    pub(crate) ports: Vec<String>,
    /// The addresses of the container that they lead to.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Connection {
    /// What the firewall has for these ports.
    pub(crate) fn published(&self, ports: &[Port]) -> Vec<Element> {
        let mut elements = Vec::new();
        for port in ports {
            let Some(number) = port.host else { continue };
            let fits = |target: &&IpAddr| {
                port.address.is_none_or(|address| address.is_ipv4() == target.is_ipv4())
            };
            elements.extend(self.addresses.iter().filter(fits).map(|target| {
                Element::Published(Published {
                    address: port.address,
                    port: number,
                    protocol: port.protocol,
                    target: SocketAddr::new(*target, port.container),
                })
            }));
        }
        elements
    }

    fn elements(&self, ports: &[Port]) -> Vec<Element> {
        let mut elements = self.published(ports);
        for (bridge, is_internal) in &self.bridges {
            elements.push(Element::Network(bridge.clone()));
            if *is_internal {
                elements.push(Element::Internal(bridge.clone()));
            }
        }
        elements
    }

    fn zones(&self, folders: &Folders) -> Vec<Zone> {
        self.networks.iter().map(|network| Zone(zone_path(folders, network))).collect()
    }

    fn upstream(&self) -> Upstream {
        if self.is_internal {
            return Upstream::None;
        }
        let servers = self.servers.iter().filter_map(|text| text.parse().ok());
        let servers: Vec<SocketAddr> =
            servers.map(|address: IpAddr| SocketAddr::new(address, 53)).collect();
        if servers.is_empty() {
            Upstream::File("/etc/resolv.conf".into())
        } else {
            Upstream::Servers(servers)
        }
    }
}

/// A container that is connected.
pub(super) struct Connected {
    connection: Connection,
    reservation: Reservation,
    watch: Watch,
    responder: Responder,
}

impl Connected {
    /// Publishes the ports of a container and begins to answer its questions.
    pub(super) fn begin(
        connection: &Connection,
        folders: &Folders,
        folder: &ContainerFolder,
        namespace: BorrowedFd<'_>,
    ) -> Result<Connected> {
        let mut ports = Vec::new();
        for text in &connection.ports {
            ports.extend(port::parse(text).map_err(|error| Error::Invalid(error.to_string()))?);
        }
        let reservation = Reservation::new(&ports)?;
        let sockets = listen(&Container::open(namespace)?)?;
        let (zones, upstream) = (connection.zones(folders), connection.upstream());
        let responder = Responder::new(sockets, zones, upstream)?;
        // Before anybody can flush it unheard.
        let watch = Watch::open()?;
        // Whoever finds this monitor dead knows by it what is to be taken back.
        let lines: String = reservation.ports().iter().map(|port| format!("{port}\n")).collect();
        let path = folder.file(PORTS);
        small_file::replace(&path, lines.as_bytes()).map_err(Error::file(&path))?;
        let published = connection.published(reservation.ports());
        Firewall::open()?.add(&published)?;
        Ok(Connected { connection: connection.clone(), reservation, watch, responder })
    }

    pub(super) fn polled(&self) -> [BorrowedFd<'_>; 2] {
        [self.watch.as_fd(), self.responder.as_fd()]
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.responder.wakeup()
    }

    /// Does what there is to do, without waiting.
    pub(super) fn serve(&mut self) -> Result<()> {
        self.responder.serve(Instant::now())?;
        if self.watch.take()? {
            self.restore()?;
        }
        Ok(())
    }

    /// Somebody has changed the firewall. Of all monitors, the first one writes what is missing,
    /// and each its own ports.
    fn restore(&mut self) -> Result<()> {
        let elements = self.connection.elements(self.reservation.ports());
        let mut firewall = Firewall::open()?;
        if !firewall.is_whole(&elements)? {
            firewall.restore(&elements)?;
        }
        // It may be another program's that was written anew.
        firewall.open_foreign_chains()?;
        Ok(())
    }

    /// The container is in other networks now.
    pub(super) fn change(&mut self, launch: &Launch, folders: &Folders) -> Result<()> {
        let Some(new) = &launch.connection else { return Ok(()) };
        let ports = self.reservation.ports();
        let (old, now) = (self.connection.published(ports), new.published(ports));
        if old != now {
            let mut firewall = Firewall::open()?;
            firewall.remove(&old)?;
            firewall.add(&now)?;
        }
        self.responder.set_zones(new.zones(folders), new.upstream());
        self.connection = new.clone();
        Ok(())
    }

    /// The container has ended: nothing of it is published, and the ports are free at the end.
    pub(super) fn end(self) -> Result<()> {
        let elements = self.connection.published(self.reservation.ports());
        Ok(Firewall::open()?.remove(&elements)?)
    }

    /// Those that it is in.
    pub(super) fn networks(&self) -> &[String] {
        &self.connection.networks
    }
}
