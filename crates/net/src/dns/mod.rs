//! Names, answered at 127.0.0.11 in each container.
//!
//! [`Responder`] is driven by the container's monitor, which has one thread: it never waits. Names
//! of containers come from one small file for each network ([`Zone`]), read anew for each
//! question; everything else is asked of the machine's servers, from the machine's own network.
//! It keeps no answers, and knows neither DNSSEC nor zones of others.

pub mod message;
mod responder;
mod tcp;
mod udp;
mod upstream;
mod zone;

pub use responder::{ADDRESS, Responder, listen};
pub use upstream::{Upstream, parse_servers};
pub use zone::{Entry, Zone};
