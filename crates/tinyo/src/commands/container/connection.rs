//! Flags about how a container is connected.

use super::parse;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::settings::{BaseHosts, Endpoint, Network};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct ConnectionOptions {
    /// none, host, container:NAME, ns:PATH, or a network, which can be said several times and with
    /// :ip=ADDRESS,alias=NAME,mac=ADDRESS,interface_name=NAME [default: bridge]
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    network: Vec<String>,
    /// One more name by which others in its network find it
    #[arg(long, visible_alias = "net-alias", value_name = "NAME", value_parser = parse::host_name)]
    network_alias: Vec<String>,
    /// Reach a port of it at one of the machine, [ADDRESS:][PORT:]PORT[/PROTOCOL], or ranges
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<String>,
    /// Reach all ports that it says it listens on
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Its IPv4 address
    #[arg(long, value_name = "ADDRESS", value_parser = parse::ip4)]
    ip: Option<String>,
    /// Its IPv6 address
    #[arg(long, value_name = "ADDRESS", value_parser = parse::ip6)]
    ip6: Option<String>,
    /// Its Ethernet address
    #[arg(long, value_name = "ADDRESS", value_parser = parse::mac)]
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
    /// A container of one of its networks, and what it is called here, CONTAINER[:ALIAS]
    #[arg(long, value_name = "CONTAINER")]
    link: Vec<String>,
    /// Its /etc/hosts is the image's
    #[arg(long, conflicts_with = "add_host")]
    no_hosts: bool,
    /// What its /etc/hosts begins with: a file of the machine, image or none
    #[arg(
        long,
        value_name = "FILE",
        default_value = "none",
        hide_default_value = true,
        conflicts_with = "no_hosts"
    )]
    hosts_file: PathBuf,
    /// Its /etc/hostname is the image's
    #[arg(long)]
    no_hostname: bool,
    /// A port that it says it listens on
    #[arg(long, value_name = "PORT", value_parser = parse::expose)]
    expose: Vec<String>,
}

impl ConnectionOptions {
    pub(crate) fn settings(&self) -> Result<Network> {
        let mut endpoints =
            self.network.iter().map(|it| endpoint(it)).collect::<Result<Vec<_>>>()?;
        if endpoints.is_empty() {
            endpoints.push(Endpoint::default());
        }
        let is_one = endpoints.len() == 1;
        if !is_one && (self.ip.is_some() || self.ip6.is_some() || self.mac_address.is_some()) {
            bail!(
                "--ip, --ip6 and --mac-address: with several networks write --network \
                 NAME:ip=ADDRESS,mac=ADDRESS"
            );
        }
        for endpoint in &mut endpoints {
            endpoint.aliases.extend(self.network_alias.iter().cloned());
        }
        let first = endpoints.remove(0);
        let mode = if first.network == "default" { String::new() } else { first.network };
        Ok(Network {
            mode,
            aliases: first.aliases,
            addresses: first
                .addresses
                .into_iter()
                .chain(self.ip.clone())
                .chain(self.ip6.clone())
                .collect(),
            mac: first.mac.or_else(|| self.mac_address.clone()),
            device: first.device,
            more: endpoints,
            ports: self.publish.clone(),
            publish_all: self.publish_all,
            exposed: self.expose.clone(),
            dns: self.dns.clone(),
            dns_search: self.dns_search.clone(),
            dns_options: self.dns_option.clone(),
            hosts: self.add_host.clone(),
            links: self.link.clone(),
            base_hosts: self.base_hosts()?,
            no_hosts: self.no_hosts,
            no_hostname: self.no_hostname,
        })
    }

    fn base_hosts(&self) -> Result<BaseHosts> {
        match self.hosts_file.to_str() {
            Some("none") => Ok(BaseHosts::None),
            Some("image") => Ok(BaseHosts::Image),
            _ => {
                let what = || format!("--hosts-file {}", self.hosts_file.display());
                std::fs::File::open(&self.hosts_file).with_context(what)?;
                Ok(BaseHosts::File(std::path::absolute(&self.hosts_file).with_context(what)?))
            }
        }
    }
}

/// `NAME[:ip=ADDRESS,alias=NAME,...]` as Podman has it, or `name=NAME,ip=ADDRESS,...` as Docker has.
fn endpoint(given: &str) -> Result<Endpoint> {
    let (mode, options) = match given.split_once(':') {
        Some((mode, options))
            if !matches!(mode, "container" | "ns") && !given.starts_with("name=") =>
        {
            (mode, options)
        }
        _ if given.starts_with("name=") => ("", given),
        _ => (given, ""),
    };
    if given.starts_with(':') {
        bail!("--network {given}: there is no name before the colon");
    }
    let mut endpoint = Endpoint { network: mode.to_owned(), ..Endpoint::default() };
    for option in options.split(',').filter(|it| !it.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if value.is_empty() {
            bail!("--network {given}: {name} has no value");
        }
        let value = value.to_owned();
        match name {
            "name" if mode.is_empty() => endpoint.network = value,
            "ip" | "ip6" => endpoint.addresses.push(value),
            "mac" | "mac-address" => endpoint.mac = Some(value),
            "alias" => endpoint.aliases.push(value),
            "interface_name" => endpoint.device = value,
            _ => bail!(
                "--network {given}: there is no option {name}, only ip, ip6, mac, alias, \
                 interface_name"
            ),
        }
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn networks_as_podman_and_docker_write_them() {
        let of_podman =
            "a:ip=10.0.0.2,ip6=fd00::2,alias=x,alias=y,mac=02:00:00:00:00:01,interface_name=net0";
        let of_docker = "name=a,ip=10.0.0.2,ip6=fd00::2,alias=x,alias=y,mac-address=02:00:00:00:00:01,interface_name=net0";
        let found = endpoint(of_podman).unwrap();
        assert_eq!(found, endpoint(of_docker).unwrap());
        assert_eq!(found.addresses, ["10.0.0.2", "fd00::2"]);
        assert_eq!((found.network.as_str(), found.device.as_str()), ("a", "net0"));
        assert_eq!(endpoint("container:web").unwrap().network, "container:web");
        assert_eq!(endpoint("ns:/run/netns/a").unwrap().network, "ns:/run/netns/a");
        for wrong in ["a:ip", "a:ip=", "a:color=red", "a:name=b"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
