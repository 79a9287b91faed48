//! Landlock, landlock(7): what the program of a container may do with files, TCP ports, signals
//! and sockets, whatever its capabilities are.
//!
//! [`Rules`] are read from annotations, each of which takes one kind of rights away and names what
//! is left of it. All begin with [`PREFIX`]; the names are those of `tino`'s options:
//!
//! | annotation | value | the program may |
//! |---|---|---|
//! | `write-allow` | paths | create, write, truncate, rename and remove only below them; and write to what is in `/dev` |
//! | `write-no-dev` | `true` | not even write to what is in `/dev` |
//! | `read-allow` | paths | read files and list folders only below them |
//! | `exec-allow` | paths | execute only what is below them: the program itself, its interpreter or loader included |
//! | `device-ioctl-allow` | paths | use ioctl(2) only on devices below them that it opens itself |
//! | `bind-tcp-allow` | ports | bind TCP sockets to these ports only |
//! | `connect-tcp-allow` | ports | connect TCP sockets to these ports only |
//! | `scope-signals` | `true` | send signals to none but itself and its descendants |
//! | `scope-abstract-unix` | `true` | connect to no abstract unix sockets but those of itself and its descendants |
//! | `warn-only` | `true` | do more than all this where the kernel cannot keep it from that, or a path is missing |
//!
//! Paths are those of the container, absolute, with colons between them, as in `$PATH`; ports are
//! decimal, with commas between them. An empty list leaves nothing. `false` is as good as nothing
//! said. Where file rights are taken away, nothing can be mounted any more.

mod annotation;
mod rights;
mod ruleset;

pub use annotation::{ANNOTATIONS, ParseError, parse};
pub use rights::Lacking;
pub use ruleset::{Error, Ruleset};

use crate::path::RootedPath;
use sys::landlock::Handled;

/// How the annotations begin.
pub const PREFIX: &str = "org.tinyo.landlock.";

/// What is taken away, and what is given back. See [`parse`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    handled: Handled,
    paths: Vec<PathRule>,
    ports: Vec<PortRule>,
    warn_only: bool,
}

/// Rights that are given back on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PathRule {
    path: RootedPath,
    /// `LANDLOCK_ACCESS_FS_*`.
    rights: u64,
    /// Whether it may be missing.
    optional: bool,
}

/// Rights that are given back on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PortRule {
    port: u16,
    /// `LANDLOCK_ACCESS_NET_*`.
    rights: u64,
}
