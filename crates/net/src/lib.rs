//! Networks of containers: bridges, addresses, published ports, names.
//!
//! Everything is said to the kernel over netlink, and no program is run but the helpers of users
//! without rights, and firewalld's own where nobody else can change its chains. What a network is,
//! which container has which address, and who may do what is kept elsewhere: functions here take it
//! as arguments, and each can be called again after a crash in the middle of it.
//!
//! - [`subnet`]: which network and which address is free, computed only
//! - [`port`]: `8080:80/udp` and its like
//! - [`link`]: bridges, and pairs of devices between them and containers
//! - [`firewall`]: our nf_tables table: published ports, isolation, masquerading
//! - [`relay`]: what comes for published ports at `::1`, or by IPv6 where a helper has none
//! - [`helper`]: `pasta` or `slirp4netns`, for users without rights
//! - [`dns`]: names, answered at 127.0.0.11 in each container

#![forbid(unsafe_code)]

mod apart;
pub mod dns;
mod error;
pub mod firewall;
pub mod helper;
pub mod link;
mod octets;
pub mod port;
pub mod relay;
mod reservation;
pub mod subnet;

pub use apart::apart;
pub use error::Error;
pub use reservation::{Reservation, listen_beside_helper};
