//! Trees of files, read by descriptor: packed into archives, and compared with each other.
//!
//! The trees are those of layers or of stopped containers: what is in them is untrusted, so no
//! link in them is followed and nothing but regular files is opened. Nobody changes them
//! meanwhile.

mod compare;
mod mend;
mod node;
mod pack;
mod walk;

#[cfg(test)]
mod tests;

pub use compare::{Difference, compare};
pub use mend::Mends;
pub(crate) use mend::{Paths, make_alike};
pub use pack::{Content, pack};
pub use walk::LayerRoot;
