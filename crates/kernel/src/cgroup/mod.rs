//! Control groups: limits, and a hold on all processes of a container.
//!
//! What a machine has is found once, by [`Cgroups::find`]; everything after that is the same for
//! v1, v2, both of them side by side, and systemd:
//!
//! ```no_run
//! # fn main() -> kernel::cgroup::Result<()> {
//! use kernel::cgroup::{Cgroups, Driver, Resources};
//!
//! let cgroups = Cgroups::find(&Driver::Files, false)?;
//! let location = cgroups.locate(Some("/boxes/one"), "one")?;
//! // Everything the user may have written wrong is found here, before anything is done.
//! let prepared = cgroups.prepare(&location, Resources { pids: Some(100), ..Resources::default() })?;
//! let group = prepared.create()?;
//! let entry = group.entry()?;
//! // clone3(CLONE_INTO_CGROUP, entry.clone_into()), and first thing in the child:
//! entry.enter()?;
//! // In the parent, when the child has done so:
//! group.first_process_entered()?;
//! // Any later command:
//! group.description().open().remove()
//! # }
//! ```
//!
//! It does not decide which limits a container gets, and it mounts nothing.

mod absent;
mod cgroups;
mod checks;
mod creation;
mod devices;
mod entry;
mod error;
mod events;
mod files;
mod folder;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod group;
mod hybrid;
mod layout;
mod location;
mod processes;
mod resources;
mod statistics;
mod systemd;
mod text;
mod v1;
mod v2;
mod write;

pub use cgroups::{Cgroups, Driver, Prepared};
pub use entry::Entry;
pub use error::{Error, Result};
pub use events::{Event, Events};
pub use group::{Description, Group, SubGroup, UnitDescription};
pub use location::Location;
pub use resources::{
    BlockIo, Cpu, DeviceAccess, DeviceKind, DeviceRate, DeviceRule, DeviceWeight, HugePages,
    Memory, Network, Rdma, Resources,
};
pub use statistics::{
    BlockIoUse, CpuSetUse, CpuUse, DeviceUse, MemoryUse, Pressure, RdmaUse, Stall, Statistics,
    Usage,
};

pub use systemd::Bus;
