//! What our table always has: chains and their rules.

use super::element::Set;
use super::expression::Expression::{
    AnyBit, Connection, DestinationNat, DestinationType, Equal, In, Map, Masquerade, NotEqual,
    Payload, SourceType, Verdict as End, WayBack,
};
use super::expression::{self, Expression, Field, Meta, NFPROTO_IPV4, NFPROTO_IPV6, Verdict};
use super::message::{
    APPEND, CREATE, DELETE_RULE, DELETE_TABLE, NEW_CHAIN, NEW_RULE, NEW_TABLE, REQUEST, in_table,
    number,
};
use crate::link::PREFIX;
use sys::netlink::Message;

/// A chain, where it is hooked into the way of packets (`NF_INET_*`, priority), and its rules.
struct Chain {
    name: &'static str,
    hook: Option<(&'static str, u32, i32)>,
    rules: &'static [&'static [Expression<'static>]],
}

const PREROUTING: u32 = 0;
const INPUT: u32 = 1;
const FORWARD: u32 = 2;
const OUTPUT: u32 = 3;
const POSTROUTING: u32 = 4;

const BEFORE_CONNECTION_TRACKING: i32 = -300;
const DESTINATION_NAT: i32 = -100;
const FILTER: i32 = 0;
const SOURCE_NAT: i32 = 100;

const FROM_BRIDGE: [Expression<'static>; 2] =
    [Expression::Meta(Meta::InputName, 0), Equal(0, PREFIX.as_bytes())];
const TO_BRIDGE: [Expression<'static>; 2] =
    [Expression::Meta(Meta::OutputName, 0), Equal(0, PREFIX.as_bytes())];
const NOT_TO_BRIDGE: [Expression<'static>; 2] =
    [Expression::Meta(Meta::OutputName, 0), NotEqual(0, PREFIX.as_bytes())];
const FROM_NO_DEVICE: [Expression<'static>; 2] =
    [Expression::Meta(Meta::InputName, 0), Equal(0, &[0; 16])];
/// From an address that no answer would reach by the bridge.
const NO_WAY_BACK: [Expression<'static>; 2] = [WayBack(0), Equal(0, &[0; 4])];
const NOT_ICMPV6: [Expression<'static>; 2] =
    [Expression::Meta(Meta::Protocol, 0), NotEqual(0, &[ICMPV6])];
/// From an address that is none of the machine's.
const FROM_ELSEWHERE: [Expression<'static>; 2] =
    [SourceType(0), NotEqual(0, &RTN_LOCAL.to_ne_bytes())];
const RTN_LOCAL: u32 = 2;
const IPV4: [Expression<'static>; 2] =
    [Expression::Meta(Meta::Family, 0), Equal(0, &[NFPROTO_IPV4])];
const IPV6: [Expression<'static>; 2] =
    [Expression::Meta(Meta::Family, 0), Equal(0, &[NFPROTO_IPV6])];
/// `IPS_DST_NAT`: the connection goes to a published port.
const IS_PUBLISHED: [Expression<'static>; 3] =
    [Connection(CT_STATUS, 0), AnyBit(0, 0x20), NotEqual(0, &[0; 4])];
/// Established, or related to such a one.
const IS_KNOWN: [Expression<'static>; 3] =
    [Connection(CT_STATE, 0), AnyBit(0, 2 | 4), NotEqual(0, &[0; 4])];
/// Both devices are the same bridge.
const WITHIN_BRIDGE: [Expression<'static>; 3] = [
    Expression::Meta(Meta::InputName, 0),
    Expression::Meta(Meta::OutputName, 4),
    In(Set::Networks.name(), 0),
];
const FROM_INTERNAL: [Expression<'static>; 2] =
    [Expression::Meta(Meta::InputName, 0), In(Set::Internal.name(), 0)];
const TO_INTERNAL: [Expression<'static>; 2] =
    [Expression::Meta(Meta::OutputName, 0), In(Set::Internal.name(), 0)];
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
const ACCEPT: [Expression<'static>; 1] = [End(Verdict::Accept)];
const DROP: [Expression<'static>; 1] = [End(Verdict::Drop)];
/// The machine's own addresses.
const TO_PUBLISHED: &[Expression<'static>] =
    &[DestinationType(0), Equal(0, &RTN_LOCAL.to_ne_bytes()), End(Verdict::Jump(PUBLISHED))];

const PUBLISHED: &str = "published";

/// One array of two to five.
macro_rules! rule {
    ($($part:expr),+) => {{
        const PARTS: &[&[Expression<'static>]] = &[$(&$part),+];
        const LENGTH: usize = length(PARTS);
        const RULE: [Expression<'static>; LENGTH] = joined(PARTS);
        &RULE
    }};
}

const fn length(parts: &[&[Expression<'static>]]) -> usize {
    let (mut length, mut index) = (0, 0);
    while index < parts.len() {
        length += parts[index].len();
        index += 1;
    }
    length
}

const fn joined<const N: usize>(parts: &[&[Expression<'static>]]) -> [Expression<'static>; N] {
    let mut all = [Masquerade; N];
    let (mut part, mut index, mut place) = (0, 0, 0);
    while part < parts.len() {
        if index == parts[part].len() {
            (part, index) = (part + 1, 0);
        } else {
            all[place] = parts[part][index];
            (index, place) = (index + 1, place + 1);
        }
    }
    all
}

// tidy: table
const CHAINS: &[Chain] = &[
    // Bridges take packets for 127.0.0.0/8, or the answers to the machine's own loopback would be
    // lost. This is before answers get their old address back, so nothing else has one. And no
    // container passes for somebody else, towards the machine and whoever is behind it: neighbours
    // look for each other by ICMPv6, without an address even.
    Chain {
        name: "loopback",
        hook: Some(("filter", PREROUTING, BEFORE_CONNECTION_TRACKING)),
        rules: &[
            rule!(
                FROM_BRIDGE,
                IPV4,
                [Payload(Field::DESTINATION_IPV4_NET, 0), Equal(0, &[127])],
                DROP
            ),
            rule!(FROM_BRIDGE, IPV4, [Payload(Field::SOURCE_IPV4_NET, 0), Equal(0, &[127])], DROP),
            rule!(FROM_BRIDGE, IPV4, NO_WAY_BACK, DROP),
            rule!(FROM_BRIDGE, IPV6, NOT_ICMPV6, NO_WAY_BACK, DROP),
        ],
    },
    // One place for packets that come and for those of the machine's own programs. A port of one
    // address comes before the same one of all addresses. What is for the loopback of IPv6 stays
    // there, as the kernel takes no answer to it from another device: see `relay`.
    Chain {
        name: PUBLISHED,
        hook: None,
        rules: &[
            rule!(
                IPV6,
                [Payload(Field::DESTINATION_IPV6, 0), Equal(0, &LOOPBACK), End(Verdict::Return)]
            ),
            rule!(
                IPV4,
                published(Set::PortsOfIpv4, Field::DESTINATION_IPV4, 1),
                nat(NFPROTO_IPV4, 1)
            ),
            rule!(IPV4, published_anywhere(Set::PortsIpv4), nat(NFPROTO_IPV4, 1)),
            rule!(
                IPV6,
                published(Set::PortsOfIpv6, Field::DESTINATION_IPV6, 4),
                nat(NFPROTO_IPV6, 4)
            ),
            rule!(IPV6, published_anywhere(Set::PortsIpv6), nat(NFPROTO_IPV6, 4)),
        ],
    },
    // What a neighbour of the machine sends to 127.0.0.0/8 is nobody's: this is before the kernel finds
    // that, and the machine's own programs come by the chain below.
    Chain {
        name: "prerouting",
        hook: Some(("nat", PREROUTING, DESTINATION_NAT)),
        rules: &[
            rule!(
                IPV4,
                [Payload(Field::DESTINATION_IPV4_NET, 0), Equal(0, &[127])],
                [End(Verdict::Return)]
            ),
            TO_PUBLISHED,
        ],
    },
    Chain { name: "output", hook: Some(("nat", OUTPUT, DESTINATION_NAT)), rules: &[TO_PUBLISHED] },
    // The source address of clients is kept, but where the answer would not come back to here:
    // from a neighbour of the container (or itself), and from the machine's loopback. What a bridge
    // passes on by itself after it asked the firewall (br_netfilter) comes from no device.
    Chain {
        name: "postrouting",
        hook: Some(("nat", POSTROUTING, SOURCE_NAT)),
        rules: &[
            rule!(WITHIN_BRIDGE, IS_PUBLISHED, [Masquerade]),
            rule!(FROM_NO_DEVICE, TO_BRIDGE, FROM_ELSEWHERE, IS_PUBLISHED, [Masquerade]),
            rule!(
                TO_BRIDGE,
                IPV4,
                [Payload(Field::SOURCE_IPV4_NET, 0), Equal(0, &[127])],
                [Masquerade]
            ),
            rule!(FROM_BRIDGE, NOT_TO_BRIDGE, [Masquerade]),
        ],
    },
    // An internal network has no way out, nor in; networks reach each other's published ports
    // only; so does the rest of the world, even where it knows a route to the containers.
    Chain {
        name: "forward",
        hook: Some(("filter", FORWARD, FILTER)),
        rules: &[
            rule!(WITHIN_BRIDGE, ACCEPT),
            rule!(FROM_INTERNAL, DROP),
            rule!(TO_INTERNAL, DROP),
            rule!(IS_KNOWN, ACCEPT),
            rule!(TO_BRIDGE, IS_PUBLISHED, ACCEPT),
            rule!(TO_BRIDGE, DROP),
        ],
    },
    // Nor does an internal network reach the machine, but to find it as a neighbour.
    Chain {
        name: "input",
        hook: Some(("filter", INPUT, FILTER)),
        rules: &[rule!(FROM_INTERNAL, IS_KNOWN, ACCEPT), rule!(FROM_INTERNAL, NOT_ICMPV6, DROP)],
    },
];

const ICMPV6: u8 = 58;
const LOOPBACK: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Address, protocol and port looked up in a map: the address has this many words.
const fn published(map: Set, address: Field, words: u32) -> [Expression<'static>; 4] {
    [
        Payload(address, 0),
        Expression::Meta(Meta::Protocol, words),
        Payload(Field::DESTINATION_PORT, words + 1),
        Map(map.name(), 0),
    ]
}

/// Protocol and port looked up in a map.
const fn published_anywhere(map: Set) -> [Expression<'static>; 3] {
    [Expression::Meta(Meta::Protocol, 0), Payload(Field::DESTINATION_PORT, 1), Map(map.name(), 0)]
}

/// To what the map had: an address of so many words, and a port.
const fn nat(family: u8, words: u32) -> [Expression<'static>; 1] {
    [DestinationNat { family, address: 0, port: words }]
}

/// How many rules there are.
pub(super) fn count() -> usize {
    CHAINS.iter().map(|chain| chain.rules.len()).sum()
}

/// Makes the table, its sets and chains where they are missing, and all rules anew.
pub(super) fn all() -> Vec<Message> {
    let mut messages = vec![in_table(NEW_TABLE, CREATE)];
    messages.extend(Set::ALL.into_iter().map(Set::message));
    messages.extend(CHAINS.iter().map(chain));
    // Of all chains.
    messages.push(in_table(DELETE_RULE, REQUEST));
    for chain in CHAINS {
        messages.extend(chain.rules.iter().map(|rule| {
            let message = in_table(NEW_RULE, APPEND).text(2, chain.name);
            expression::list(message, 4, rule)
        }));
    }
    messages
}

/// Removes the table; it is made before, as what is not there cannot be removed.
pub(super) fn remove() -> Vec<Message> {
    vec![in_table(NEW_TABLE, CREATE), in_table(DELETE_TABLE, REQUEST)]
}

fn chain(chain: &Chain) -> Message {
    let message = in_table(NEW_CHAIN, CREATE).text(3, chain.name);
    let Some((kind, hook, priority)) = chain.hook else { return message };
    let place = |message: Message| {
        message.attribute(1, &number(hook)).attribute(2, &number(priority.cast_unsigned()))
    };
    message.nested(4, place).text(7, kind)
}
