//! What differs from machine to machine: elements of sets and maps.

use super::message::{
    CREATE, DATA_VALUE, DELETE_ELEMENT, GET_ELEMENT, LIST_ELEMENT, NEW_ELEMENT, NEW_SET, REQUEST,
    STRUCTURE, in_table, is, number,
};
use crate::octets::{address_of, octets_of};
use crate::port::Protocol;
use std::net::{IpAddr, SocketAddr};
use sys::netlink::{DUMP, Message, ONE, Received, attributes};

/// Something that the rules look up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// The bridge of a network: its containers reach each other.
    Network(String),
    /// The bridge of an internal network: neither do its containers reach anybody else, nor the
    /// other way round.
    Internal(String),
    /// A published port.
    Published(Published),
}

/// A port of the machine that leads to one of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Published {
    /// The address of the machine; every one of the target's family if none is given.
    pub address: Option<IpAddr>,
    /// The port of the machine.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// Address and port of the container. An address of the machine must be of the same family.
    pub target: SocketAddr,
}

/// A set or map of our table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Networks,
    Internal,
    PortsOfIpv4,
    PortsIpv4,
    PortsOfIpv6,
    PortsIpv6,
}

/// `IFNAMSIZ`.
const NAME: usize = 16;
/// How `nft` calls the types of keys and values: only it reads these.
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_PORT: u32 = 13;
const TYPE_NAME: u32 = 41;
/// `NFT_SET_MAP`.
const IS_MAP: u32 = 8;
/// An attribute has at most 64 kB: as many elements as are surely less.
const ELEMENTS_A_MESSAGE: usize = 400;

impl Set {
    pub(super) const ALL: [Set; 6] = [
        Set::Networks,
        Set::Internal,
        Set::PortsOfIpv4,
        Set::PortsIpv4,
        Set::PortsOfIpv6,
        Set::PortsIpv6,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Set::Networks => "networks",
            Set::Internal => "internal",
            Set::PortsOfIpv4 => "ports_of_ipv4",
            Set::PortsIpv4 => "ports_ipv4",
            Set::PortsOfIpv6 => "ports_of_ipv6",
            Set::PortsIpv6 => "ports_ipv6",
        }
    }

    /// The types and the length of its keys, and of its values.
    const fn types(self) -> (&'static [u32], usize, &'static [u32], usize) {
        match self {
            Set::Networks => (&[TYPE_NAME, TYPE_NAME], 2 * NAME, &[], 0),
            Set::Internal => (&[TYPE_NAME], NAME, &[], 0),
            Set::PortsOfIpv4 => {
                (&[TYPE_IPV4, TYPE_PROTOCOL, TYPE_PORT], 12, &[TYPE_IPV4, TYPE_PORT], 8)
            }
            Set::PortsIpv4 => (&[TYPE_PROTOCOL, TYPE_PORT], 8, &[TYPE_IPV4, TYPE_PORT], 8),
            Set::PortsOfIpv6 => {
                (&[TYPE_IPV6, TYPE_PROTOCOL, TYPE_PORT], 24, &[TYPE_IPV6, TYPE_PORT], 20)
            }
            Set::PortsIpv6 => (&[TYPE_PROTOCOL, TYPE_PORT], 8, &[TYPE_IPV6, TYPE_PORT], 20),
        }
    }

    /// Makes it unless it is there.
    pub(super) fn message(self) -> Message {
        // A concatenation of types has six bits for each.
        let joined = |types: &[u32]| types.iter().fold(0, |all, kind| all << 6 | kind);
        let length = |length: usize| number(u32::try_from(length).unwrap_or(u32::MAX));
        let (key, key_length, value, value_length) = self.types();
        let flags = if value.is_empty() { 0 } else { IS_MAP };
        let message = in_table(NEW_SET, CREATE)
            .text(2, self.name())
            .attribute(3, &number(flags))
            .attribute(4, &number(joined(key)))
            .attribute(5, &length(key_length))
            // A number within the transaction, which every set must have.
            .attribute(10, &number(self as u32 + 1));
        if value.is_empty() {
            return message;
        }
        message.attribute(6, &number(joined(value))).attribute(7, &length(value_length))
    }
}

/// Where an element is, its key, and its value, which may be left out.
type Place = (Set, Vec<u8>, Vec<u8>);

