//! Addresses as netlink has them, which tells their kinds by their lengths.

use std::net::IpAddr;

/// Four bytes or sixteen.
pub(crate) fn octets_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// `None` if there are neither four nor sixteen.
pub(crate) fn address_of(octets: &[u8]) -> Option<IpAddr> {
    let of_ipv4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    of_ipv4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}
