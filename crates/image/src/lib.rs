//! Images: where they come from, where they are kept, and the root file systems that they become.
//!
//! It never mounts anything, starts no container, and prints nothing.

#![forbid(unsafe_code)]

pub mod archive;
pub mod auth;
mod file;
pub mod flow;
mod hash;
pub mod hosts;
mod input;
pub mod pull;
pub mod push;
pub mod reference;
pub mod registry;
pub mod store;
pub mod tar;
pub mod transport;
pub mod tree;
pub mod unpack;

pub use hash::Hasher;
pub use spec::image::Digest;
