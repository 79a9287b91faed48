//! Connecting containers: when they are made, when they start, and while they run.

use super::mode::check_mode;
use super::place::Place;
use super::row::{self, Connected, Network, Wish};
use super::{address_in, bridge, is_network, names};
use crate::configuration::HOST_GATEWAY;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::{Connection, Launch};
use crate::protocol::{self, Message, tell};
use crate::settings::{Endpoint, Settings};
use crate::status::Status;
use net::dns::Entry;
use net::firewall::{Element, Firewall};
use net::helper;
use net::link::{self, Attachment, Interface, attach, detach, ensure_bridge};
use net::port::{self, Port};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::netlink::Socket;
use sys::rustix::process::{Pid, PidfdFlags, pidfd_open};

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
    /// How a container that is about to be made is to be connected; checked, nothing done yet.
    pub(crate) fn plan_connection(&self, all: &Settings) -> Result<Vec<(Network, Wish)>> {
        let settings = &all.network;
        let ports = published(settings)?;
        if !is_network(&settings.mode) {
            return check_mode(settings, ports.first()).map(|()| Vec::new());
        }
        if self.user_marks
            && let Some(port) = ports.iter().find(|it| !helper::can_publish(it.protocol))
        {
            let text = format!("the port {port} cannot be published: only root can do that");
            return Err(Error::Invalid(text));
        }
        let endpoints = settings.endpoints();
        let mut planned: Vec<(Network, Wish)> = Vec::new();
        for (number, endpoint) in endpoints.iter().enumerate() {
            let network = self.wished(&endpoint.network)?;
            check_device(&endpoint.device)?;
            let before = &endpoints[..number];
            let has_device = |it: &Endpoint| !it.device.is_empty() && it.device == endpoint.device;
            if planned.iter().any(|(it, _)| it.name == network.name) {
                return Err(Error::Invalid(format!(
                    "--network {}: it is there twice",
                    network.name
                )));
            }
            if before.iter().any(has_device) {
                let text = format!("--network: two devices cannot be called {}", endpoint.device);
                return Err(Error::Invalid(text));
            }
            let wish = Wish {
                addresses: addresses(&endpoint.addresses)?,
                mac: mac(endpoint.mac.as_deref())?,
                aliases: endpoint.aliases.clone(),
            };
            planned.push((network, wish));
        }
        Ok(planned)
    }

    /// A network that a flag names.
    fn wished(&self, name: &str) -> Result<Network> {
        if !is_network(name) {
            let text = format!("--network {name}: not together with other networks");
            return Err(Error::Invalid(text));
        }
        self.network(name).map_err(|error| match error {
            Error::NoSuchNetwork(name) => {
                Error::invalid(format!("--network {name}: there is no such network"))
            }
            error => error,
        })
    }

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
        Ok(Some(Prepared { namespace, place, hosts, connection }))
    }

    /// What `--add-host NAME:host-gateway` means: the machine, as its containers reach it.
    fn gateway_names(&self, container: &Container, network: &Network) -> Result<String> {
        let mut lines = String::new();
        for host in &container.settings.network.hosts {
            let Some((name, HOST_GATEWAY)) = host.split_once([':', '=']) else { continue };
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

    /// What the monitor of a container must know of its networks.
    fn connection(&self, container: &Container, all: &[Connected]) -> Result<Connection> {
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
            if !network.settings.internal {
                // Published ports lead to the first network that has a way in.
                if connection.is_internal {
                    connection.addresses.clone_from(&connected.addresses);
                }
                connection.is_internal = false;
            }
            connection.bridges.push((network.bridge, network.settings.internal));
        }
        Ok(connection)
    }

    fn attachment(
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
        Attachment {
            bridge: network.bridge.clone(),
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
            let connection = self.connection(container, &connections)?;
            let elements = connection.published(&self.published_ports(container)?);
            Firewall::open()?.remove(&elements)?;
        }
        let path = folder.file(PORTS);
        std::fs::remove_file(&path).map_err(Error::file(path))
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

    /// Connects a container to one more network, at once if it runs.
    ///
    /// # Errors
    /// It is connected already; it has another container's network, or none of its own.
    pub fn connect_network(
        &self,
        container: &Container,
        network: &Network,
        ips: &[String],
        aliases: &[String],
    ) -> Result<()> {
        let _lock = self.lock(container)?;
        // One that is about to run has the networks of before.
        self.look_settled(container)?;
        if !is_network(&container.settings.network.mode) {
            let mode = &container.settings.network.mode;
            let name = &container.name;
            return Err(Error::invalid(format!(
                "container {name} has --network {mode}, and cannot be connected to others"
            )));
        }
        let wish = Wish { addresses: addresses(ips)?, mac: None, aliases: aliases.to_vec() };
        let connected = row::connect(&self.store, &container.id, network, &wish)?;
        let joined = self.join(container, &connected, network);
        if joined.is_err() {
            // Whatever of it was done.
            let device = device_of(container, &connected);
            self.bridge_place()?.within(|| {
                detach(&mut Socket::open()?, &device)?;
                Ok(Vec::new())
            })?;
            names::set_names(&self.folders, &network.name, &container.id[..12], &[])?;
            row::disconnect(&self.store, &container.id, &network.name)?;
        }
        joined
    }

    fn join(&self, container: &Container, connected: &Connected, network: &Network) -> Result<()> {
        let Some(pid) = self.pid(container)? else { return Ok(()) };
        let process = pidfd_open(pid, PidfdFlags::empty()).or_error("pidfd_open", || "")?;
        let mut leads_on = !network.settings.internal;
        for other in self.connections(&container.id)? {
            let is_this = other.network == network.name;
            leads_on &= is_this || self.network(&other.network)?.settings.internal;
        }
        let attachment = self.attachment(container, connected, network, leads_on);
        self.bridge_place()?.within(|| {
            let mut host = Socket::open()?;
            provide(&mut host, network)?;
            let mut inside = link::Container::open(process.as_fd())?;
            attach(&mut host, &mut inside, &attachment)?;
            Ok(Vec::new())
        })?;
        // First, as the monitor takes back the names in the networks that it finds there.
        self.write_connection(container)?;
        self.publish_names(container, connected)?;
        let told = self.tell_monitor(container);
        if self.pid(container)?.is_none() {
            // It has ended meanwhile, and may have looked for names before these were there.
            names::set_names(&self.folders, &network.name, &container.id[..12], &[])?;
        }
        told
    }

    /// Disconnects a container from a network, at once if it runs.
    ///
    /// # Errors
    /// It is not connected.
    pub fn disconnect_network(&self, container: &Container, network: &Network) -> Result<()> {
        let _lock = self.lock(container)?;
        self.look_settled(container)?;
        let all = self.connections(&container.id)?;
        let connected = all.iter().find(|it| it.network == network.name).ok_or_else(|| {
            let (name, network) = (&container.name, &network.name);
            Error::invalid(format!("container {name} is not connected to network {network}"))
        })?;
        if self.pid(container)?.is_some() {
            let device = device_of(container, connected);
            self.bridge_place()?.within(|| {
                detach(&mut Socket::open()?, &device)?;
                Ok(Vec::new())
            })?;
        }
        // Of one that does not run, a start that was killed may have left them.
        names::set_names(&self.folders, &network.name, &container.id[..12], &[])?;
        row::disconnect(&self.store, &container.id, &network.name)?;
        if self.pid(container)?.is_none() {
            return Ok(());
        }
        self.write_connection(container)?;
        self.tell_monitor(container)
    }

    /// The first process of a container that runs. The caller holds its lock.
    fn pid(&self, container: &Container) -> Result<Option<Pid>> {
        let seen = self.look_only(container)?;
        let running = seen.filter(|it| it.status.is_running() || it.status == Status::Restarting);
        Ok(running.and_then(|seen| Pid::from_raw(seen.state.pid)))
    }

    /// What its monitor is to know of the networks that it is in now.
    fn write_connection(&self, container: &Container) -> Result<()> {
        let folder = self.folder(container);
        let connection = self.connection(container, &self.connections(&container.id)?)?;
        let connection = Some(connection);
        Launch { connection, ..Launch::read(&folder.started)? }.write(&folder)
    }

    /// Its monitor answers for other networks now.
    fn tell_monitor(&self, container: &Container) -> Result<()> {
        match protocol::connect_to(&self.folders.socket(&container.id))? {
            Some(socket) => tell(&socket, &Message::NetworksChanged).map(drop),
            // It has just ended.
            None => Ok(()),
        }
    }
}

/// The file in a container's folder with the ports that it has on the machine. It is there from
/// before anything is connected until after all is taken back.
pub(crate) const PORTS: &str = "ports";

/// The bridge and its rules, where they are not there yet.
fn provide(host: &mut Socket, network: &Network) -> Result<()> {
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
fn device_of(container: &Container, connected: &Connected) -> String {
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

/// What the kernel takes for the name of a device, and nobody else has.
fn check_device(name: &str) -> Result<()> {
    let is_taken = ["lo", "all", "default", ".", "..", helper::DEVICE].contains(&name);
    let fits = name.len() <= 15 && name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_taken || !fits || name.contains(['/', ':', '%']) {
        let text = format!("--network: {name:?} cannot be the name of a device");
        return Err(Error::Invalid(text));
    }
    Ok(())
}

fn own_names(container: &Container) -> String {
    let hostname = &container.settings.hostname;
    let hostname = if hostname.is_empty() { &container.id[..12] } else { hostname };
    format!("{hostname} {}", container.name)
}

fn addresses(texts: &[String]) -> Result<Vec<IpAddr>> {
    let address =
        |text: &String| text.parse().map_err(|_| Error::invalid(format!("{text:?} is no address")));
    texts.iter().map(address).collect()
}

fn mac(text: Option<&str>) -> Result<Option<String>> {
    let parsed = text.map(str::parse::<link::Mac>).transpose();
    let parsed = parsed.map_err(|error| Error::Invalid(error.to_string()))?;
    Ok(parsed.map(|mac| mac.to_string()))
}

/// What is to be published: what the user says, and with `-P` all that the image says.
fn published(settings: &crate::settings::Network) -> Result<Vec<Port>> {
    let mut ports = parse(settings.ports.iter().map(String::as_str))?;
    if settings.publish_all {
        for port in parse(settings.exposed.iter().map(String::as_str))? {
            let is_there =
                |it: &Port| (it.container, it.protocol) == (port.container, port.protocol);
            if !ports.iter().any(is_there) {
                ports.push(port);
            }
        }
    }
    Ok(ports)
}

fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Port>> {
    let mut ports = Vec::new();
    for text in texts {
        ports.extend(port::parse(text).map_err(|error| Error::Invalid(error.to_string()))?);
    }
    Ok(ports)
}
