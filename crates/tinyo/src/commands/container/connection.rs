//! Flags about how a container is connected.

use anyhow::{Result, bail};
use clap::Args;
use engine::settings::Network;

#[derive(Args)]
pub(super) struct ConnectionOptions {
    /// none, host, container:NAME, or a network; bridge for root, and none for others
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    network: Option<String>,
    /// One more name by which others in its network find it
    #[arg(long, visible_alias = "net-alias", value_name = "NAME")]
    network_alias: Vec<String>,
    /// Reach a port of it at one of the machine, [ADDRESS:][PORT:]PORT[/PROTOCOL], or ranges
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<String>,
    /// Reach all ports that it says it listens on
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Its IPv4 address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Its IPv6 address
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// Its Ethernet address
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// A server for names
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// A domain in which short names are looked for
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// An option of resolv.conf
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
    /// A line of /etc/hosts, NAME:ADDRESS
    #[arg(long, value_name = "HOST")]
    add_host: Vec<String>,
    /// A port that it says it listens on
    #[arg(long, value_name = "PORT")]
    expose: Vec<String>,
}

impl ConnectionOptions {
    pub(super) fn settings(&self) -> Result<Network> {
        // NAME:ip=ADDRESS,alias=NAME as Podman has it.
        let given = self.network.as_deref().unwrap_or_default();
        let (mode, options) = match given.split_once(':') {
            Some((mode, options)) if mode != "container" => (mode, options),
            _ => (given, ""),
        };
        let mut addresses: Vec<String> = self.ip.iter().chain(&self.ip6).cloned().collect();
        let (mut aliases, mut mac) = (self.network_alias.clone(), self.mac_address.clone());
        for option in options.split(',').filter(|it| !it.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "ip" | "ip6" => addresses.push(value.to_owned()),
                "mac" => mac = Some(value.to_owned()),
                "alias" => aliases.push(value.to_owned()),
                _ => {
                    bail!("--network {given}: there is no option {name}, only ip, ip6, mac, alias")
                }
            }
        }
        let mode = if mode == "default" { "" } else { mode };
        Ok(Network {
            mode: mode.to_owned(),
            aliases,
            addresses,
            mac,
            ports: self.publish.clone(),
            publish_all: self.publish_all,
            exposed: self.expose.clone(),
            dns: self.dns.clone(),
            dns_search: self.dns_search.clone(),
            dns_options: self.dns_option.clone(),
            hosts: self.add_host.clone(),
        })
    }
}
