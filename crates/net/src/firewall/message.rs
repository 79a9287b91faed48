//! Messages of nf_tables: their types, and what they begin with (linux/netfilter/nf_tables.h).

use super::TABLE;
use sys::netlink::{Message, Received};

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

pub(super) const NEW_TABLE: u16 = 0;
pub(super) const DELETE_TABLE: u16 = 2;
pub(super) const NEW_CHAIN: u16 = 3;
pub(super) const GET_CHAIN: u16 = 4;
pub(super) const NEW_RULE: u16 = 6;
pub(super) const GET_RULE: u16 = 7;
pub(super) const DELETE_RULE: u16 = 8;
pub(super) const NEW_SET: u16 = 9;
pub(super) const NEW_ELEMENT: u16 = 12;
pub(super) const GET_ELEMENT: u16 = 13;
pub(super) const DELETE_ELEMENT: u16 = 14;
pub(super) const NEW_GENERATION: u16 = 15;

/// `NLM_F_REQUEST`.
pub(super) const REQUEST: u16 = 0x0001;
/// Make it unless it is there.
pub(super) const CREATE: u16 = REQUEST | 0x0400;
/// With [`CREATE`]: what is there already is an error.
pub(super) const EXCLUSIVE: u16 = 0x0200;
/// Put it behind those that are there.
pub(super) const APPEND: u16 = CREATE | 0x0800;

pub(super) const FAMILY_INET: u8 = 1;

/// `sizeof(struct nfgenmsg)`.
pub(super) const STRUCTURE: usize = 4;

pub(super) const RULE_TABLE: u16 = 1;

/// `NFTA_LIST_ELEM`.
pub(super) const LIST_ELEMENT: u16 = 1;
/// `NFTA_DATA_VALUE`.
pub(super) const DATA_VALUE: u16 = 1;
/// `NFTA_DATA_VERDICT`.
pub(super) const DATA_VERDICT: u16 = 2;

/// A message of this type about something of a family.
pub(super) fn of_family(kind: u16, flags: u16, family: u8) -> Message {
    Message::new(SUBSYSTEM << 8 | kind, flags, &[family, 0, 0, 0])
}

/// A message about our table, or something in it: the first attribute is always the table's name.
pub(super) fn in_table(kind: u16, flags: u16) -> Message {
    of_family(kind, flags, FAMILY_INET).text(RULE_TABLE, TABLE)
}

/// What is before and behind the messages of a transaction.
pub(super) fn around_batch() -> (Message, Message) {
    // The subsystem's number in network order.
    let structure = [0, 0, 0, SUBSYSTEM.to_be_bytes()[1]];
    let message = |kind| Message::new(kind, REQUEST, &structure);
    (message(BATCH_BEGIN), message(BATCH_END))
}

/// Whether a message that came is of this type.
pub(super) fn is(message: &Received<'_>, kind: u16) -> bool {
    message.kind == SUBSYSTEM << 8 | kind
}

/// A number as attributes have it.
pub(super) fn number(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}
