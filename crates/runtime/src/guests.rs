//! Network devices of the machine that a container has for its time.

use crate::container::Container;
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

    /// Those that a container has which still lives. From one that has ended the kernel has taken
    /// them: physical ones are back on the machine, and others are gone with the namespace.
    pub(crate) fn of(container: &Container) -> Result<Option<Guests>> {
        let moved = container.record().map_or(&[][..], |record| &record.net_devices);
        if moved.is_empty() {
            return Ok(None);
        }
        let Some(pidfd) = container.pidfd()? else { return Ok(None) };
        let (here, there) = sides(std::os::fd::AsFd::as_fd(&pidfd))?;
        Ok(Some(Guests { here, there, moved: moved.to_vec() }))
    }

    pub(crate) fn moved(&self) -> &[Moved] {
        &self.moved
    }

    /// Gives them back, once nobody in the container uses them any more.
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
