//! How a container is to be connected: what the user wants, checked before anything is made.

use super::mode::check_mode;
use super::row::{Network, Wish};
use super::{is_network, shared};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::settings::{self, Endpoint, Settings};
use crate::value::host_name;
use net::port::{self, Port};
use net::{helper, link};
use std::net::IpAddr;

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
        shared::check_connections(&planned, ports.first())?;
        Ok(planned)
    }

    /// A network that a flag names.
    fn wished(&self, name: &str) -> Result<Network> {
        if !is_network(name) {
            let text = format!("--network {name}: not together with other networks");
            return Err(Error::Invalid(text));
        }
        self.network(name).map_err(|error| match error {
            Error::NoSuchNetwork(name) => Error::invalid(format!(
                "--network {name}: there is no such network{}",
                instead(&name).unwrap_or_default()
            )),
            error => error,
        })
    }
}

/// What there is in place of what Podman calls so.
fn instead(name: &str) -> Option<&'static str> {
    match name {
        "podman" => Some("; the default one is called bridge"),
        "private" => Some("; each container has its own unless it is given another one's"),
        "pasta" | "slirp4netns" => Some("; users without rights have that without a flag"),
        _ => None,
    }
}

impl Engine {
    /// Finds the containers of `--link`, by whatever name they have later.
    pub(crate) fn find_links(
        &self,
        settings: &mut settings::Network,
        planned: &[(Network, Wish)],
    ) -> Result<()> {
        for link in &mut settings.links {
            let wrong = |what: String| Error::invalid(format!("--link {link}: {what}"));
            let (name, alias) = link.split_once(':').unwrap_or((link, link));
            let alias = host_name(alias).map_err(wrong)?;
            let other = self.find(name).map_err(|error| wrong(error.to_string()))?;
            let others = self.connections(&other.id)?;
            let is_shared =
                |it: &(Network, Wish)| others.iter().any(|own| own.network == it.0.name);
            if !planned.iter().any(is_shared) {
                return Err(wrong("it is in no network of this one".to_owned()));
            }
            *link = format!("{}:{alias}", other.id);
        }
        Ok(())
    }
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

/// As a user writes them.
pub(super) fn addresses(texts: &[String]) -> Result<Vec<IpAddr>> {
    let address = |text: &String| {
        text.parse()
            .map_err(|_| Error::invalid(format!("--network or --ip: {text:?} is no address")))
    };
    texts.iter().map(address).collect()
}

fn mac(text: Option<&str>) -> Result<Option<String>> {
    let parsed = text.map(str::parse::<link::Mac>).transpose();
    let parsed = parsed.map_err(|error| Error::Invalid(format!("--mac-address: {error}")))?;
    Ok(parsed.map(|mac| mac.to_string()))
}

/// What is to be published: what the user says, and with `-P` all that the image says.
pub(super) fn published(settings: &settings::Network) -> Result<Vec<Port>> {
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

/// As a user writes them, or as they are in the file [`super::PORTS`].
pub(super) fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Port>> {
    let mut ports = Vec::new();
    for text in texts {
        let wrong = |error| Error::Invalid(format!("--publish: {error}"));
        ports.extend(port::parse(text).map_err(wrong)?);
    }
    Ok(ports)
}
