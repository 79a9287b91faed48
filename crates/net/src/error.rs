//! What can go wrong with a network.

use crate::subnet::Subnet;
use std::io;

/// Why something about a network was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call or a request over netlink failed.
    #[error("cannot {doing}: {error}")]
    Call {
        /// What was being done, and with what.
        doing: String,
        /// The call.
        error: sys::Error,
    },
    /// The kernel has no nf_tables.
    #[error("this kernel has no nf_tables, which published ports and isolation need: {0}")]
    NoFirewall(sys::Error),
    /// There is a device of this name that is none of ours.
    #[error("there is a network device {0} already, which is no bridge")]
    NoBridge(String),
    /// The machine has the addresses of a network elsewhere.
    #[error(
        "the network cannot have the subnet {subnet}, as {device} of the machine has {other}: \
         make it anew with another --subnet, or take that away"
    )]
    Overlap {
        /// What the network was to have.
        subnet: Subnet,
        /// What is there.
        other: Subnet,
        /// Where.
        device: String,
    },
    /// Chains of another program that drop what is forwarded, and that only it can change.
    #[error(
        "{chains} of another firewall lets no network pass, and only its owner can change that \
         ({reason}); for firewalld: firewall-cmd --zone=trusted --add-interface={bridge}; \
         or say --network none or host"
    )]
    Closed {
        /// Their tables and names.
        chains: String,
        /// The bridge that was to pass.
        bridge: String,
        /// What was tried.
        reason: String,
    },
    /// A port that is to be published.
    #[error("the port {port} cannot be published: another container or program has it")]
    PortInUse {
        /// Which.
        port: crate::port::Port,
    },
    /// A device that was there a moment ago, or has to be.
    #[error("there is no network device {0}")]
    Missing(String),
    /// A child process has said what went wrong with its work.
    #[error("{0}")]
    Apart(String),
    /// Nothing can connect the containers of a user without rights.
    #[error(
        "a user without rights needs pasta (Debian's package passt) or slirp4netns for networks: \
         install one of them, or say --network none or host"
    )]
    NoHelper,
    /// A program that connects a container of a user without rights does not work.
    #[error("{0}")]
    Helper(String),
    /// The network namespace of the container cannot be used.
    #[error("cannot enter the network of the container: {0}")]
    Namespace(#[from] kernel::namespace::Error),
}

impl Error {
    /// Adds what was being done.
    pub(crate) fn doing(doing: impl Into<String>) -> impl FnOnce(sys::Error) -> Error {
        move |error| Error::Call { doing: doing.into(), error }
    }
}

/// Whether accept(2) has failed for one client, or none: not for all of them, as without a descriptor.
pub(crate) fn concerns_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}
