//! One request and its response over a connection (RFC 9112).

mod body;
mod head;
mod request;

pub use body::Body;
pub use head::{Framing, HEAD_LIMIT, Head};
pub(crate) use request::Target;
pub use request::{Content, Method, Request};

use std::io;
use std::time::Duration;

/// Why there was no usable response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection failed, before or within the response.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// The server closed the connection without a word.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The bytes that came are no response.
    #[error("the server does not speak HTTP: {0}")]
    NotHttp(String),
    /// More than [`HEAD_LIMIT`] bytes of headers.
    #[error("the head of the response is longer than {HEAD_LIMIT} bytes")]
    HeadTooLong,
    /// A wrong or contradictory `Content-Length`.
    #[error("the response has an impossible length: {0:?}")]
    Length(String),
    /// A `Transfer-Encoding` that was not asked for.
    #[error("the response has a transfer coding that was not asked for")]
    Coding,
}

/// How long the network may keep us waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For one address to accept a connection.
    pub connect: Duration,
    /// For the head of a response to be complete, once the request is sent.
    pub head: Duration,
    /// For a write or a read of a body to go on; within this time at least [`SLOWEST`] bytes of a
    /// body must come.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts { connect: seconds(15), head: seconds(60), stall: seconds(60) }
    }
}

/// A body of which fewer bytes come within [`Timeouts::stall`] has stalled, so that nobody can
/// hold us with a byte a minute.
pub const SLOWEST: u64 = 1024;

/// A response whose body has not been read yet.
#[derive(Debug)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// What follows.
    pub body: Body,
}

impl Response {
    /// 100 to 999.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }
}
