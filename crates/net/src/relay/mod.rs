//! What comes for published ports at `::1`.
//!
//! The firewall leads everything else to containers, but the kernel takes no packet from or for
//! `::1` on another device. So there is a socket that listens at `::1`, and at no other address, and
//! what comes there is passed on by a process of its own ([`run`]), which is started when somebody
//! comes ([`Relay`]) and ends when nobody has been there for a while. The container sees the machine's
//! address in its network as the client, as it does for 127.0.0.1.
//!
//! The same stands in for IPv6 where a user's helper has none.

mod datagrams;
mod listener;
mod server;
mod start;
mod stream;

pub use listener::Listener;
pub use start::Relay;

use crate::port::Protocol;
use server::Server;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use sys::process::take_descriptor;
use sys::rustix::process::{Resource, getppid, getrlimit, setrlimit};
use sys::rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// The word by which a program knows that it is to be a relay; the other words follow.
pub const WORD: &str = "relay";

/// The words of a relay: whose it is, the addresses of the container, and a word for each socket.
fn words(parent: i32, targets: &[IpAddr], listeners: &[Listener]) -> Vec<String> {
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let mut words =
        vec!["tinyo".to_owned(), WORD.to_owned(), parent.to_string(), targets.join(",")];
    words.extend(
        listeners.iter().map(|it| format!("{}:{}/{}", it.socket.as_raw_fd(), it.port, it.protocol)),
    );
    words
}

/// Passes on what comes for published ports, until nobody has come for a while. None if these are not
/// the words that a relay gets, or whoever started it has ended.
pub fn run(mut words: impl Iterator<Item = String>) -> Option<()> {
    let parent: i32 = words.next()?.parse().ok()?;
    // Until here, nothing ended this process with it.
    if getppid().map_or(0, |it| it.as_raw_nonzero().get()) != parent {
        return None;
    }
    let targets = words.next()?;
    let targets = targets.split(',').filter(|it| !it.is_empty());
    let targets: Vec<IpAddr> = targets.map(str::parse).collect::<Result<_, _>>().ok()?;
    let sockets: Vec<_> = words.map(|word| read_socket(&word)).collect::<Option<_>>()?;
    // Each connection takes two descriptors.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer there are fewer connections at a time.
    let _ = setrlimit(Resource::Nofile, limit);
    give_up_rights()?;
    Server::new(sockets, targets).ok()?.run().ok()
}

/// What it reads comes from anybody on the machine and from the container, and nothing that it still
/// does needs a right.
fn give_up_rights() -> Option<()> {
    set_no_new_privs(true).ok()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .ok()
}

/// A socket, its protocol, and the port of the container.
type Socket = (OwnedFd, Protocol, u16);

fn read_socket(word: &str) -> Option<Socket> {
    let (number, rest) = word.split_once(':')?;
    let (port, protocol) = rest.split_once('/')?;
    Some((take_descriptor(number.parse().ok()?)?, protocol.parse().ok()?, port.parse().ok()?))
}
