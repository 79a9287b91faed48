//! Which network and which address is free. Nothing here asks the kernel.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses that one network has: `10.200.0.0/20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    /// The first address: all bits behind the prefix are 0.
    first: IpAddr,
    prefix: u8,
}

/// A text that is no subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no subnet, such as 10.200.0.0/20 or fd12:3456:789a::/64{why}")]
pub struct InvalidSubnet {
    text: String,
    why: &'static str,
}

/// Nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// Of the addresses.
    #[error("all addresses of {0} are in use")]
    Addresses(Subnet),
    /// Of the subnets.
    #[error("no private subnet is free of the machine's routes; name one with --subnet")]
    Subnets,
}

impl Subnet {
    /// The subnet that has this address in it.
    ///
    /// # Errors
    /// The prefix is longer than an address.
    pub fn around(address: IpAddr, prefix: u8) -> Result<Subnet, InvalidSubnet> {
        let bits = width(address);
        if prefix > bits {
            let text = format!("{address}/{prefix}");
            return Err(InvalidSubnet { text, why: ": the prefix is longer than the address" });
        }
        let mask = u128::MAX.checked_shl(u32::from(bits - prefix)).unwrap_or(0);
        Ok(Subnet { first: with_bits(address, bits_of(address) & mask), prefix })
    }

    /// Its first address, which no device has.
    #[must_use]
    pub fn first(self) -> IpAddr {
        self.first
    }

    /// The number of bits that all of its addresses share.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is one of IPv4.
    #[must_use]
    pub fn is_ipv4(self) -> bool {
        self.first.is_ipv4()
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        Subnet::around(address, self.prefix).is_ok_and(|around| around == self)
    }

    /// Whether some address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Subnet) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// The address that a device can have and that comes `number` after the first one, which is
    /// not one itself, nor is the last one of IPv4.
    #[must_use]
    pub fn host(self, number: u128) -> Option<IpAddr> {
        (1..=self.hosts()).contains(&number).then(|| {
            // No carry: the bits behind the prefix are 0, and the number is less than they can be.
            with_bits(self.first, bits_of(self.first) | number)
        })
    }

    /// The address of the machine in it, unless another is chosen: the first that is possible.
    #[must_use]
    pub fn gateway(self) -> Option<IpAddr> {
        self.host(1)
    }

    /// How many addresses devices can have: less those for the subnet itself and for broadcasts.
    fn hosts(self) -> u128 {
        let last = self.last_number();
        if self.is_ipv4() { last.saturating_sub(1) } else { last }
    }

    /// A free address, of a part of the subnet if one is named: the next one after `last`, which was
    /// given away most recently. An address is used again as late as possible, so that nobody talks
    /// to the wrong one.
    ///
    /// # Errors
    /// All are in use.
    pub fn allocate(
        self,
        part: Option<Subnet>,
        last: Option<IpAddr>,
        is_used: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Exhausted> {
        let part = part.unwrap_or(self);
        let first = self.number(part.first).max(1);
        let end = self.number(part.first).saturating_add(part.last_number()).min(self.hosts());
        let count = end.checked_sub(first).map_or(0, |count| count.saturating_add(1));
        let last = last.filter(|it| part.contains(*it)).map(|it| self.number(it));
        let start = last.and_then(|it| it.checked_sub(first)).map_or(0, |it| it + 1);
        // More cannot be in use than a machine has memory for.
        let tries = count.min(1 << 24);
        (0..tries)
            .filter_map(|step| self.host(first + start.wrapping_add(step) % count))
            .find(|address| !is_used(*address))
            .ok_or(Exhausted::Addresses(part))
    }

    /// What comes after the prefix in its last address.
    fn last_number(self) -> u128 {
        let free = u32::from(width(self.first) - self.prefix);
        1_u128.checked_shl(free).map_or(u128::MAX, |count| count - 1)
    }

    /// Reads what need not have room for a gateway: a part of a subnet.
    ///
    /// # Errors
    /// It is none.
    pub fn part(text: &str) -> Result<Subnet, InvalidSubnet> {
        let invalid = |why| InvalidSubnet { text: text.to_owned(), why };
        let (address, prefix) = text.split_once('/').ok_or_else(|| invalid(""))?;
        let address: IpAddr = address.parse().map_err(|_| invalid(""))?;
        let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| is_number).ok_or_else(|| invalid(""))?;
        let subnet = Subnet::around(address, prefix).map_err(|error| invalid(error.why))?;
        if subnet.first != address {
            return Err(invalid(": the bits behind the prefix must be 0"));
        }
        Ok(subnet)
    }

