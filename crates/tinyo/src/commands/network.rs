//! `tinyo network` and `tinyo port`.

use super::fail;
use crate::context::Context;
use crate::show::{ListFormat, print_columns, print_line, print_lines, print_table};
use crate::template::Template;
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use engine::{Container, Engine, Network, NetworkSettings, Range};
use net::port::Port;
use net::subnet::Subnet;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a network
    Create(CreateArguments),
    /// List networks
    #[command(visible_alias = "list")]
    Ls(ListArguments),
    /// Show all that is known of networks, in JSON
    Inspect(InspectArguments),
    /// Remove networks that no container is connected to
    #[command(visible_alias = "remove")]
    Rm(Names),
    /// Connect a container to one more network
    Connect(ConnectArguments),
    /// Disconnect a container from a network
    Disconnect(DisconnectArguments),
    /// Remove all networks that no container is connected to
    Prune(PruneArguments),
}

#[derive(Args)]
pub(crate) struct CreateArguments {
    /// Only bridge
    #[arg(short, long, default_value = "bridge", value_parser = ["bridge"])]
    driver: String,
    /// Its addresses, such as 10.9.0.0/24; one of IPv4 and one of IPv6 at most
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<Subnet>,
    /// The machine's address in a subnet, if not the first one
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<IpAddr>,
    /// It leads nowhere else
    #[arg(long)]
    internal: bool,
    /// It must have IPv6, as it has anyway where the kernel does
    #[arg(long)]
    ipv6: bool,
    /// com.docker.network.driver.mtu=BYTES or mtu=BYTES, the longest packet
    #[arg(short, long, value_name = "OPTION")]
    opt: Vec<String>,
    /// Anything to find it by, NAME=VALUE
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// How it is called
    name: String,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Print nothing but names
    #[arg(short, long)]
    quiet: bool,
    /// Show ids to the end
    #[arg(long)]
    no_trunc: bool,
    /// table, json, or a template such as '{{.Name}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

#[derive(Args)]
pub(crate) struct InspectArguments {
    /// A template such as '{{.Internal}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<Template>,
    /// Names or ids
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Names {
    /// Names or ids
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ConnectArguments {
    /// Its IPv4 address there
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Its IPv6 address there
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// One more name that it has there
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// Name or id
    network: String,
    /// Name or id
    container: String,
}

#[derive(Args)]
pub(crate) struct DisconnectArguments {
    /// Name or id
    network: String,
    /// Name or id
    container: String,
}

#[derive(Args)]
pub(crate) struct PruneArguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

#[derive(Args)]
pub(crate) struct PortArguments {
    /// Name or id
    container: String,
    /// Only this one, PORT[/PROTOCOL]
    port: Option<String>,
}

const HEADINGS: [(&str, &str); 4] =
    [("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"), ("Subnets", "SUBNETS")];

pub(crate) fn run(context: &Context, command: &Command) -> Result<()> {
    let engine = context.engine()?;
    match command {
        Command::Create(arguments) => create(&engine, arguments),
        Command::Ls(arguments) => list(&engine, arguments),
        Command::Inspect(arguments) => inspect(&engine, arguments),
        Command::Rm(names) => remove(&engine, &names.networks),
        Command::Connect(arguments) => {
            let container = engine.find(&arguments.container)?;
            let ips: Vec<String> = arguments.ip.iter().chain(&arguments.ip6).cloned().collect();
            let network = engine.network(&arguments.network)?;
            Ok(engine.connect_network(&container, &network, &ips, &arguments.alias)?)
        }
        Command::Disconnect(arguments) => {
            let container = engine.find(&arguments.container)?;
            Ok(engine.disconnect_network(&container, &engine.network(&arguments.network)?)?)
        }
        Command::Prune(arguments) => prune(&engine, arguments),
    }
}

fn create(engine: &Engine, arguments: &CreateArguments) -> Result<()> {
    if arguments.ipv6 && !net::link::is_ipv6_available() {
        bail!("--ipv6: this kernel has no IPv6, or it is turned off");
    }
    let mut gateways = arguments.gateway.clone();
    let mut subnets = Vec::new();
    for subnet in &arguments.subnet {
        let mut range = Range::of(*subnet);
        if let Some(place) = gateways.iter().position(|it| subnet.contains(*it)) {
            range.gateway = gateways.remove(place);
        }
        subnets.push(range);
    }
    if let Some(gateway) = gateways.first() {
        bail!("--gateway {gateway}: it is in no subnet that --subnet names");
    }
    for ipv4 in [true, false] {
        if subnets.iter().filter(|it| it.subnet.is_ipv4() == ipv4).count() > 1 {
            bail!("--subnet: one of IPv4 and one of IPv6 at most");
        }
    }
    let mut mtu = None;
    for option in &arguments.opt {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "mtu" | "com.docker.network.driver.mtu" => {
                let valid = value.parse().ok().filter(|bytes| (1280..=65535).contains(bytes));
                mtu = Some(valid.with_context(|| format!("--opt {option}: 1280 to 65535 bytes"))?);
            }
            _ => bail!("--opt {option}: there is no such option, only mtu=BYTES"),
        }
    }
    let label = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let labels: BTreeMap<_, _> = arguments.label.iter().map(label).collect();
    let settings = NetworkSettings { subnets, internal: arguments.internal, mtu, labels };
    print_line(&engine.create_network(&arguments.name, settings)?.id)
}

fn list(engine: &Engine, arguments: &ListArguments) -> Result<()> {
    // The default one is always there.
    engine.network(engine::DEFAULT_NETWORK)?;
    let networks = engine.networks()?;
    if arguments.quiet {
        return networks.iter().try_for_each(|network| print_line(&network.name));
    }
    let records: Vec<Value> =
        networks.iter().map(|network| record(network, arguments.no_trunc)).collect();
    match &arguments.format {
        ListFormat::Json => records.iter().try_for_each(|record| print_line(&record.to_string())),
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        ListFormat::Table => {
            let cell = |record: &Value, name: &str| record[name].as_str().unwrap_or("").to_owned();
            let row = |record: &Value| {
                HEADINGS.iter().map(|(name, _)| cell(record, name)).collect::<Vec<_>>()
            };
            let rows: Vec<_> = records.iter().map(row).collect();
            print_table(&HEADINGS.map(|(_, heading)| heading), &rows)
        }
    }
}

fn record(network: &Network, long: bool) -> Value {
    let settings = &network.settings;
    let subnets: Vec<String> = settings.subnets.iter().map(|it| it.subnet.to_string()).collect();
    let labels = settings.labels.iter().map(|(name, value)| format!("{name}={value}"));
    json!({
        "ID": network.id[..if long { 64 } else { 12 }],
        "Name": network.name,
        "Driver": "bridge",
        "Scope": "local",
        "Internal": settings.internal.to_string(),
        "Subnets": subnets.join(", "),
        "CreatedAt": engine::time_text(network.created),
        "Labels": labels.collect::<Vec<_>>().join(","),
    })
}

fn inspect(engine: &Engine, arguments: &InspectArguments) -> Result<()> {
    let mut all = Vec::new();
    for text in &arguments.networks {
        let network = engine.network(text)?;
        all.push(details(engine, &network)?);
    }
    match &arguments.format {
        Some(template) => print_lines(template, &all),
        None => print_line(&serde_json::to_string_pretty(&all)?),
    }
}

/// With Docker's names of fields.
fn details(engine: &Engine, network: &Network) -> Result<Value> {
    let settings = &network.settings;
    let mut containers = serde_json::Map::new();
    let all = engine.containers()?;
    for connected in engine.connected(network)? {
        let name = all.iter().find(|it| it.id == connected.container).map(|it| &it.name);
        let address = |ipv4: bool| {
            let range = settings.subnets.iter().find(|it| it.subnet.is_ipv4() == ipv4)?;
            let address = connected.addresses.iter().find(|it| it.is_ipv4() == ipv4)?;
            Some(format!("{address}/{}", range.subnet.prefix()))
        };
        containers.insert(
            connected.container.clone(),
            json!({
                "Name": name,
                "IPv4Address": address(true).unwrap_or_default(),
                "IPv6Address": address(false).unwrap_or_default(),
            }),
        );
    }
    let ranges = settings
        .subnets
        .iter()
        .map(|it| json!({"Subnet": it.subnet.to_string(), "Gateway": it.gateway.to_string()}));
    Ok(json!({
        "Name": network.name,
        "Id": network.id,
        "Created": engine::time_text(network.created),
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv6": settings.subnets.iter().any(|it| !it.subnet.is_ipv4()),
        "IPAM": {"Driver": "default", "Config": ranges.collect::<Vec<_>>()},
        "Internal": settings.internal,
        "Containers": containers,
        "Options": {"bridge": network.bridge, "mtu": settings.mtu},
        "Labels": settings.labels,
    }))
}

fn remove(engine: &Engine, names: &[String]) -> Result<()> {
    let mut failures = Vec::new();
    for name in names {
        let removed = engine.network(name).and_then(|network| engine.remove_network(&network));
        match removed {
            Ok(()) => print_line(name)?,
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}

fn prune(engine: &Engine, arguments: &PruneArguments) -> Result<()> {
    if !arguments.force {
        bail!("it would remove all networks that no container is connected to: say --force");
    }
    remove_unused(engine)?.iter().try_for_each(|name| print_line(name))
}

/// Removes all networks but the default one that no container is connected to, and says which those
/// were.
pub(crate) fn remove_unused(engine: &Engine) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for network in engine.networks()? {
        if network.name == engine::DEFAULT_NETWORK {
            continue;
        }
        match engine.remove_network(&network) {
            Ok(()) => removed.push(network.name),
            Err(engine::Error::NetworkInUse { .. } | engine::Error::NoSuchNetwork(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(removed)
}

pub(crate) fn port(context: &Context, arguments: &PortArguments) -> Result<()> {
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
