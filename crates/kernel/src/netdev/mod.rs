//! Network devices of the machine, moved into a container by their names.
//!
//! They keep their global, permanent addresses, as the runtime specification demands: the kernel
//! takes those away with the move, so they are read before and set again afterwards. At the end
//! of a container the kernel gives physical devices back and removes all others; only where the
//! container does not come to be are they given back by [`give_back`].

mod address;
mod error;
mod link;
mod movement;
mod name;

pub use error::Error;
pub use movement::{Moved, Side, give_back, move_devices};
pub use name::{Device, InvalidName};
