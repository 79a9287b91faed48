//! Programs that connect a container of a user without rights: they have a device in its network
//! namespace, and sockets of the user's for what goes through it.
//!
//! `pasta` (Debian's package `passt`) is faster and has IPv6, and is preferred; where it is not there,
//! or cannot be used, as without a default route, or is too old for what is published, `slirp4netns`
//! takes its place. Both keep the address of a client that is not the machine itself.
//!
//! The program is below `tino` in a PID namespace of its own ([`kernel::helper`]).

mod pasta;
mod slirp;
mod start;

use crate::Error;
use crate::port::{Port, Protocol};
use kernel::helper::find;
use std::os::fd::BorrowedFd;
use std::path::Path;

pub use kernel::helper::Helper;

/// The name of its device in the container.
pub const DEVICE: &str = "tap0";

/// Starts one of the programs.
type Start = fn(&Path, &Request<'_>) -> Result<Helper, Error>;

/// What a helper needs to be started.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `tino` on the machine.
    pub init: &'a Path,
    /// The network namespace of the container.
    pub namespace: BorrowedFd<'a>,
    /// What is published, each with a port of the machine.
    pub ports: &'a [Port],
    /// What it prints goes to this file.
    pub log: &'a Path,
    /// Where it listens for what it is told, if it does; a short path.
    pub socket: &'a Path,
}

/// One that runs.
pub struct Connected {
    /// The process.
    pub helper: Helper,
    /// Whether published ports are reached by IPv6.
    pub has_ipv6: bool,
}

/// Starts one, and waits until it is ready.
///
/// # Errors
/// [`Error::NoHelper`] if neither program is there; [`Error::Helper`] with what they say.
pub fn connect(request: &Request<'_>) -> Result<Connected, Error> {
    let mut programs = Vec::new();
    programs.extend(find("pasta").map(|path| (path, pasta::start as Start, true)));
    programs.extend(find("slirp4netns").map(|path| (path, slirp::start as Start, false)));
    let has_tcp = request.ports.iter().any(|it| it.protocol == Protocol::Tcp);
    if let [(pasta, ..), _] = &programs[..]
        && has_tcp
        && pasta::loses_greetings(pasta)
    {
        programs.reverse();
    }
    let mut failures = Vec::new();
    for (program, start, has_ipv6) in programs {
        match start(&program, request) {
            Err(Error::Helper(text)) => failures.push(text),
            result => return result.map(|helper| Connected { helper, has_ipv6 }),
        }
    }
    if failures.is_empty() { Err(Error::NoHelper) } else { Err(Error::Helper(failures.join("; "))) }
}

/// Whether one of the programs is there.
#[must_use]
pub fn is_installed() -> bool {
    find("pasta").or_else(|| find("slirp4netns")).is_some()
}

/// Whether a helper can publish a port of this protocol.
#[must_use]
pub fn can_publish(protocol: Protocol) -> bool {
    protocol != Protocol::Sctp
}
