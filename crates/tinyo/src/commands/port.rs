//! `tinyo port`, and what other commands show of how a container is connected.

use crate::context::Context;
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;
use engine::{Container, Engine};
use net::port::Port;
use serde_json::{Value, json};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name or id
    container: String,
    /// Only this one, PORT[/PROTOCOL]
    port: Option<String>,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let container: Container = engine.find(&arguments.container)?;
    let ports = engine.published_ports(&container)?;
    let Some(wanted) = &arguments.port else {
        for port in &ports {
            for address in addresses(port) {
                print_line(&format!("{}/{} -> {address}", port.container, port.protocol))?;
            }
        }
        return Ok(());
    };
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
    let mut ports = serde_json::Map::new();
    for port in engine.published_ports(container)? {
        let key = format!("{}/{}", port.container, port.protocol);
        let number = port.host.unwrap_or_default().to_string();
        let everywhere = vec!["0.0.0.0".to_owned(), "::".to_owned()];
        let hosts = port.address.map_or(everywhere, |address| vec![address.to_string()]);
        let bindings = hosts.iter().map(|host| json!({"HostIp": host, "HostPort": number}));
        let all = ports.entry(key).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.extend(bindings);
        }
    }
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
        let first = connected.addresses.first();
        let mac = connected.mac.clone();
        let mac = mac.or(first.map(|it| net::link::Mac::of(*it).to_string()));
        networks.insert(
            connected.network,
            json!({
                "NetworkID": network.id,
                "Aliases": connected.aliases,
                "IPAddress": ip, "Gateway": gateway, "IPPrefixLen": prefix,
                "GlobalIPv6Address": ip6, "IPv6Gateway": gateway6, "GlobalIPv6PrefixLen": prefix6,
                "MacAddress": mac,
            }),
        );
    }
    if networks.is_empty() {
        networks.insert(container.settings.network.mode.clone(), json!({}));
    }
    let usual = networks.get(engine::DEFAULT_NETWORK);
    let field = |name: &str| usual.map_or(json!(""), |it| it[name].clone());
    Ok(json!({
        "IPAddress": field("IPAddress"),
        "Gateway": field("Gateway"),
        "MacAddress": field("MacAddress"),
        "Ports": ports,
        "Networks": networks,
    }))
}
