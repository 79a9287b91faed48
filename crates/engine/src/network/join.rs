//! Networks that a container is connected to, or not any more, when it is there already.

use super::connect::{device_of, provide};
use super::plan::addresses;
use super::row::{self, Connected, Network, Wish};
use super::{is_network, names, shared};
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::Launch;
use crate::protocol::{self, Message, tell};
use crate::status::Status;
use net::link::{self, attach, detach};
use std::os::fd::AsFd as _;
use sys::OrError;
use sys::netlink::Socket;
use sys::rustix::io::Errno;
use sys::rustix::process::{Pid, PidfdFlags, pidfd_open};

impl Engine {
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
        let Err(error) = self.join(container, &connected, network) else {
            return self.tell_event_of_network(network, "connect", Some(container));
        };
        let error = match error {
            // Its namespace goes first, and then its process.
            Error::Network(net::Error::Namespace(_)) => ending(container),
            Error::Call(error) if error.errno == Errno::SRCH => ending(container),
            error => error,
        };
        // Whatever of it was done.
        Err(match self.leave(container, &connected, network) {
            Ok(()) => error,
            Err(left) => Error::Several(vec![
                error.to_string(),
                format!("what was done of it by then could not be taken back: {left}"),
            ]),
        })
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
        self.leave(container, connected, network)?;
        if self.pid(container)?.is_some() {
            self.write_connection(container)?;
            self.tell_monitor(container)?;
        }
        self.tell_event_of_network(network, "disconnect", Some(container))
    }

    /// Takes back all that is there of a connection.
    fn leave(&self, container: &Container, of: &Connected, network: &Network) -> Result<()> {
        self.take_device(container, of, network)?;
        // Of one that does not run, a start that was killed may have left them.
        names::set_names(&self.folders, &network.name, &container.id[..12], &[])?;
        row::disconnect(&self.store, &container.id, &network.name).map(drop)
    }

    /// Takes a device of a network away from a container, if it runs.
    fn take_device(
        &self,
        container: &Container,
        from: &Connected,
        network: &Network,
    ) -> Result<()> {
        let Some(pid) = self.pid(container)? else { return Ok(()) };
        if network.settings.shared.is_some() {
            let process = pidfd_open(pid, PidfdFlags::empty()).or_error("pidfd_open", || "")?;
            return shared::detach(container, process.as_fd(), from.place, &network.name);
        }
        let device = device_of(container, from);
        self.bridge_place()?.within(|| {
            detach(&mut Socket::open()?, &device)?;
            Ok(Vec::new())
        })?;
        Ok(())
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

    /// Its monitor is to read anew what it was started with.
    pub(crate) fn tell_monitor(&self, container: &Container) -> Result<()> {
        match protocol::connect_to(&self.folders.socket(&container.id))? {
            Some(socket) => tell(&socket, &Message::LaunchChanged).map(drop),
            // It has just ended.
            None => Ok(()),
        }
    }
}

fn ending(container: &Container) -> Error {
    let (name, status) = (container.name.clone(), "about to end".to_owned());
    Error::WrongStatus { name, verb: "connect", status, hint: "" }
}
