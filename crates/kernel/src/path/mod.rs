//! Paths inside a container's root: resolved once, to a descriptor, and then used by it.
//!
//! Whoever owns the files of a container can turn any of its folders into a symbolic link at any
//! moment, from another container that shares them for instance. So a path in there is never
//! handed to a call that follows links from the machine's root. [`Root`] resolves a
//! [`RootedPath`] as if its folder were the root of the file system: `..` stops there, and
//! absolute links start there. The links of procfs that lead to anywhere are refused.
//!
//! It never opens a file for reading or writing but by [`Root::open_file`]; all other functions
//! return descriptors that only name a place (`O_PATH`).

mod file;
mod procfs;
mod root;
mod rooted;
mod walk;

pub use file::{read_at, reopen, write_at};
pub use procfs::Procfs;
pub use root::{Links, Resolver, Root};
pub use rooted::{ParseError, RootedPath};
