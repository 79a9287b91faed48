//! Which networks there are.

use crate::{line, read, section};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Prints all of it.
pub(crate) fn show() {
    section("network");
    let devices = read("/proc/net/dev").unwrap_or_default();
    let names: Vec<_> =
        devices.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    line("devices", (!names.is_empty()).then(|| names.join(" ")));
    let v4 = read("/proc/net/fib_trie").map(|text| addresses(&text)).unwrap_or_default();
    line("addresses", (!v4.is_empty()).then(|| v4.join(" ")));
    let v6 = read("/proc/net/if_inet6").unwrap_or_default();
    let v6: Vec<_> = v6.lines().filter_map(address_v6).map(|it| it.to_string()).collect();
    line("IPv6", (!v6.is_empty()).then(|| v6.join(" ")));
    let routes = read("/proc/net/route").unwrap_or_default();
    line("gateway", routes.lines().find_map(gateway));
    line("name servers", read("/etc/resolv.conf").and_then(|text| servers(&text)));
}

/// The addresses of this host are the leaves that a line with `host LOCAL` follows.
fn addresses(trie: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut last = "";
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address;
        } else if line.ends_with("host LOCAL") && !found.iter().any(|it| it == last) {
            found.push(last.to_owned());
        }
    }
    found
}

/// 32 digits at the beginning of a line.
fn address_v6(line: &str) -> Option<Ipv6Addr> {
    u128::from_str_radix(line.get(..32)?, 16).ok().map(Ipv6Addr::from_bits)
}

/// The gateway of the route to everywhere: `DEVICE DESTINATION GATEWAY ...`, in the machine's own
/// byte order.
fn gateway(line: &str) -> Option<Ipv4Addr> {
    let mut words = line.split_whitespace().skip(1);
    let (destination, gateway) = (words.next()?, words.next()?);
    let bits = u32::from_str_radix(gateway, 16).ok()?;
    (destination == "00000000" && bits != 0).then(|| Ipv4Addr::from(bits.to_ne_bytes()))
}

fn servers(text: &str) -> Option<String> {
    let server = |line: &str| line.strip_prefix("nameserver ").map(|it| it.trim().to_owned());
    let servers: Vec<_> = text.lines().filter_map(server).collect();
    (!servers.is_empty()).then(|| servers.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{address_v6, addresses, gateway};

    #[test]
    fn addresses_are_told_from_networks() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 10.0.0.2\n        /32 host LOCAL\nLocal:\n     |-- 10.0.0.2\n        /32 host LOCAL\n     |-- 127.255.255.255\n        /32 link BROADCAST\n";
        assert_eq!(addresses(trie), ["10.0.0.2"]);
        let v6 = address_v6("fe800000000000000000000000000001 02 40 20 80 eth0").unwrap();
        assert_eq!(v6.to_string(), "fe80::1");
    }

    #[test]
    fn the_gateway_is_that_of_the_route_to_everywhere() {
        let bits = u32::from_ne_bytes([10, 0, 0, 1]);
        let route = format!("eth0 00000000 {bits:08X} 0003 0 0 0 00000000 0 0 0");
        assert_eq!(gateway(&route).unwrap().to_string(), "10.0.0.1");
        assert_eq!(gateway("eth0 0000000A 00000000 0001"), None);
    }
}
