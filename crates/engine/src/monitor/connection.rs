//! What a monitor does for its container's networks: it sees to the way out and the published ports
//! (`outward.rs`), and answers questions about names.

use super::Launch;
use super::outward::Outward;
use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders};
use crate::network::{PORTS, zone_path};
use crate::small_file;
use net::Reservation;
use net::dns::{Responder, Upstream, Zone, listen};
use net::firewall::{Element, Published};
use net::link::{Container, enter_namespace};
use net::port::{self, Port};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
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
            // There no rule helps: see `net::relay`.
            if port.address == Some(Ipv6Addr::LOCALHOST.into()) {
                continue;
            }
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

    pub(super) fn elements(&self, ports: &[Port]) -> Vec<Element> {
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
    outward: Outward,
    responder: Responder,
}

impl Connected {
    /// Publishes the ports of a container and begins to answer its questions.
    pub(super) fn begin(
        launch: &Launch,
        connection: &Connection,
        folders: &Folders,
        folder: &ContainerFolder,
        namespace: BorrowedFd<'_>,
    ) -> Result<Connected> {
        let mut ports = Vec::new();
        for text in &connection.ports {
            ports.extend(port::parse(text).map_err(|error| Error::Invalid(error.to_string()))?);
        }
        let reservation = if launch.user_marks {
            ports = Reservation::try_for_other(&ports)?;
            None
        } else {
            let reservation = Reservation::new(&ports)?;
            ports = reservation.ports().to_vec();
            Some(reservation)
        };
        let sockets = if launch.user_marks {
            listen_apart(namespace)?
        } else {
            listen(&Container::open(namespace)?)?
        };
        let (zones, upstream) = (connection.zones(folders), connection.upstream());
        let responder = Responder::new(sockets, zones, upstream)?;
        // Whoever finds this monitor dead knows by it what is to be taken back.
        let lines: String = ports.iter().map(|port| format!("{port}\n")).collect();
        let path = folder.file(PORTS);
        small_file::replace(&path, lines.as_bytes()).map_err(Error::file(&path))?;
        let outward = match reservation {
            Some(reservation) => Outward::begin_firewall(connection, reservation)?,
            None => Outward::begin_helper(launch, connection, ports, folders, namespace)?,
        };
        Ok(Connected { connection: connection.clone(), outward, responder })
    }

    pub(super) fn polled(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.responder.as_fd()].into_iter().chain(self.outward.polled())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.responder.wakeup().into_iter().chain(self.outward.deadline()).min()
    }

    /// Does what there is to do, without waiting.
    pub(super) fn serve(&mut self, network: BorrowedFd<'_>) -> Result<()> {
        self.responder.serve(Instant::now())?;
        self.outward.serve(&self.connection, network)
    }

    /// The container is in other networks now.
    pub(super) fn change(
        &mut self,
        launch: &Launch,
        folders: &Folders,
        network: BorrowedFd<'_>,
    ) -> Result<()> {
        let Some(new) = &launch.connection else { return Ok(()) };
        self.outward.change(&self.connection, new, network)?;
        self.responder.set_zones(new.zones(folders), new.upstream());
        self.connection = new.clone();
        Ok(())
    }

    /// The container has ended: nothing of it is published, and the ports are free at the end.
    pub(super) fn end(&mut self) -> Result<()> {
        self.outward.end(&self.connection)
    }

    /// Those that it is in.
    pub(super) fn networks(&self) -> &[String] {
        &self.connection.networks
    }
}

/// The sockets for questions, opened by a child: a user's monitor could not return.
fn listen_apart(namespace: BorrowedFd<'_>) -> Result<(UdpSocket, TcpListener)> {
    let open = || -> Result<Vec<OwnedFd>, net::Error> {
        enter_namespace(namespace)?;
        let (udp, tcp) = listen(&Container::open(namespace)?)?;
        Ok(vec![udp.into(), tcp.into()])
    };
    let opened = net::apart(|| open().map_err(|error| error.to_string()))?;
    match <[OwnedFd; 2]>::try_from(opened) {
        Ok([udp, tcp]) => Ok((udp.into(), tcp.into())),
        Err(_) => Err(net::Error::Apart("no sockets for names came".to_owned()).into()),
    }
}
