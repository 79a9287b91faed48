//! The OCI verbs as a library: what runc's command line does, without a command line.
//!
//! ```text
//! create, run   config.json -> Spec -> Plan -> parent.rs | clone3 | child.rs -> execve
//! start         meets the waiting child
//! exec          exec.rs | clone3 | process.rs -> execve
//! kill pause resume delete update processes ...
//! ```
//!
//! Whoever calls [`create`], [`run`] or [`exec`] has one thread: the child is a copy of the caller.
//! It should have called [`protect_executable`] first. Nothing here prints, exits (but the child),
//! reads the environment, or keeps global state.

#![forbid(unsafe_code)]

mod child;
mod console;
mod container;
mod criu;
mod delete;
mod directory;
mod error;
mod events;
mod exec;
mod executable;
mod failure;
mod features;
mod file;
mod filesystem;
mod foreground;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod guests;
mod handshake;
mod home;
mod hooks;
mod id;
mod keys;
mod kill;
mod last_words;
mod launch;
mod notify;
mod parent;
mod plan;
mod process;
mod program;
mod readiness;
mod record;
mod request;
mod running;
mod start;
mod terminal;
mod time;
mod update;

pub use container::{Container, Summary, list};
pub use criu::{CgroupsMode, Checkpoint, Criu, Restore, checkpoint, restore};
pub use delete::{delete, forget};
pub use error::{Error, Result};
pub use events::{Event, InterfaceUse, Use, Watch};
pub use exec::{Exec, exec, with_configuration};
pub use executable::{protect_executable, protected_executable};
pub use failure::{Failure, Step};
pub use features::features;
pub use foreground::{Foreground, Left};
pub use id::{ContainerId, InvalidId};
pub use kernel::cgroup::{Bus, Driver as CgroupDriver, SubGroup};
pub use kernel::mount::{Mapped, Overlay};
pub use kernel::{cgroup as groups, resctrl};
pub use keys::Keys;
pub use kill::{pause, processes, resume, send as kill};
pub use parent::{create, run};
pub use plan::updates as group_resources;
pub use request::{Create, GivenMount, ListenFds, RootMount};
pub use running::Running;
pub use start::start;
pub use time::rfc3339;
pub use update::update;
