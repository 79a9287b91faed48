//! Requests to the kernel over netlink(7): how messages are written and read, sent and answered.
//!
//! It knows no type of message; what they mean is said where they are used.

mod message;
mod socket;

pub use message::{Message, Received, attributes, number};
pub use socket::{ACKNOWLEDGE, BatchError, DUMP, ONE, Socket};
