//! Questions about names, in the network namespace of a container.

use super::TABLE;
use super::expression::Expression::{Equal, Immediate, Payload, Verdict as End, Write};
use super::expression::{self, Expression, Field, Meta, Verdict};
use super::message::{
    self, APPEND, CREATE, DELETE_TABLE, EXCLUSIVE, NEW_CHAIN, NEW_RULE, NEW_TABLE, REQUEST, number,
    of_family,
};
use crate::Error;
use crate::port::Protocol;
use sys::netlink::{Message, Socket};
use sys::rustix::io::Errno;

const FAMILY_IPV4: u8 = 2;
const CHAIN: &str = "names";
/// `NF_INET_LOCAL_OUT`, and before connection tracking.
const OUTPUT: u32 = 3;
const PRIORITY: i32 = -300;
const PORT_OF_DNS: u16 = 53;

/// Lets programs in the caller's network namespace reach a server that listens on a port of this
/// address by port 53, so that port 53 stays free for a server of their own.
///
/// Ports are rewritten packet by packet: the kernel need not track connections for it.
///
/// # Errors
/// What the kernel answers.
pub fn redirect_names(address: [u8; 4], port: u16) -> Result<(), Error> {
    let about_table =
        |kind, flags| of_family(kind, flags, FAMILY_IPV4).text(message::RULE_TABLE, TABLE);
    let place = |message: Message| {
        message.attribute(1, &number(OUTPUT)).attribute(2, &number(PRIORITY.cast_unsigned()))
    };
    let chain = about_table(NEW_CHAIN, CREATE).text(3, CHAIN).nested(4, place).text(7, "filter");
    let mut messages = vec![about_table(NEW_TABLE, CREATE | EXCLUSIVE), chain];
    let (dns, port) = (PORT_OF_DNS.to_be_bytes(), port.to_be_bytes());
    let asking = (Field::DESTINATION_IPV4, Field::DESTINATION_PORT, dns, port);
    let answering = (Field::SOURCE_IPV4, Field::SOURCE_PORT, port, dns);
    for (host, field, old, new) in [asking, answering] {
        // The offset of the checksum.
        for (protocol, checksum) in [(Protocol::Udp, 6), (Protocol::Tcp, 16)] {
            let rule = [
                Payload(host, 0),
                Equal(0, &address),
                Expression::Meta(Meta::Protocol, 0),
                Equal(0, &[protocol.number()]),
                Payload(field, 0),
                Equal(0, &old),
                Immediate(0, &new),
                Write(field, 0, checksum),
                // Else the same packet would be an answer of the other kind.
                End(Verdict::Accept),
            ];
            let message = about_table(NEW_RULE, APPEND).text(2, CHAIN);
            messages.push(expression::list(message, 4, &rule));
        }
    }
    let mut socket = Socket::open_netfilter().map_err(Error::NoFirewall)?;
    let mut commit = |messages| {
        let (first, last) = message::around_batch();
        socket.batch("nf_tables", first, messages, last)
    };
    // A table that an earlier monitor has left is rare, and to remove one in any case would take
    // longer than all the rest: to close the socket waits until its memory is free.
    match commit(messages.clone()) {
        Err(it) if it.error.errno == Errno::EXIST => {
            messages.insert(0, about_table(DELETE_TABLE, REQUEST));
            commit(messages)
        }
        result => result,
    }
    .map_err(|it| Error::doing("redirect questions about names")(it.error))
}
