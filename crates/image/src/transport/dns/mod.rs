//! Host names to addresses, without the C library's resolver.
//!
//! A statically linked program cannot load the modules that `nsswitch.conf` names, so this reads
//! what nearly every machine's `files dns` means: `/etc/hosts`, then the servers of
//! `/etc/resolv.conf`, asked over UDP and, when an answer is cut off, over TCP. It is no cache, no
//! server, and knows neither mDNS nor DNSSEC.

pub mod config;
pub mod message;
mod query;

use config::{Hosts, ResolvConf};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long an answer is used again: the layers of one image are asked for within seconds.
const KEPT: Duration = Duration::from_secs(30);

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// All servers that answered say that the name, or any address of it, does not exist.
    #[error("host {host:?} is not known to {servers}")]
    NoSuchHost {
        /// The name.
        host: String,
        /// Who was asked.
        servers: Servers,
    },
    /// No server gave a usable answer.
    #[error("host {host:?} could not be looked up at {servers}: {source}")]
    NoAnswer {
        /// The name.
        host: String,
        /// Who was asked.
        servers: Servers,
        /// The last failure.
        source: io::Error,
    },
    /// Longer than 253 characters, an empty label, or not ASCII.
    #[error("{host:?} is no host name; one with other than ASCII letters must be given as xn--...")]
    BadName {
        /// The name.
        host: String,
    },
}

/// The addresses of the servers that were asked, for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers(pub Vec<std::net::SocketAddr>);

impl fmt::Display for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(|server| server.ip().to_string()).collect();
        write!(formatter, "DNS server {} (/etc/resolv.conf)", names.join(", "))
    }
}

/// Looks names up.
#[derive(Debug)]
pub struct Resolver {
    hosts: Hosts,
    servers: ResolvConf,
    known: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Resolver {
    /// A resolver with the texts of `/etc/hosts` and `/etc/resolv.conf`, either of which may be
    /// empty: then there are no fixed names, and the only server is 127.0.0.1.
    pub fn new(hosts: &str, resolv_conf: &str) -> Resolver {
        Resolver {
            hosts: Hosts::parse(hosts),
            servers: ResolvConf::parse(resolv_conf),
            known: Mutex::default(),
        }
    }

    /// All addresses of a host, in the order in which they should be tried: as the hosts file or
    /// the servers gave them, IPv6 and IPv4 in turn (RFC 8305, section 4).
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let fixed = self.hosts.addresses(&name);
        if !fixed.is_empty() {
            return Ok(interleave(fixed));
        }
        // RFC 6761, 6.3: these never leave the machine.
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![
                IpAddr::from([127, 0, 0, 1]),
                IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
            ]);
        }
        if let Some(addresses) = self.remembered(host) {
            return Ok(addresses);
        }
        let addresses = interleave(query::addresses(&self.servers, host)?);
        if let Ok(mut known) = self.known.lock() {
            known.insert(host.to_owned(), (Instant::now(), addresses.clone()));
        }
        Ok(addresses)
    }

    fn remembered(&self, host: &str) -> Option<Vec<IpAddr>> {
        let known = self.known.lock().ok()?;
        let (since, addresses) = known.get(host)?;
        (since.elapsed() < KEPT).then(|| addresses.clone())
    }
}

/// IPv6 first, then one of each family in turn.
fn interleave(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(IpAddr::is_ipv6);
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    first.reverse();
    second.reverse();
    while !first.is_empty() || !second.is_empty() {
        mixed.extend(first.pop());
        mixed.extend(second.pop());
    }
    mixed
}

#[cfg(test)]
mod tests;