fn places(element: &Element) -> Place {
    match element {
        Element::Network(name) => {
            (Set::Networks, [device_name(name), device_name(name)].concat(), Vec::new())
        }
        Element::Internal(name) => (Set::Internal, device_name(name).to_vec(), Vec::new()),
        Element::Published(Published { address, port, protocol, target }) => {
            let set = match (address, target) {
                (Some(_), SocketAddr::V4(_)) => Set::PortsOfIpv4,
                (None, SocketAddr::V4(_)) => Set::PortsIpv4,
                (Some(_), SocketAddr::V6(_)) => Set::PortsOfIpv6,
                (None, SocketAddr::V6(_)) => Set::PortsIpv6,
            };
            let mut key = address.map(octets_of).unwrap_or_default();
            key.extend([protocol.number(), 0, 0, 0]);
            key.extend(word_of(*port));
            let value = [octets_of(target.ip()), word_of(target.port()).to_vec()].concat();
            (set, key, value)
        }
    }
}

fn device_name(name: &str) -> [u8; NAME] {
    let mut bytes = [0; NAME];
    bytes.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    bytes
}

/// A port, in a word of its own.
fn word_of(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

/// Adds elements: as few messages as possible.
pub(super) fn add(elements: &[Element]) -> Vec<Message> {
    messages(NEW_ELEMENT, CREATE, elements.iter().map(places).collect())
}

/// Removes elements that have these keys, whatever their values.
pub(super) fn remove(elements: &[&Element]) -> Vec<Message> {
    messages(DELETE_ELEMENT, REQUEST, elements.iter().map(|element| place(element)).collect())
}

/// Asks for an element.
pub(super) fn look_up(element: &Element) -> (Set, Message) {
    let place = place(element);
    (place.0, list(GET_ELEMENT, ONE, place.0, &[place]))
}

/// Asks for all elements of a set.
pub(super) fn dump(set: Set) -> Message {
    in_table(GET_ELEMENT, DUMP).text(2, set.name())
}

/// Where an element is, and its key alone.
fn place(element: &Element) -> Place {
    let (set, key, _) = places(element);
    (set, key, Vec::new())
}

fn messages(kind: u16, flags: u16, mut places: Vec<Place>) -> Vec<Message> {
    places.sort_by_key(|(set, ..)| *set as usize);
    let parts = places.chunk_by(|(one, ..), (other, ..)| one == other);
    let parts = parts.flat_map(|of_set| of_set.chunks(ELEMENTS_A_MESSAGE));
    parts.map(|part| list(kind, flags, part[0].0, part)).collect()
}

fn list(kind: u16, flags: u16, set: Set, places: &[Place]) -> Message {
    in_table(kind, flags).text(2, set.name()).nested(3, |list| {
        places.iter().fold(list, |list, (_, key, value)| {
            list.nested(LIST_ELEMENT, |element| write(element, key, value))
        })
    })
}

fn write(element: Message, key: &[u8], value: &[u8]) -> Message {
    let element = element.nested(1, |data| data.attribute(DATA_VALUE, key));
    if value.is_empty() {
        return element;
    }
    element.nested(2, |data| data.attribute(DATA_VALUE, value))
}

/// The elements of a set in an answer.
pub(super) fn read(set: Set, answer: &Received<'_>) -> Vec<Element> {
    if !is(answer, NEW_ELEMENT) {
        return Vec::new();
    }
    let lists = attributes(answer.content, STRUCTURE).filter(|(kind, _)| *kind == 3);
    let elements = lists.flat_map(|(_, list)| attributes(list, 0));
    elements.filter_map(|(_, element)| read_element(set, element)).collect()
}

fn read_element(set: Set, element: &[u8]) -> Option<Element> {
    let data = |wanted| {
        let (_, data) = attributes(element, 0).find(|(kind, _)| *kind == wanted)?;
        attributes(data, 0).find(|(kind, _)| *kind == DATA_VALUE).map(|(_, value)| value)
    };
    let key = data(1)?;
    let name = |bytes: &[u8]| {
        let length = bytes.iter().take(NAME).position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    };
    let length = match set {
        Set::Networks => return name(key).map(Element::Network),
        Set::Internal => return name(key).map(Element::Internal),
        Set::PortsIpv4 | Set::PortsIpv6 => 0,
        Set::PortsOfIpv4 => 4,
        Set::PortsOfIpv6 => 16,
    };
    let (address, rest) = key.split_at_checked(length)?;
    let &[protocol, _, _, _, high, low, ..] = rest else { return None };
    let (target, port) = data(2)?.split_last_chunk::<4>()?;
    Some(Element::Published(Published {
        address: if length == 0 { None } else { Some(address_of(address)?) },
        port: u16::from_be_bytes([high, low]),
        protocol: Protocol::from_number(protocol)?,
        target: SocketAddr::new(address_of(target)?, u16::from_be_bytes([port[0], port[1]])),
    }))
}
