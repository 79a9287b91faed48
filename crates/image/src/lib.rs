//! Images: where they come from, where they are kept, and the root file systems that they become.
//!
//! It never mounts anything, starts no container, and prints nothing. Whoever runs containers of
//! images begins at [`base`].

#![forbid(unsafe_code)]

pub mod archive;
pub mod assemble;
pub mod auth;
pub mod base;
pub mod change;
mod file;
pub mod flow;
mod hash;
pub mod hello;
pub mod hosts;
mod input;
pub mod pull;
pub mod push;
pub mod reference;
pub mod registry;
pub mod store;
pub mod tar;
pub mod time;
pub mod transport;
pub mod tree;
pub mod unpack;

#[cfg(test)]
mod tests;

pub use hash::Hasher;
pub use spec::image::Digest;
