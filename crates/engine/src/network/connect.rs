//! The network of a container: made when it starts, and taken away when it has ended.

use super::place::Place;
use super::plan::{parse, published};
use super::row::{Connected, Network, SharedDevice};
use super::{address_in, bridge, is_network, names, shared};
use crate::configuration::HOST_GATEWAY;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::Connection;
use crate::settings::Endpoint;
use net::dns::Entry;
use net::firewall::{Element, Firewall};
use net::link::{self, Attachment, Interface, attach, detach, ensure_bridge};
use net::port::Port;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use sys::netlink::Socket;

/// The network of a container that is about to start.
pub(crate) struct Prepared {
    pub(crate) namespace: OwnedFd,
    /// Where the bridges are.
    pub(crate) place: Place,
    /// Lines for `/etc/hosts`.
    pub(crate) hosts: String,
    /// For the monitor.
    pub(crate) connection: Connection,
}

impl Engine {
    /// Makes the network namespace of a container, with all that it is connected to. None if it has
    /// no network of ours. It belongs to the container's user namespace, if there is one.
    pub(crate) fn prepare_network(
        &self,
        container: &Container,
        user: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Prepared>> {
        if !is_network(&container.settings.network.mode) {
            return Ok(None);
        }
        let prepared = match self.prepare(container, user) {
            Err(Error::Network(net::Error::Overlap { subnet, .. }))
                if self.move_default_network(subnet)? =>
            {
                self.prepare(container, user)
            }
            result => result,
        };
        prepared.map(Some)
    }

    fn prepare(&self, container: &Container, user: Option<BorrowedFd<'_>>) -> Result<Prepared> {
        // From now on there may be something to take back.
        let mark = self.folder(container).file(PORTS);
        std::fs::File::create(&mark).map_err(Error::file(&mark))?;
        let place = self.bridge_place()?;
        let connections = self.connections(&container.id)?;
        let mut hosts = String::new();
        let mut wanted = Vec::new();
        let mut has_way_out = false;
        for connected in &connections {
            let network = self.network(&connected.network)?;
            if self.has_moved(container, &connections, connected, &network)? {
                drop(place);
                return self.prepare(container, user);
            }
            let leads_on = !network.settings.internal && !has_way_out;
            has_way_out |= leads_on;
            let attachment = self.attachment(container, connected, &network, leads_on);
            if leads_on {
                hosts.push_str(&self.gateway_names(container, &network)?);
            }
            wanted.push((network, attachment));
            for address in &connected.addresses {
                // Writing to a String cannot fail.
                let _ = writeln!(hosts, "{address}\t{}", own_names(container));
            }
        }
        hosts.push_str(&self.links(container, &connections)?);
        let made = place.within(|| {
            let namespace = match user {
                Some(user) => link::new_namespace_of(user)?,
                None => link::new_namespace()?,
            };
            let mut host = Socket::open()?;
            let mut inside = link::Container::open(namespace.as_fd())?;
            for (network, attachment) in &wanted {
                provide(&mut host, network)?;
                attach(&mut host, &mut inside, attachment)?;
            }
            drop(inside);
            Ok(vec![namespace])
        })?;
        for connected in &connections {
            self.publish_names(container, connected)?;
        }
        let connection = self.connection(container, &connections)?;
        let namespace = made.into_iter().next().ok_or(Error::MonitorDied)?;
        Ok(Prepared { namespace, place, hosts, connection })
    }

    /// Whether a network got other subnets after these connections were read and before it was.
    fn has_moved(
        &self,
        container: &Container,
        connections: &[Connected],
        connected: &Connected,
        network: &Network,
    ) -> Result<bool> {
        let subnets = &network.settings.subnets;
        let is_in_it = |it: &IpAddr| subnets.iter().any(|range| range.subnet.contains(*it));
        if connected.addresses.iter().all(is_in_it) {
            return Ok(false);
        }
        let now = self.connections(&container.id)?;
        let (now, before) = (now.iter().map(|it| &it.addresses), connections.iter());
        Ok(now.ne(before.map(|it| &it.addresses)))
    }

    /// What `--add-host NAME:host-gateway` means: the machine, as its containers reach it.
    fn gateway_names(&self, container: &Container, network: &Network) -> Result<String> {
        let mut lines = String::new();
        for host in &container.settings.network.hosts {
            let Some((name, HOST_GATEWAY)) = host.split_once([':', '=']) else { continue };
            shared::check_gateway(network, host)?;
            if self.user_marks {
                return Err(Error::invalid(format!(
                    "--add-host {host}: containers of users without rights do not reach the \
                     machine by an address of its own"
                )));
            }
            for range in &network.settings.subnets {
                // Writing to a String cannot fail.
                let _ = writeln!(lines, "{}\t{name}", range.gateway);
            }
        }
        Ok(lines)
    }

    /// What `--link CONTAINER:ALIAS` means: where that one is in a network of both. Addresses are a
    /// container's as long as it is there.
    fn links(&self, container: &Container, own: &[Connected]) -> Result<String> {
        let mut lines = String::new();
        for link in &container.settings.network.links {
            let (id, alias) = link.split_once(':').unwrap_or((link, link));
            let wrong = |error: Error| Error::invalid(format!("--link: {error}"));
            let other = self.find(id).map_err(wrong)?;
            for connected in self.connections(&other.id)? {
                if own.iter().any(|it| it.network == connected.network) {
                    for address in &connected.addresses {
                        // Writing to a String cannot fail.
                        let _ = writeln!(lines, "{address}\t{alias} {}", own_names(&other));
                    }
                }
            }
        }
        Ok(lines)
    }

    /// What the monitor of a container must know of its networks.
    pub(super) fn connection(
        &self,
        container: &Container,
        all: &[Connected],
    ) -> Result<Connection> {
        let settings = &container.settings.network;
        let mut connection = Connection {
            networks: all.iter().map(|it| it.network.clone()).collect(),
            servers: settings.dns.clone(),
            ports: published(settings)?.iter().map(ToString::to_string).collect(),
            is_internal: true,
            ..Connection::default()
        };
        for connected in all {
            let network = self.network(&connected.network)?;
            connection.is_internal &= network.settings.internal;
            if network.settings.shared.is_some() {
                continue;
            }
            // Published ports lead to the first network that has a way in.
            if !network.settings.internal && connection.addresses.is_empty() {
                connection.addresses.clone_from(&connected.addresses);
            }
            connection.bridges.push((network.bridge, network.settings.internal));
        }
        Ok(connection)
    }

    pub(super) fn attachment(
        &self,
        container: &Container,
        connected: &Connected,
        network: &Network,
        leads_on: bool,
    ) -> Attachment {
        let ranges = &network.settings.subnets;
        let interfaces = ranges.iter().filter_map(|range| {
            let address = address_in(connected, range.subnet)?;
            Some(Interface { address, subnet: range.subnet })
        });
        // A user's container leaves by its helper.
        let leads_on = leads_on && !self.user_marks;
        let endpoints = container.settings.network.endpoints();
        let is_this =
            |it: &&Endpoint| it.network == network.name || network.id.starts_with(&it.network);
        let device = endpoints.iter().find(is_this).map_or("", |it| &it.device);
        let shared = network.settings.shared.as_ref();
        Attachment {
            bridge: shared.map_or(&network.bridge, |it| &it.parent).clone(),
            sharing: shared.and_then(SharedDevice::sharing),
            host_device: device_of(container, connected),
            device: match device {
                "" => format!("eth{}", connected.place),
                device => device.to_owned(),
            },
            interfaces: interfaces.collect(),
            gateways: ranges.iter().filter(|_| leads_on).map(|it| it.gateway).collect(),
            mac: connected.mac.as_deref().and_then(|text| text.parse().ok()),
            mtu: network.settings.mtu,
        }
    }

    /// Makes known in a network what a container is called, and those that share its addresses.
    pub(crate) fn publish_names(&self, container: &Container, connected: &Connected) -> Result<()> {
        let (network, short) = (&connected.network, &container.id[..12]);
        // The first one is what an address is called.
        let mut own = Vec::new();
        if let (Some(pod), true) = (self.pod_of(container)?, container.is_infra) {
            let shares = format!("container:{}", container.id);
            let all = self.containers_of_pod(&pod)?;
            let sharing = all.iter().filter(|it| it.settings.network.mode == shares);
            let members = sharing.flat_map(|it| [it.name.clone(), it.id[..12].to_owned()]);
            own.extend([pod.name.clone(), pod.id[..12].to_owned()].into_iter().chain(members));
        }
        own.extend([container.name.clone(), short.to_owned()]);
        let full: Vec<String> = own.iter().map(|name| format!("{name}.{network}")).collect();
        let names: Vec<String> =
            own.into_iter().chain(connected.aliases.iter().cloned()).chain(full).collect();
        let entry = |address: &IpAddr| Entry { address: *address, names: names.clone() };
        let entries: Vec<Entry> = connected.addresses.iter().map(entry).collect();
        names::set_names(&self.folders, network, short, &entries)
    }

    /// Takes away what a monitor that was killed has left of its container's networks.
    pub(crate) fn clear_network(&self, container: &Container) -> Result<()> {
        let folder = self.folder(container);
        if !is_network(&container.settings.network.mode) || !folder.file(PORTS).exists() {
            return Ok(());
        }
        let connections = self.connections(&container.id)?;
        // It may have been disconnected since they were written.
        for network in self.networks()? {
            names::set_names(&self.folders, &network.name, &container.id[..12], &[])?;
        }
        // A user's devices and ports went with the processes that held them.
        if !self.user_marks {
            let mut host = Socket::open()?;
            for connected in &connections {
                detach(&mut host, &device_of(container, connected))?;
            }
            self.unpublish(container)?;
        }
        let path = folder.file(PORTS);
        std::fs::remove_file(&path).map_err(Error::file(path))
    }

    /// Takes back the ports of a container, whose monitor was killed. They may lead to an address that
    /// it has no more: its monitor may have ended before it heard of that. Somebody else may have
    /// published the same ones meanwhile.
    fn unpublish(&self, container: &Container) -> Result<()> {
        let ports = self.published_ports(container)?;
        let (mut subnets, mut of_others) = (Vec::new(), Vec::new());
        for network in self.networks()? {
            let others = self.connected(&network)?;
            let others = others.into_iter().filter(|it| it.container != container.id);
            of_others.extend(others.flat_map(|it| it.addresses));
            subnets.extend(network.settings.subnets);
        }
        let is_left = |element: &Element| {
            let Element::Published(one) = element else { return false };
            let is_its = |port: &Port| {
                (port.address, port.host, port.protocol)
                    == (one.address, Some(one.port), one.protocol)
            };
            let target = one.target.ip();
            ports.iter().any(is_its)
                && subnets.iter().any(|it| it.subnet.contains(target))
                && !of_others.contains(&target)
        };
        let mut firewall = Firewall::open()?;
        let left: Vec<_> = firewall.elements()?.into_iter().filter(is_left).collect();
        Ok(firewall.remove(&left)?)
    }

    /// The ports that are published now, all of them with the number they have on the machine.
    ///
    /// # Errors
    /// The container's files cannot be read.
    pub fn published_ports(&self, container: &Container) -> Result<Vec<Port>> {
        let owner = match (&container.pod, container.settings.network.mode.split_once(':')) {
            // In a pod, those of all of it.
            (Some(_), Some(("container", id))) => self.folders.container(id),
            _ => self.folder(container),
        };
        let path = owner.file(PORTS);
        let text = crate::small_file::read(&path).map_err(Error::file(&path))?;
        parse(text.unwrap_or_default().lines())
    }
}

/// The file in a container's folder with the ports that it has on the machine. It is there from
/// before anything is connected until after all is taken back.
pub(crate) const PORTS: &str = "ports";

/// The bridge and its rules, where they are not there yet.
pub(super) fn provide(host: &mut Socket, network: &Network) -> Result<()> {
    if network.settings.shared.is_some() {
        return Ok(());
    }
    ensure_bridge(host, &bridge(network))?;
    let mut elements = vec![Element::Network(network.bridge.clone())];
    if network.settings.internal {
        elements.push(Element::Internal(network.bridge.clone()));
    }
    let mut firewall = Firewall::open()?;
    if !firewall.is_whole(&elements)? {
        firewall.restore(&elements)?;
    }
    // Another program may have made its rules anew while no monitor was there to notice.
    Ok(firewall.admit([&*network.bridge].into_iter())?)
}

/// The end of a connection on the machine.
pub(super) fn device_of(container: &Container, connected: &Connected) -> String {
    format!("{}{}", device_prefix(&container.id), connected.place)
}

/// How the names of all devices of a container begin on the machine.
pub(crate) fn device_prefix(id: &str) -> String {
    format!("ve{}", &id[..9])
}

/// Whether a device has a name such as we give them.
pub(crate) fn is_device(name: &str) -> bool {
    let rest = name.strip_prefix("ve").unwrap_or_default();
    rest.len() > 9 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The whole name first, which is what `hostname -f` finds, then short ones.
fn own_names(container: &Container) -> String {
    let settings = &container.settings;
    let hostname = match settings.hostname.as_str() {
        "" => &container.id[..12],
        hostname => hostname,
    };
    let mut names = Vec::new();
    if !settings.domainname.is_empty() {
        names.push(format!("{hostname}.{}", settings.domainname));
    }
    let short = hostname.split('.').next().unwrap_or_default();
    names.extend([hostname, short, &container.name].map(str::to_owned));
    let is_first = |place: usize, name: &String| !name.is_empty() && !names[..place].contains(name);
    let places = names.iter().enumerate().filter(|(place, name)| is_first(*place, name));
    places.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" ")
}
