//! Bridges of the machine, and the pairs of devices between them and containers.

mod address;
mod bridge;
mod device;
mod namespace;
mod neighbour;
mod route;
mod sharing;
mod sysctl;
mod taken;
mod veth;

pub use bridge::{Bridge, PREFIX, bridge_names, bridge_ports, ensure_bridge, remove_bridges};
pub use namespace::{enter_namespace, enter_new_namespace, new_namespace, new_namespace_of};
pub use route::is_ipv6_available;
pub use sharing::{Sharing, detach_inside, has_device};
pub use taken::taken_subnets;
pub use veth::{Attachment, Container, attach, detach};

use crate::subnet::Subnet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address of a device and the subnet it reaches directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The address, which lies in the subnet.
    pub address: IpAddr,
    /// The subnet.
    pub subnet: Subnet,
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The one that a device with this address has unless told otherwise: always the same, so that
    /// what neighbours remember stays right when the address is given to another container.
    #[must_use]
    pub fn of(address: IpAddr) -> Mac {
        let [a, b, c, d] = match address {
            IpAddr::V4(address) => address.octets(),
            IpAddr::V6(address) => {
                let [.., a, b, c, d] = address.octets();
                [a, b, c, d]
            }
        };
        // Locally administered, unicast.
        Mac([0x02, 0x74, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// A text that is no Ethernet address of one device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no Ethernet address of a device, such as 02:42:ac:11:00:02")]
pub struct InvalidMac(String);

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Mac, InvalidMac> {
        let byte = |text: &str| {
            let is_byte = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            u8::from_str_radix(text, 16).ok().filter(|_| is_byte)
        };
        let bytes: Option<Vec<u8>> = text.split([':', '-']).map(byte).collect();
        let bytes = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
        // An odd first byte is a group of devices.
        let bytes = bytes.filter(|bytes| bytes[0] & 1 == 0 && *bytes != [0; 6]);
        bytes.map(Mac).ok_or_else(|| InvalidMac(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Mac;

    #[test]
    fn only_addresses_of_single_devices() {
        let mac: Mac = "02-42:AC:11:00:0f".parse().unwrap();
        assert_eq!(mac.to_string(), "02:42:ac:11:00:0f");
        for text in ["", "02:42:ac:11:00", "02:42:ac:11:00:0f:00", "2:42:ac:11:00:0f"] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
        for text in ["01:42:ac:11:00:0f", "00:00:00:00:00:00", "+2:42:ac:11:00:0f"] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
        assert_eq!(Mac::of([10, 1, 2, 3].into()).to_string(), "02:74:0a:01:02:03");
    }
}
