//! Typed system calls that rustix lacks, and the error that all of our crates use for one.
//!
//! It has the only `unsafe` code outside `tino`. It decides nothing: no paths are made safe, no
//! order is kept, nothing is retried but what `signal(7)` interrupts.

pub mod bpf;
mod call;
pub mod command_line;
pub mod early;
mod error;
pub mod identity;
pub mod interface;
pub mod iptables;
pub mod keyring;
pub mod landlock;
pub mod memory;
pub mod mount;
pub mod netlink;
pub mod process;
pub mod schedule;
pub mod seccomp;
pub mod signal;
pub mod signal_name;
pub mod socket;
pub mod start;

pub use error::{Error, OrError};
/// The wrappers that exist already; a caller takes them from here, so that there is one version.
pub use rustix;
