//! Device files of a container: nodes, the links in `/dev`, and the terminal.
//!
//! Nothing here opens a device but [`Console`], which looks at what it opens. What is made is
//! made relative to the descriptor of its folder and never through a link. In a user namespace
//! mknod(2) is forbidden, so the machine's own device files are bind mounted there.
//!
//! The caller's umask must be 0, or the modes are less than what was asked for.

mod console;
mod error;
mod folder;
mod link;
mod node;

pub use console::{Console, take_terminal};
pub use error::{Error, Step};
pub use folder::Folder;
pub use link::make_links;
pub use node::{Kind, Node, UnknownKind, default_nodes, make_nodes};
