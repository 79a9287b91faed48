//! `tinyo network`.

mod create;
mod removal;

use super::fail;
use super::port::{endpoint_id, mac};
use super::wanted::{self, Filter};
use crate::context::Context;
use crate::show::{
    ListFormat, print_columns, print_details, print_line, print_lines, print_rows, print_table,
};
use anyhow::Result;
use clap::{Args, Subcommand};
use create::{CreateArguments, create};
use engine::{Connected, Engine, Network, NetworkSettings};
pub(crate) use removal::remove_unused;
use removal::{PruneArguments, RemoveArguments, prune, remove};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a network
    Create(CreateArguments),
    /// List networks
    #[command(visible_alias = "list")]
    Ls(ListArguments),
    /// Show all that is known of networks, in JSON
    Inspect(InspectArguments),
    /// Say by the exit code whether there is such a network: 0 or 1
    Exists {
        /// Name or id
        network: String,
    },
    /// Remove networks that no container is connected to
    #[command(visible_alias = "remove")]
    Rm(RemoveArguments),
    /// Connect a container to one more network
    Connect(ConnectArguments),
    /// Disconnect a container from a network
    Disconnect(DisconnectArguments),
    /// Remove all networks that no container is connected to
    Prune(PruneArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Print nothing but ids
    #[arg(short, long)]
    quiet: bool,
    /// Only those that fit: name= id= label= driver= scope=local dangling=BOOL internal=BOOL
    #[arg(short, long, value_name = "FILTER", value_parser = wanted::one_of(FILTERS))]
    filter: Vec<Filter>,
    /// Show ids to the end
    #[arg(long)]
    no_trunc: bool,
    /// No headings
    #[arg(short = 'n', long)]
    noheading: bool,
    /// table, json, or a template such as '{{.Name}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

#[derive(Args)]
pub(crate) struct InspectArguments {
    /// json, or a template such as '{{.Internal}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<ListFormat>,
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
    /// It is no error if it is not connected, or there is no such container
    #[arg(short, long)]
    force: bool,
    /// Name or id
    network: String,
    /// Name or id
    container: String,
}

/// What templates can show, and what is above it. The first ones are shown where nothing is said.
const HEADINGS: [(&str, &str); 9] = [
    ("ID", "NETWORK ID"),
    ("Name", "NAME"),
    ("Driver", "DRIVER"),
    ("Scope", "SCOPE"),
    ("Subnets", "SUBNETS"),
    ("Internal", "INTERNAL"),
    ("CreatedAt", "CREATED AT"),
    ("Labels", "LABELS"),
    ("Label", ""),
];
const COLUMNS: &[(&str, &str)] = HEADINGS.split_at(5).0;

/// What Docker lists as networks, too: what `--network` takes that is none, and the drivers of these.
const MODES: [(&str, &str, char); 2] = [("host", "host", '1'), ("none", "null", '0')];

pub(crate) fn run(context: &Context, command: &Command) -> Result<ExitCode> {
    let engine = context.engine()?;
    let done = match command {
        Command::Create(arguments) => create(&engine, arguments),
        Command::Ls(arguments) => list(&engine, arguments),
        Command::Inspect(arguments) => inspect(&engine, arguments),
        Command::Exists { network } => match find(&engine, network) {
            Err(engine::Error::NoSuchNetwork(_)) => return Ok(ExitCode::FAILURE),
            found => Ok(found.map(drop)?),
        },
        Command::Rm(arguments) => remove(&engine, arguments),
        Command::Connect(arguments) => {
            let container = engine.find(&arguments.container)?;
            let ips: Vec<String> = arguments.ip.iter().chain(&arguments.ip6).cloned().collect();
            let network = engine.network(&arguments.network)?;
            Ok(engine.connect_network(&container, &network, &ips, &arguments.alias)?)
        }
        Command::Disconnect(arguments) => disconnect(&engine, arguments),
        Command::Prune(arguments) => prune(&engine, arguments),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn disconnect(engine: &Engine, arguments: &DisconnectArguments) -> Result<()> {
    let container = match engine.find(&arguments.container) {
        Err(engine::Error::NoSuchContainer(_)) if arguments.force => return Ok(()),
        found => found?,
    };
    let network = engine.network(&arguments.network)?;
    let is_connected = |all: Vec<Connected>| all.iter().any(|it| it.network == network.name);
    if arguments.force && !is_connected(engine.connections(&container.id)?) {
        return Ok(());
    }
    Ok(engine.disconnect_network(&container, &network)?)
}

/// What Docker lists as a network and is none, by its name or id.
fn mode(text: &str) -> Option<Network> {
    let (name, _, digit) = MODES.iter().find(|(name, _, digit)| {
        *name == text || (text.len() >= 12 && text.chars().all(|it| it == *digit))
    })?;
    let (id, bridge) = (digit.to_string().repeat(64), String::new());
    let settings = NetworkSettings::default();
    Some(Network { name: (*name).to_owned(), id, bridge, created: 0, settings })
}

/// Whether it is there without anybody having made it.
fn is_predefined(network: &Network) -> bool {
    network.name == engine::DEFAULT_NETWORK || network.bridge.is_empty()
}

/// The network of this name or id, or what Docker lists as one.
pub(super) fn find(engine: &Engine, text: &str) -> engine::Result<Network> {
    mode(text).map_or_else(|| engine.network(text), Ok)
}

fn list(engine: &Engine, arguments: &ListArguments) -> Result<()> {
    // The default one is always there.
    engine.network(engine::DEFAULT_NETWORK)?;
    let mut networks = Vec::new();
    let mut all = engine.networks()?;
    all.extend(MODES.iter().filter_map(|(name, ..)| mode(name)));
    all.sort_by(|one, other| one.name.cmp(&other.name));
    for network in all {
        if fits(engine, &network, &arguments.filter)? {
            networks.push(network);
        }
    }
    if arguments.quiet {
        let length = if arguments.no_trunc { 64 } else { 12 };
        return networks.iter().try_for_each(|network| print_line(&network.id[..length]));
    }
    let mut records: Vec<Value> =
        networks.iter().map(|network| record(network, arguments.no_trunc)).collect();
    if arguments.format.mentions(".Label ") {
        for (record, network) in records.iter_mut().zip(&networks) {
            record["Label"] = json!(network.settings.labels);
        }
    }
    match &arguments.format {
        ListFormat::Json => records.iter().try_for_each(|record| print_line(&record.to_string())),
        ListFormat::Lines(template) => print_lines(template, &records),
        ListFormat::Columns(template) => print_columns(template, &HEADINGS, &records),
        ListFormat::Table => {
            let cell = |record: &Value, name: &str| record[name].as_str().unwrap_or("").to_owned();
            let row = |record: &Value| {
                COLUMNS.iter().map(|(name, _)| cell(record, name)).collect::<Vec<_>>()
            };
            let rows: Vec<_> = records.iter().map(row).collect();
            let heading: Vec<_> = COLUMNS.iter().map(|(_, heading)| *heading).collect();
            if arguments.noheading { print_rows(&rows) } else { print_table(&heading, &rows) }
        }
    }
}

const FILTERS: &[&str] =
    &["name", "id", "label", "label!", "driver", "scope", "type", "dangling", "internal"];

fn fits(engine: &Engine, network: &Network, filters: &[Filter]) -> Result<bool> {
    let labels = &network.settings.labels;
    for (name, value) in filters {
        let fits = match name.as_str() {
            "name" => network.name.contains(value.as_str()),
            "id" => network.id.starts_with(value.as_str()),
            "label" => wanted::has_label(labels, value),
            "label!" => !wanted::has_label(labels, value),
            "driver" => value == driver(network),
            "scope" => value == "local",
            // Docker calls those custom that are not made by itself.
            "type" => is_predefined(network) == (value == "builtin"),
            // What can be removed.
            "dangling" => {
                let is_free = !is_predefined(network) && engine.connected(network)?.is_empty();
                is_free == wanted::is_true(name, value)?
            }
            _ => network.settings.internal == wanted::is_true(name, value)?,
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn driver(network: &Network) -> &str {
    let mode = MODES.iter().find(|(name, ..)| *name == network.name);
    match &network.settings.shared {
        Some(device) => &device.driver,
        None => mode.map_or("bridge", |(_, driver, _)| driver),
    }
}

fn record(network: &Network, long: bool) -> Value {
    let settings = &network.settings;
    let subnets: Vec<String> = settings.subnets.iter().map(|it| it.subnet.to_string()).collect();
    let labels = settings.labels.iter().map(|(name, value)| format!("{name}={value}"));
    json!({
        "ID": network.id[..if long { 64 } else { 12 }],
        "Name": network.name,
        "Driver": driver(network),
        "Scope": "local",
        "Internal": settings.internal.to_string(),
        "Subnets": subnets.join(", "),
        "CreatedAt": engine::time_text(network.created),
        "Labels": labels.collect::<Vec<_>>().join(","),
    })
}

fn inspect(engine: &Engine, arguments: &InspectArguments) -> Result<()> {
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for text in &arguments.networks {
        match find(engine, text) {
            Ok(network) => all.push(describe(engine, &network)?),
            Err(error) => failures.push(error.into()),
        }
    }
    print_details(arguments.format.as_ref(), &all)?;
    fail(&failures)
}

/// With Docker's names of fields.
pub(crate) fn describe(engine: &Engine, network: &Network) -> Result<Value> {
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
                "EndpointID": endpoint_id(&connected, network),
                "MacAddress": mac(&connected),
                "IPv4Address": address(true).unwrap_or_default(),
                "IPv6Address": address(false).unwrap_or_default(),
            }),
        );
    }
    let ranges = settings.subnets.iter().map(|it| {
        let mut range = json!({"Subnet": it.subnet.to_string(), "Gateway": it.gateway.to_string()});
        if let Some(part) = it.part {
            range["IPRange"] = part.to_string().into();
        }
        let reserved =
            settings.reserved.iter().filter(|(_, address)| it.subnet.contains(**address));
        let reserved: serde_json::Map<_, _> =
            reserved.map(|(name, address)| (name.clone(), address.to_string().into())).collect();
        if !reserved.is_empty() {
            range["AuxiliaryAddresses"] = reserved.into();
        }
        range
    });
    let options = match &settings.shared {
        Some(it) => json!({"parent": it.parent, "mode": it.mode, "mtu": settings.mtu}),
        None if network.bridge.is_empty() => json!({}),
        None => json!({
            "bridge": network.bridge,
            "com.docker.network.bridge.name": network.bridge,
            "mtu": settings.mtu,
        }),
    };
    Ok(json!({
        "Name": network.name,
        "Id": network.id,
        "Created": engine::time_text(network.created),
        "Scope": "local",
        "Driver": driver(network),
        "EnableIPv6": settings.subnets.iter().any(|it| !it.subnet.is_ipv4()),
        "IPAM": {"Driver": "default", "Config": ranges.collect::<Vec<_>>()},
        "Internal": settings.internal,
        "Containers": containers,
        "Options": options,
        "Labels": settings.labels,
    }))
}
