//! HTTP/1.1 over TCP or TLS, with names resolved here: what a registry is reached by.
//!
//! It blocks, has a time limit for everything, keeps connections, and leaves redirects,
//! authentication and repetition to its caller, who alone knows what may be sent where.

mod client;
mod connect;
pub mod dns;
pub mod http;
mod pool;
mod proxy;
mod stream;
mod tls;
pub mod url;

pub use client::{Client, Reason, Settings, TransportError};
pub use proxy::Proxies;
pub use tls::{SYSTEM_ROOTS, Server, ServerSettings, TlsError};
