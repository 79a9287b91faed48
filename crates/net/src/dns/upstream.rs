//! The servers that know the rest of the world.

use super::zone::Zone;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Servers beyond the third are ignored by every resolver (`MAXNS`).
const MAX_SERVERS: usize = 3;

/// Whom to ask what no network of ours knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Nobody: the container is in internal networks only.
    None,
    /// These.
    Servers(Vec<SocketAddr>),
    /// Those that a file such as `/etc/resolv.conf` names at the time, as machines move from one
    /// network to another.
    File(PathBuf),
}

impl Upstream {
    /// The servers, in order; none if there are none, or the file cannot be read.
    pub(super) fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Upstream::None => Vec::new(),
            Upstream::Servers(servers) => servers.clone(),
            Upstream::File(path) => parse_servers(&Zone(path.clone()).read().unwrap_or_default()),
        }
    }
}

/// The servers in the text of a `resolv.conf`. `ADDRESS:PORT` is an extension.
#[must_use]
pub fn parse_servers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("nameserver") {
            return None;
        }
        let word = words.next()?;
        let address = word.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
        address.ok().or_else(|| word.parse().ok())
    });
    lines.take(MAX_SERVERS).collect()
}

#[cfg(test)]
mod tests {
    use super::parse_servers;

    #[test]
    fn the_first_three_servers_count() {
        let text = "# nameserver 9.9.9.9\nsearch a.b\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 x\n\
                    nameserver\nnameserver fe80::1%eth0\nnameserver 127.0.0.1:5353\nnameserver 192.0.2.4";
        let servers: Vec<String> = parse_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:53", "127.0.0.1:5353"]);
        assert!(parse_servers("").is_empty());
    }
}
