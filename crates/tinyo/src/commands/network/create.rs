//! `tinyo network create`.

use crate::show::print_line;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{Engine, NetworkSettings, Range, SharedDevice};
use net::link::Sharing;
use net::subnet::Subnet;
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Args)]
pub(crate) struct CreateArguments {
    /// bridge, or macvlan or ipvlan: containers share a device of the machine, which --opt parent=
    /// names, and are in its network; only root can do that
    #[arg(short, long, default_value = "bridge", value_name = "DRIVER")]
    driver: String,
    /// Its addresses, such as 10.9.0.0/24; one of IPv4 and one of IPv6 at most
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<Subnet>,
    /// The machine's (or with macvlan and ipvlan the router's) address in a subnet, if not the first
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<IpAddr>,
    /// The part of a subnet from which containers get addresses that they do not choose
    #[arg(long, value_name = "SUBNET")]
    ip_range: Vec<String>,
    /// An address that no container gets, NAME=ADDRESS
    #[arg(long, value_name = "ADDRESS")]
    aux_address: Vec<String>,
    /// It leads nowhere else; a macvlan or ipvlan only has no default route
    #[arg(long)]
    internal: bool,
    /// Containers can be connected later, as with all networks here
    #[arg(long, hide = true)]
    attachable: bool,
    /// It must have IPv6, as a bridge has anyway where the kernel does
    #[arg(long)]
    ipv6: bool,
    /// mtu=BYTES (or com.docker.network.driver.mtu=), the longest packet;
    /// com.docker.network.bridge.name=tinyo-NAME, its device; parent=DEVICE; mode=MODE (or
    /// macvlan_mode=, ipvlan_mode=) of a macvlan: bridge, private, vepa, passthru; of an ipvlan: l2,
    /// l3, l3s
    #[arg(short, long, value_name = "OPTION")]
    opt: Vec<String>,
    /// It is no error if there is one of this name
    #[arg(long)]
    ignore: bool,
    /// Anything to find it by, NAME=VALUE
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// How it is called
    name: String,
}

pub(super) fn create(engine: &Engine, arguments: &CreateArguments) -> Result<()> {
    if arguments.ipv6 && !net::link::is_ipv6_available() {
        bail!("--ipv6: this kernel has no IPv6, or it is turned off");
    }
    let subnets = ranges(arguments)?;
    let options = Options::read(arguments)?;
    let label = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let settings = NetworkSettings {
        reserved: reserved(&arguments.aux_address, &subnets)?,
        subnets,
        shared: options.shared,
        internal: arguments.internal,
        mtu: options.mtu,
        bridge: options.bridge,
        labels: arguments.label.iter().map(label).collect(),
        ..NetworkSettings::default()
    };
    let has_ipv6 = settings.subnets.iter().any(|it| !it.subnet.is_ipv4());
    if let (Some(device), true, false) = (&settings.shared, arguments.ipv6, has_ipv6) {
        bail!("--ipv6: give a --subnet of IPv6, that of the network of {}", device.parent);
    }
    let known = engine.networks()?.into_iter().find(|it| it.name == arguments.name);
    match known.filter(|_| arguments.ignore) {
        Some(known) => print_line(&known.id),
        None => print_line(&engine.create_network(&arguments.name, settings)?.id),
    }
}

/// Gateways and parts belong to the subnet that they are in.
fn ranges(arguments: &CreateArguments) -> Result<Vec<Range>> {
    let mut all: Vec<Range> = arguments.subnet.iter().map(|it| Range::of(*it)).collect();
    for ipv4 in [true, false] {
        if all.iter().filter(|it| it.subnet.is_ipv4() == ipv4).count() > 1 {
            bail!("--subnet: one of IPv4 and one of IPv6 at most");
        }
    }
    let mut chosen: Vec<Subnet> = Vec::new();
    for gateway in &arguments.gateway {
        let Some(range) = all.iter_mut().find(|it| it.subnet.contains(*gateway)) else {
            bail!("--gateway {gateway}: it is in no subnet that --subnet names");
        };
        if chosen.contains(&range.subnet) {
            bail!("--gateway {gateway}: {} has {} already", range.subnet, range.gateway);
        }
        chosen.push(range.subnet);
        range.gateway = *gateway;
    }
    for text in &arguments.ip_range {
        let part = Subnet::part(text).with_context(|| format!("--ip-range {text}"))?;
        let Some(range) = all.iter_mut().find(|it| it.subnet.includes(part)) else {
            bail!("--ip-range {part}: it is in no subnet that --subnet names");
        };
        if let Some(other) = range.part.replace(part) {
            bail!("--ip-range {part}: {} has {other} already", range.subnet);
        }
    }
    Ok(all)
}

fn reserved(texts: &[String], subnets: &[Range]) -> Result<BTreeMap<String, IpAddr>> {
    let mut all = BTreeMap::new();
    for text in texts {
        let (name, address) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .with_context(|| format!("--aux-address {text}: NAME=ADDRESS is wanted"))?;
        let address: IpAddr = address
            .parse()
            .with_context(|| format!("--aux-address {text}: {address:?} is no address"))?;
        if !subnets.iter().any(|it| it.subnet.contains(address)) {
            bail!("--aux-address {text}: it is in no subnet that --subnet names");
        }
        if all.insert(name.to_owned(), address).is_some() {
            bail!("--aux-address {text}: {name} is there twice");
        }
    }
    Ok(all)
}

/// What `--opt` says.
struct Options {
    mtu: Option<u32>,
    bridge: Option<String>,
    shared: Option<SharedDevice>,
}

impl Options {
    fn read(arguments: &CreateArguments) -> Result<Options> {
        let (mut mtu, mut bridge, mut parent, mut mode) = (None, None, None, None);
        let driver = arguments.driver.as_str();
        let usual = Sharing::of(driver).next();
        if usual.is_none() && driver != "bridge" {
            bail!("--driver {driver}: there is no such driver, only bridge, macvlan and ipvlan");
        }
        for option in &arguments.opt {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "mtu" | "com.docker.network.driver.mtu" => {
                    let bytes = value.parse().ok().filter(|bytes| (1280..=65535).contains(bytes));
                    mtu = Some(
                        bytes.with_context(|| format!("--opt {option}: 1280 to 65535 bytes"))?,
                    );
                }
                "com.docker.network.bridge.name" => bridge = Some(value.to_owned()),
                "parent" if !value.is_empty() => parent = Some(value.to_owned()),
                "mode" => mode = Some(value.to_owned()),
                _ if name.strip_suffix("_mode") == Some(driver) => mode = Some(value.to_owned()),
                "parent" => bail!("--opt {option}: the name of a device is wanted"),
                _ => bail!(
                    "--opt {option}: there is no such option, only mtu, \
                     com.docker.network.bridge.name, parent and mode"
                ),
            }
        }
        let shared = match (usual, parent, mode) {
            (Some(usual), Some(parent), mode) => Some(SharedDevice {
                parent,
                driver: driver.to_owned(),
                mode: mode.unwrap_or_else(|| usual.mode.to_owned()),
            }),
            (Some(_), None, _) => bail!(
                "--driver {driver}: name the device of the machine that is shared: --opt \
                 parent=eth0"
            ),
            (None, None, None) => None,
            (None, ..) => bail!("--opt parent= and mode= are for --driver macvlan and ipvlan"),
        };
        if let (Some(name), Some(_)) = (&bridge, &shared) {
            bail!("--opt com.docker.network.bridge.name={name}: a {driver} has no bridge");
        }
        Ok(Options { mtu, bridge, shared })
    }
}
