//! Ports to publish, as they are written: `[ADDRESS:][PORT:]PORT[/PROTOCOL]`, with ranges.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP, RFC 9260.
    Sctp,
}

impl Protocol {
    /// Its number (`IPPROTO_*`).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }

    /// The one of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Protocol> {
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|it| it.number() == number)
    }

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

impl FromStr for Protocol {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Protocol, InvalidPort> {
        let all = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
        all.into_iter().find(|it| it.name().eq_ignore_ascii_case(text)).ok_or_else(|| InvalidPort {
            text: text.to_owned(),
            why: "the protocol is tcp, udp or sctp",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One port to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// The address of the machine that it is reached at; every one if none is given.
    pub address: Option<IpAddr>,
    /// The port of the machine; a free one is found if none is given.
    pub host: Option<u16>,
    /// Any free one up to this will do, too.
    pub last: Option<u16>,
    /// The port of the container.
    pub container: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// A text that is no port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no port to publish, such as 8080:80, 127.0.0.1:53:53/udp or 8000-8009:80-89: {why}"
)]
pub struct InvalidPort {
    text: String,
    why: &'static str,
}

/// Reads what may be several ports. An address of IPv6 is in brackets.
///
/// # Errors
/// See [`InvalidPort`].
pub fn parse(text: &str) -> Result<Vec<Port>, InvalidPort> {
    let invalid = |why| InvalidPort { text: text.to_owned(), why };
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.parse().map_err(|it: InvalidPort| invalid(it.why))?;
    let (ports, container) = ports.rsplit_once(':').unwrap_or(("", ports));
    let (address, host) = match ports.rsplit_once(':') {
        Some((address, host)) => (Some(address), host),
        None => (None, ports),
    };
    let address = address.map(parse_address).transpose().map_err(invalid)?.flatten();
    if protocol == Protocol::Sctp && address == Some(Ipv6Addr::LOCALHOST.into()) {
        return Err(invalid("at [::1] there are tcp and udp only"));
    }
    let (first, last) = parse_range(container).ok_or_else(|| invalid(PORTS))?;
    let containers = first..=last;
    let hosts: Vec<Option<u16>> = if host.is_empty() {
        containers.clone().map(|_| None).collect()
    } else {
        let (first, last) = parse_range(host).ok_or_else(|| invalid(PORTS))?;
        (first..=last).map(Some).collect()
    };
    let with = |host, last, container| Port { address, host, last, container, protocol };
    if let ([first, .., last], true) = (&hosts[..], containers.len() == 1) {
        return Ok(vec![with(*first, *last, *containers.start())]);
    }
    if hosts.len() != containers.len() {
        return Err(invalid("both ranges must have the same length, or that of the container one"));
    }
    let pairs = hosts.into_iter().zip(containers);
    Ok(pairs.map(|(host, container)| with(host, None, container)).collect())
}

const PORTS: &str =
    "a port is a number from 1 to 65535, a range two of them, the smaller one first";

/// None for an address that means every one, of both kinds.
fn parse_address(text: &str) -> Result<Option<IpAddr>, &'static str> {
    const WHY: &str = "the address must be one of IPv4, or of IPv6 in brackets";
    let address = match text.strip_prefix('[') {
        Some(text) => {
            let text = text.strip_suffix(']').ok_or(WHY)?;
            text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| WHY)?
        }
        None if text == "localhost" => IpAddr::from([127, 0, 0, 1]),
        None => text.parse::<std::net::Ipv4Addr>().map(IpAddr::V4).map_err(|_| WHY)?,
    };
    Ok((!address.is_unspecified()).then_some(address))
}

/// The first and the last port; none where a part is no port, or the first is above the last.
#[must_use]
pub fn parse_range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|port| is_number && *port > 0)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(formatter, "[{address}]:")?,
            Some(address) => write!(formatter, "{address}:")?,
            None => {}
        }
        match self.host {
            Some(port) => {
                write!(formatter, "{port}")?;
                self.last.iter().try_for_each(|last| write!(formatter, "-{last}"))?;
                formatter.write_str(":")?;
            }
            None if self.address.is_some() => formatter.write_str(":")?,
            None => {}
        }
        write!(formatter, "{}/{}", self.container, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::{Protocol, parse};

    /// Each as it is shown.
    fn shown(text: &str) -> Vec<String> {
        let ports = parse(text).unwrap_or_else(|error| panic!("{error}"));
        ports.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_forms_are_read() {
        assert_eq!(shown("80"), ["80/tcp"]);
        assert_eq!(shown("8080:80"), ["8080:80/tcp"]);
        assert_eq!(shown("53:53/UDP"), ["53:53/udp"]);
        assert_eq!(shown("127.0.0.1:8080:80/sctp"), ["127.0.0.1:8080:80/sctp"]);
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1::80/tcp"]);
        assert_eq!(shown("[fd00::2]:8080:80"), ["[fd00::2]:8080:80/tcp"]);
        assert_eq!(shown("[fd00::2]::80"), ["[fd00::2]::80/tcp"]);
        assert_eq!(shown("[::1]:8080:80"), ["[::1]:8080:80/tcp"]);
        assert_eq!(shown("[::]:8080:80"), ["8080:80/tcp"]);
        assert_eq!(shown("0.0.0.0:8080:80"), ["8080:80/tcp"]);
        assert_eq!(shown("8000-8002:80-82"), ["8000:80/tcp", "8001:81/tcp", "8002:82/tcp"]);
        assert_eq!(shown("127.0.0.1:8000-8002:80"), ["127.0.0.1:8000-8002:80/tcp"]);
        assert_eq!(shown("80-81/udp"), ["80/udp", "81/udp"]);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            ":",
            "0",
            "65536",
            "80/icmp",
            "[::1]:80:80/sctp",
            "80/",
            "a:80",
            "+80",
            "8080:",
            "1:2:3",
            "::1:80:80",
            "[::1:80:80",
            "[::1]:80",
            "127.0.0.1:80",
            "10.0.0.0/8:80",
            "81-80",
            "8000-8003:80-82",
            "80-81:80-82",
            "[1.2.3.4]:80:80",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_protocols_go_both_ways() {
        for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
            assert_eq!(Protocol::from_number(protocol.number()), Some(protocol));
        }
        assert_eq!(Protocol::from_number(1), None);
    }
}
