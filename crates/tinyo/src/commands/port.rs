//! `tinyo port`, and what other commands show of how a container is connected.

use super::container;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;
use engine::{Connected, Container, Engine, Network};
use net::port::Port;
use serde_json::{Map, Value, json};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Of all containers, each line with the beginning of its id
    #[arg(short, long, conflicts_with = "words")]
    all: bool,
    /// Of the newest container, which is not named then
    #[arg(short, long, conflicts_with = "all")]
    latest: bool,
    /// A container, and to see only one of its ports that, PORT[/PROTOCOL]
    #[arg(required_unless_present_any = ["all", "latest"], value_names = ["CONTAINER", "PORT"], num_args = 1..=2)]
    words: Vec<String>,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    if arguments.all {
        let print = |it: &Container| print_all(&engine, it, &format!("{}\t", &it.id[..12]));
        return engine.containers()?.iter().try_for_each(print);
    }
    let mut words = arguments.words.iter().map(String::as_str);
    let name = if arguments.latest { None } else { words.next() };
    let container = container::one(&engine, name)?;
    print(&engine, &container, words.next())
}

/// All ports of a container, or where one of them is reached.
pub(crate) fn print(engine: &Engine, container: &Container, wanted: Option<&str>) -> Result<()> {
    let Some(wanted) = wanted else { return print_all(engine, container, "") };
    let ports = engine.published_ports(container)?;
    let parsed = net::port::parse(wanted)?;
    let is_it = |port: &&Port| {
        parsed.iter().any(|it| (it.container, it.protocol) == (port.container, port.protocol))
    };
    let found: Vec<&Port> = ports.iter().filter(is_it).collect();
    if found.is_empty() {
        bail!("the port {wanted} of container {} is not published", container.name);
    }
    found.into_iter().flat_map(addresses).try_for_each(|address| print_line(&address))
}

/// All ports of a container.
fn print_all(engine: &Engine, container: &Container, before: &str) -> Result<()> {
    for port in &engine.published_ports(container)? {
        for address in addresses(port) {
            print_line(&format!("{before}{}/{} -> {address}", port.container, port.protocol))?;
        }
    }
    Ok(())
}

/// Where a port is reached, as Docker shows it.
fn addresses(port: &Port) -> Vec<String> {
    let number = port.host.unwrap_or_default();
    match port.address {
        Some(address) => vec![std::net::SocketAddr::new(address, number).to_string()],
        None => vec![format!("0.0.0.0:{number}"), format!("[::]:{number}")],
    }
}

/// The ports of a container in one line, as `ps` shows them.
pub(crate) fn ports_text(ports: &[Port]) -> String {
    let text = |port: &Port| {
        let target = format!("{}/{}", port.container, port.protocol);
        addresses(port).into_iter().map(move |address| format!("{address}->{target}"))
    };
    ports.iter().flat_map(text).collect::<Vec<_>>().join(", ")
}

