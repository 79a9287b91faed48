//! Networks of containers: bridges, addresses, published ports, names.
//!
//! Everything is said to the kernel over netlink, no program is run. What a network is, which
//! container has which address, and who may do what is kept elsewhere: functions here take it as
//! arguments, and each can be called again after a crash in the middle of it.
//!
//! - [`subnet`]: which network and which address is free, computed only
//! - [`port`]: `8080:80/udp` and its like
//! - [`link`]: bridges, and pairs of devices between them and containers
//! - [`firewall`]: our nf_tables table: published ports, isolation, masquerading
//! - [`dns`]: names, answered at 127.0.0.11 in each container

#![forbid(unsafe_code)]

pub mod dns;
mod error;
pub mod firewall;
pub mod link;
pub mod port;
mod reservation;
pub mod subnet;

pub use error::Error;
pub use reservation::Reservation;
