//! Network devices of the machine that a container gets for good.
//!
//! They belong to its network namespace then, which may be somebody else's and go on: nothing takes
//! them back from there but the kernel, when the namespace ends. Only those of a container that does
//! not come to be are given back.

use crate::error::{Error, Result};
use kernel::namespace::{Kind, visit};
use kernel::netdev::{Device, Moved, Side, give_back, move_devices};
use std::os::fd::BorrowedFd;

/// Devices in a container, and its network namespace, which lives on as long as this does.
pub(crate) struct Guests {
    here: Side,
    there: Side,
    moved: Vec<Moved>,
}

impl Guests {
    /// Moves devices into the network namespace of this process.
    pub(crate) fn bring(devices: &[Device], process: BorrowedFd<'_>) -> Result<Guests> {
        let (mut here, mut there) = sides(process)?;
        let moved = move_devices(&mut here, &mut there, devices)?;
        Ok(Guests { here, there, moved })
    }

    /// Gives them back, since there will be no container.
    pub(crate) fn give_back(mut self) -> Result<()> {
        Ok(give_back(&mut self.here, &mut self.there, self.moved)?)
    }
}

/// The caller's namespace and that of the process.
fn sides(process: BorrowedFd<'_>) -> Result<(Side, Side)> {
    let here = Side::open()?;
    let there = visit(process, Kind::Network, Side::open).map_err(Error::from)?;
    Ok((here, there?))
}