    /// The address that has the place in another subnet which this one has here, if there is one.
    #[must_use]
    pub fn moved(self, address: IpAddr, to: Subnet) -> Option<IpAddr> {
        if self.contains(address) { to.host(self.number(address)) } else { None }
    }

    /// Whether all of the other one lies in it.
    #[must_use]
    pub fn includes(self, other: Subnet) -> bool {
        self.contains(other.first) && self.prefix <= other.prefix
    }

    fn number(self, address: IpAddr) -> u128 {
        bits_of(address) - bits_of(self.first)
    }
}

/// Where subnets are chosen from, one after the other: the first address, the prefix of the pool, and
/// that of each subnet.
const POOLS: [([u8; 4], u8, u8); 4] = [
    ([10, 200, 0, 0], 13, 20),
    ([10, 208, 0, 0], 12, 24),
    ([172, 16, 0, 0], 12, 20),
    ([192, 168, 0, 0], 16, 20),
];

/// An IPv4 subnet that overlaps none of these: of the machine's routes and of other networks.
///
/// The first networks have 4094 addresses, more than a bridge can have ports, those after the 128th
/// 254. They come from the part of 10.0.0.0/8 that neither Docker nor Podman nor Kubernetes use by
/// default, then from 172.16.0.0/12 and 192.168.0.0/16.
///
/// # Errors
/// None is left.
pub fn free_subnet(taken: &[Subnet]) -> Result<Subnet, Exhausted> {
    let subnets = POOLS.into_iter().flat_map(|(first, pool, prefix)| {
        let first = u32::from(Ipv4Addr::from(first));
        let count = 1_u32 << (prefix - pool);
        (0..count).map(move |number| (first | (number << (32 - prefix)), prefix))
    });
    subnets
        .map(|(first, prefix)| Subnet { first: Ipv4Addr::from(first).into(), prefix })
        .find(|subnet| taken.iter().all(|other| !other.overlaps(*subnet)))
        .ok_or(Exhausted::Subnets)
}