/// How a container is connected, with Docker's names of fields.
pub(crate) fn settings(engine: &Engine, container: &Container) -> Result<Value> {
    let ports = by_port(&engine.published_ports(container)?, &["0.0.0.0", "::"]);
    let mut networks = serde_json::Map::new();
    for connected in engine.connections(&container.id)? {
        let network = engine.network(&connected.network)?;
        let of = |ipv4: bool| {
            let ranges = &network.settings.subnets;
            let range = ranges.iter().find(|it| it.subnet.is_ipv4() == ipv4)?;
            let address = connected.addresses.iter().find(|it| it.is_ipv4() == ipv4)?;
            Some((address.to_string(), range.gateway.to_string(), range.subnet.prefix()))
        };
        let (ip, gateway, prefix) = of(true).unwrap_or_default();
        let (ip6, gateway6, prefix6) = of(false).unwrap_or_default();
        let (mac, endpoint) = (mac(&connected), endpoint_id(&connected, &network));
        let name = connected.network;
        networks.insert(
            name.clone(),
            json!({
                "NetworkID": network.id,
                "EndpointID": endpoint,
                "Aliases": connected.aliases,
                "IPAddress": ip, "Gateway": gateway, "IPPrefixLen": prefix,
                "GlobalIPv6Address": ip6, "IPv6Gateway": gateway6, "GlobalIPv6PrefixLen": prefix6,
                "MacAddress": mac,
                "IPAMConfig": asked_addresses(container, &name),
                "Links": null,
                "DriverOpts": null,
            }),
        );
    }
    if networks.is_empty() {
        networks.insert(container.settings.network.mode.clone(), json!({}));
    }
    let mut all = json!({ "Ports": ports });
    let usual = networks.get(engine::DEFAULT_NETWORK);
    for (name, none) in [
        ("EndpointID", json!("")),
        ("IPAddress", json!("")),
        ("Gateway", json!("")),
        ("IPPrefixLen", json!(0)),
        ("GlobalIPv6Address", json!("")),
        ("IPv6Gateway", json!("")),
        ("GlobalIPv6PrefixLen", json!(0)),
        ("MacAddress", json!("")),
    ] {
        all[name] = usual.map_or(none, |it| it[name].clone());
    }
    all["Networks"] = networks.into();
    Ok(all)
}

/// Those that `--ip` and its like ask for, as Docker has it.
fn asked_addresses(container: &Container, network: &str) -> Value {
    let endpoints = container.settings.network.endpoints();
    let found = endpoints.iter().find(|it| it.network == network);
    let mut asked = Map::new();
    for address in found.into_iter().flat_map(|it| &it.addresses) {
        let name = if address.contains(':') { "IPv6Address" } else { "IPv4Address" };
        asked.insert(name.to_owned(), address.as_str().into());
    }
    if asked.is_empty() { Value::Null } else { asked.into() }
}

/// What `-p` asks for, with Docker's names of fields.
pub(crate) fn asked_for(texts: &[String]) -> Map<String, Value> {
    by_port(&parsed(texts).collect::<Vec<_>>(), &[""])
}

/// The ports that a container says it listens on, or publishes, each as `PORT/PROTOCOL`.
pub(crate) fn exposed(container: &Container) -> impl Iterator<Item = String> {
    let network = &container.settings.network;
    let ports = parsed(&network.exposed).chain(parsed(&network.ports));
    ports.map(|port| format!("{}/{}", port.container, port.protocol))
}

/// They were checked when the container was made.
fn parsed(texts: &[String]) -> impl Iterator<Item = Port> {
    texts.iter().flat_map(|text| net::port::parse(text).unwrap_or_default())
}

/// Where ports are reached, and how it is written that one is reached everywhere.
fn by_port(ports: &[Port], everywhere: &[&str]) -> Map<String, Value> {
    let mut all = Map::new();
    for port in ports {
        let number = port.host.map(|it| it.to_string()).unwrap_or_default();
        let everywhere = || everywhere.iter().copied().map(str::to_owned).collect();
        let hosts: Vec<String> = port.address.map_or_else(everywhere, |it| vec![it.to_string()]);
        let bindings = hosts.iter().map(|host| json!({"HostIp": host, "HostPort": number}));
        let key = format!("{}/{}", port.container, port.protocol);
        let found = all.entry(key).or_insert_with(|| json!([]));
        if let Some(found) = found.as_array_mut() {
            found.extend(bindings);
        }
    }
    all
}

/// The Ethernet address of a container in a network.
pub(crate) fn mac(connected: &Connected) -> Option<String> {
    let usual = || connected.addresses.first().map(|it| net::link::Mac::of(*it).to_string());
    connected.mac.clone().or_else(usual)
}

/// Docker gives each connection an id; here, those of both ends say which it is.
pub(crate) fn endpoint_id(connected: &Connected, network: &Network) -> String {
    format!("{}{}", &connected.container[..32], &network.id[..32])
}
