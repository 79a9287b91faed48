//! Expressions, of which rules are made: each does one step with the registers.

use super::message::{DATA_VALUE, DATA_VERDICT, LIST_ELEMENT, number};
use sys::netlink::Message;

/// Which register: `NFT_REG32_00` and those behind it, of four bytes each.
const REGISTERS: u32 = 8;
const VERDICT_REGISTER: u32 = 0;

/// Where in a packet: `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// `NFT_FIB_RESULT_OIF`, `NFT_FIB_RESULT_ADDRTYPE`.
const FIB_DEVICE: u32 = 1;
const FIB_TYPE: u32 = 3;
/// `NFTA_FIB_F_SADDR`, `NFTA_FIB_F_DADDR`, `NFTA_FIB_F_IIF`.
const FIB_SOURCE: u32 = 1;
const FIB_DESTINATION: u32 = 2;
const FIB_INPUT_DEVICE: u32 = 8;

pub(super) const NFPROTO_IPV4: u8 = 2;
pub(super) const NFPROTO_IPV6: u8 = 10;

/// A step of a rule. Registers are counted in words of four bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expression<'a> {
    /// Something that is known about the packet, into a register.
    Meta(Meta, u32),
    /// Bytes of a header into a register.
    Payload(Field, u32),
    /// Bytes of a register into a header, with the checksum at that offset.
    Write(Field, u32, u32),
    /// Goes on if the register begins with these bytes.
    Equal(u32, &'a [u8]),
    /// Goes on if it does not.
    NotEqual(u32, &'a [u8]),
    /// Of the connection tracking: `NFT_CT_*`, into a register.
    Connection(u32, u32),
    /// Goes on if a bit of these is set in the register.
    AnyBit(u32, u32),
    /// Goes on if the registers from this one on are an element of a set.
    In(&'a str, u32),
    /// Replaces the registers from the first one on by what a map has for them, or ends the rule.
    Map(&'a str, u32),
    /// What kind of address the destination is: `RTN_*`, into a register.
    DestinationType(u32),
    /// The same of the source.
    SourceType(u32),
    /// The number of the device that it came by, if that is the way back to its source, else 0, into a
    /// register.
    WayBack(u32),
    /// A value into a register.
    Immediate(u32, &'a [u8]),
    /// Changes destination address and port to those in two registers.
    DestinationNat { family: u8, address: u32, port: u32 },
    /// Changes the source address to the one of the device that the packet leaves through.
    Masquerade,
    /// Counts; iptables expects it in its rules.
    Counter,
    /// Ends with a verdict.
    Verdict(Verdict<'a>),
}

/// `NFT_META_*`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meta {
    InputName = 6,
    OutputName = 7,
    Family = 15,
    Protocol = 16,
}

/// Bytes of a header: which one, offset, length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(u32, u32, u32);

impl Field {
    pub(super) const SOURCE_IPV4: Field = Field(NETWORK, 12, 4);
    pub(super) const DESTINATION_IPV4: Field = Field(NETWORK, 16, 4);
    pub(super) const DESTINATION_IPV6: Field = Field(NETWORK, 24, 16);
    pub(super) const SOURCE_PORT: Field = Field(TRANSPORT, 0, 2);
    pub(super) const DESTINATION_PORT: Field = Field(TRANSPORT, 2, 2);
    /// The first byte of an address.
    pub(super) const SOURCE_IPV4_NET: Field = Field(NETWORK, 12, 1);
    pub(super) const DESTINATION_IPV4_NET: Field = Field(NETWORK, 16, 1);
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict<'a> {
    Drop,
    Accept,
    /// Goes on behind the jump that led here.
    Return,
    Jump(&'a str),
}

/// Adds expressions as an attribute.
pub(super) fn list(message: Message, kind: u16, expressions: &[Expression<'_>]) -> Message {
    message.nested(kind, |message| {
        let add = |message: Message, expression: &Expression<'_>| {
            message.nested(LIST_ELEMENT, |message| {
                message.text(1, expression.name()).nested(2, |data| expression.data(data))
            })
        };
        expressions.iter().fold(message, add)
    })
}

impl Expression<'_> {
    fn name(&self) -> &'static str {
        match self {
            Expression::Meta(..) => "meta",
            Expression::Payload(..) | Expression::Write(..) => "payload",
            Expression::Equal(..) | Expression::NotEqual(..) => "cmp",
            Expression::Connection(..) => "ct",
            Expression::AnyBit(..) => "bitwise",
            Expression::In(..) | Expression::Map(..) => "lookup",
            Expression::DestinationType(_) | Expression::SourceType(_) | Expression::WayBack(_) => {
                "fib"
            }
            Expression::Immediate(..) | Expression::Verdict(_) => "immediate",
            Expression::DestinationNat { .. } => "nat",
            Expression::Masquerade => "masq",
            Expression::Counter => "counter",
        }
    }

    /// The attributes of each, `NFTA_META_*` and so on.
    fn data(&self, it: Message) -> Message {
        // tidy: table
        match *self {
            Expression::Meta(key, to) => {
                it.attribute(1, &register(to)).attribute(2, &number(key as u32))
            }
            Expression::Payload(Field(base, offset, length), to) => it
                .attribute(1, &register(to))
                .attribute(2, &number(base))
                .attribute(3, &number(offset))
                .attribute(4, &number(length)),
            Expression::Write(Field(base, offset, length), from, checksum) => it
                .attribute(5, &register(from))
                .attribute(2, &number(base))
                .attribute(3, &number(offset))
                .attribute(4, &number(length))
                .attribute(6, &number(1))
                .attribute(7, &number(checksum)),
            Expression::Equal(from, bytes) => compare(it, from, 0, bytes),
            Expression::NotEqual(from, bytes) => compare(it, from, 1, bytes),
            Expression::Connection(key, to) => {
                it.attribute(1, &register(to)).attribute(2, &number(key))
            }
            Expression::AnyBit(place, bits) => it
                .attribute(1, &register(place))
                .attribute(2, &register(place))
                .attribute(3, &number(4))
                .nested(4, |mask| mask.attribute(DATA_VALUE, &bits.to_ne_bytes()))
                .nested(5, |none| none.attribute(DATA_VALUE, &[0; 4])),
            Expression::In(set, from) => it.text(1, set).attribute(2, &register(from)),
            Expression::Map(map, place) => {
                it.text(1, map).attribute(2, &register(place)).attribute(3, &register(place))
            }
            Expression::DestinationType(to) => route(it, to, FIB_TYPE, FIB_DESTINATION),
            Expression::SourceType(to) => route(it, to, FIB_TYPE, FIB_SOURCE),
            Expression::WayBack(to) => route(it, to, FIB_DEVICE, FIB_SOURCE | FIB_INPUT_DEVICE),
            Expression::Immediate(to, bytes) => {
                it.attribute(1, &register(to)).nested(2, |data| data.attribute(DATA_VALUE, bytes))
            }
            Expression::DestinationNat { family, address, port } => it
                .attribute(1, &number(1))
                .attribute(2, &number(family.into()))
                .attribute(3, &register(address))
                .attribute(5, &register(port)),
            Expression::Masquerade | Expression::Counter => it,
            Expression::Verdict(verdict) => it
                .attribute(1, &number(VERDICT_REGISTER))
                .nested(2, |data| data.nested(DATA_VERDICT, |data| verdict.data(data))),
        }
    }
}

impl Verdict<'_> {
    fn data(self, message: Message) -> Message {
        match self {
            Verdict::Drop => message.attribute(1, &number(0)),
            Verdict::Accept => message.attribute(1, &number(1)),
            Verdict::Return => message.attribute(1, &number((-5_i32).cast_unsigned())),
            Verdict::Jump(chain) => {
                message.attribute(1, &number((-3_i32).cast_unsigned())).text(2, chain)
            }
        }
    }
}

fn register(word: u32) -> [u8; 4] {
    number(REGISTERS + word)
}

/// What the table of routes has for an address: `NFT_FIB_RESULT_*`, with `NFTA_FIB_F_*`.
fn route(message: Message, to: u32, result: u32, flags: u32) -> Message {
    message.attribute(1, &register(to)).attribute(2, &number(result)).attribute(3, &number(flags))
}

fn compare(message: Message, from: u32, operator: u32, bytes: &[u8]) -> Message {
    message
        .attribute(1, &register(from))
        .attribute(2, &number(operator))
        .nested(3, |data| data.attribute(DATA_VALUE, bytes))
}
