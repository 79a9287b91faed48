//! What a process is and may do: ids, capabilities, limits, and how it is scheduled.
//!
//! Values are parsed by the parent and applied by the child. The order in which they are applied
//! is the runtime's: it decides which rights are still there at which step.

mod capability;
mod identity;
mod keyring;
mod limit;
mod list;
mod schedule;

pub use capability::{Capabilities, CapabilitySet, UnknownCapability, capability_names};
pub use identity::{Identity, take_root_ids};
pub use keyring::{join_session_keyring, make_session_keyring};
pub use limit::{Limit, UnknownLimit, limit_names, set_limits};
pub use list::{InvalidList, parse_list};
pub use schedule::{
    MemoryPolicy, Scheduling, join_core_group, make_core_group, reset_affinity, set_affinity,
};