/// A unique local IPv6 subnet (RFC 4193) of random bytes.
#[must_use]
pub fn unique_local_subnet(random: [u8; 7]) -> Subnet {
    let mut bytes = [0; 16];
    bytes[0] = 0xfd;
    bytes[1..8].copy_from_slice(&random);
    Subnet { first: Ipv6Addr::from(bytes).into(), prefix: 64 }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Subnet, InvalidSubnet> {
        let subnet = Subnet::part(text)?;
        if subnet.hosts() < 2 {
            let why = ": it has no room for a gateway and a container";
            return Err(InvalidSubnet { text: text.to_owned(), why });
        }
        Ok(subnet)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.prefix)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// An address of the family of `like`, which has enough bits for it.
fn with_bits(like: IpAddr, bits: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from((bits & u128::from(u32::MAX)) as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from(bits).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Exhausted, Subnet, free_subnet, unique_local_subnet};
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_subnet_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/24", "10.0.0.0/31", "10.0.0.0/+8"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
        for text in ["fd00::/129", "fd00::1/64", "fd00::/127", "x/8", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
        for text in ["10.0.0.0/30", "0.0.0.0/0", "fd00::/64", "::/0", "fd00::/126"] {
            assert_eq!(
                text.parse::<Subnet>().unwrap_or_else(|it| panic!("{it}")).to_string(),
                text
            );
        }
    }

    #[test]
    fn every_address_is_given_away_once_and_the_last_one_used_again_last() {
        let subnet = subnet("10.1.2.0/29");
        let mut used = BTreeSet::from([subnet.gateway().unwrap()]);
        let mut last = None;
        for number in 2..=6 {
            let found = subnet.allocate(None, last, |it| used.contains(&it)).unwrap();
            assert_eq!(found, subnet.host(number).unwrap());
            used.insert(found);
            last = Some(found);
        }
        let none = subnet.allocate(None, last, |it| used.contains(&it));
        assert_eq!(none, Err(Exhausted::Addresses(subnet)));
        used.remove(&address("10.1.2.3"));
        used.remove(&address("10.1.2.6"));
        let after =
            |last: &str| subnet.allocate(None, Some(address(last)), |it| used.contains(&it));
        assert_eq!(after("10.1.2.3"), Ok(address("10.1.2.6")));
        assert_eq!(after("10.1.2.6"), Ok(address("10.1.2.3")));
        // What was given away from another subnet does not matter.
        assert_eq!(after("10.9.9.9"), Ok(address("10.1.2.3")));
    }

    #[test]
    fn of_a_part_only_what_lies_in_it_is_given_away() {
        let whole = subnet("10.1.2.0/24");
        let all_of = |text: &str| {
            let part = Subnet::part(text).unwrap();
            let (mut used, mut last) = (Vec::new(), None);
            while let Ok(found) = whole.allocate(Some(part), last, |it| used.contains(&it)) {
                assert!(whole.includes(part) && part.contains(found), "{found}");
                used.push(found);
                last = Some(found);
            }
            used.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all_of("10.1.2.64/30"), "10.1.2.64 10.1.2.65 10.1.2.66 10.1.2.67");
        // Neither the subnet's own address nor that for broadcasts.
        assert_eq!(all_of("10.1.2.0/30"), "10.1.2.1 10.1.2.2 10.1.2.3");
        assert_eq!(all_of("10.1.2.252/30"), "10.1.2.252 10.1.2.253 10.1.2.254");
        assert_eq!(all_of("10.1.2.9/32"), "10.1.2.9");
        assert!(!whole.includes(subnet("10.1.0.0/16")) && !whole.includes(subnet("10.1.3.0/24")));
        // The one that was given away last is used again last.
        let part = Some(Subnet::part("10.1.2.64/30").unwrap());
        let next = whole.allocate(part, Some(address("10.1.2.67")), |_| false);
        assert_eq!(next, Ok(address("10.1.2.64")));
    }

    #[test]
    fn large_subnets_are_not_walked_through() {
        let all = subnet("::/0");
        assert_eq!(all.allocate(None, None, |_| false), Ok(address("::1")));
        let last = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        assert_eq!(all.allocate(None, Some(last), |_| false), Ok(address("::1")));
    }

    #[test]
    fn an_address_keeps_its_place_in_another_subnet() {
        let (from, to) = (subnet("10.200.0.0/20"), subnet("10.208.3.0/24"));
        assert_eq!(from.moved(address("10.200.0.77"), to), Some(address("10.208.3.77")));
        assert_eq!(from.moved(address("10.200.1.77"), to), None);
        assert_eq!(from.moved(address("10.200.0.255"), to), None);
        assert_eq!(from.moved(address("10.201.0.77"), to), None);
    }

    #[test]
    fn a_thousand_networks_have_subnets() {
        let mut taken = vec![subnet("10.208.5.0/24")];
        for _ in 0..1000 {
            let free = free_subnet(&taken).unwrap();
            assert!(!taken.iter().any(|it| it.overlaps(free)), "{free}");
            taken.push(free);
        }
        assert_eq!(taken.last().unwrap().prefix(), 24);
    }

    #[test]
    fn a_free_subnet_overlaps_nothing() {
        assert_eq!(free_subnet(&[]).unwrap().to_string(), "10.200.0.0/20");
        let taken = [subnet("10.200.0.0/24"), subnet("10.200.16.0/20"), subnet("10.192.0.0/11")];
        assert_eq!(free_subnet(&taken[..2]).unwrap().to_string(), "10.200.32.0/20");
        assert_eq!(free_subnet(&taken).unwrap().to_string(), "172.16.0.0/20");
        let all = [subnet("0.0.0.0/0")];
        assert_eq!(free_subnet(&all), Err(Exhausted::Subnets));
        let ours = unique_local_subnet([1, 2, 3, 4, 5, 0, 7]);
        assert_eq!(ours.to_string(), "fd01:203:405:7::/64");
        assert!(!ours.overlaps(subnet("10.0.0.0/8")) && ours.overlaps(subnet("fd00::/8")));
    }
}
