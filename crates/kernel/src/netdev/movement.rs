//! Devices moved from one network namespace to another.

use super::address::{self, Address};
use super::link::{self, Link};
use super::{Device, Error};
use std::os::fd::{AsFd, OwnedFd};
use sys::OrError;
use sys::netlink::Socket;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::Errno;

/// A network namespace: its own descriptor, and a socket that works in it.
pub struct Side {
    namespace: OwnedFd,
    socket: Socket,
}

impl Side {
    /// That of the caller.
    ///
    /// # Errors
    /// ENOENT without `/proc`, EMFILE.
    pub fn open() -> Result<Side, sys::Error> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace = openat(CWD, c"/proc/self/ns/net", flags, Mode::empty())
            .or_error("openat", || "AT_FDCWD, \"/proc/self/ns/net\", O_RDONLY")?;
        Ok(Side { namespace, socket: Socket::open()? })
    }
}

/// A device that was moved, and what it takes to give it back.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Its name before.
    name: String,
    /// Its number now.
    index: u32,
    was_up: bool,
    addresses: Vec<Address>,
}

/// Moves devices from `here` to `there`, renames them, gives them the addresses they had and
/// brings them up. If one cannot be moved, those before it are given back.
///
/// # Errors
/// See [`Error`]. EINVAL for a device that cannot leave its namespace, such as loopback; EPERM
/// without CAP_NET_ADMIN over both.
pub fn move_devices(
    here: &mut Side,
    there: &mut Side,
    devices: &[Device],
) -> Result<Vec<Moved>, Error> {
    let mut moved = Vec::with_capacity(devices.len());
    for device in devices {
        if let Err(because) = move_device(here, there, device, &mut moved) {
            return Err(match give_back(here, there, moved) {
                Ok(()) => because,
                Err(error) => {
                    Error::NotReturned { because: Box::new(because), error: Box::new(error) }
                }
            });
        }
    }
    Ok(moved)
}

/// Moves one, and adds it to those that are moved as soon as it is.
fn move_device(
    here: &mut Side,
    there: &mut Side,
    device: &Device,
    moved: &mut Vec<Moved>,
) -> Result<(), Error> {
    let Device { name, new_name } = device;
    let looking = Error::doing("look at", name);
    let found = link::by_name(&mut here.socket, name).map_err(&looking)?;
    let Link { index, is_up: was_up, .. } = found.ok_or_else(|| Error::Missing(name.clone()))?;
    let addresses = address::of_device(&mut here.socket, index).map_err(&looking)?;
    let before = link::all(&mut there.socket).map_err(&looking)?;
    // The kernel would move the device first, and then find that out.
    if before.iter().any(|link| link.name == *new_name) {
        return Err(Error::NameTaken(new_name.clone()));
    }
    let asked = link::set_namespace(&mut here.socket, index, there.namespace.as_fd(), new_name)
        .map_err(Error::doing("move", name));
    // If it is not here any more, only the answer was lost.
    if asked.is_err() && !matches!(link::by_name(&mut here.socket, name), Ok(None)) {
        return asked;
    }
    // Once more after a failure: nobody could give back what nobody has found.
    let arrived = arrived(there, device, &before).or_else(|_| arrived(there, device, &before));
    let index = arrived.map_err(&looking)?.ok_or_else(|| Error::Lost(name.clone()))?;
    moved.push(Moved { name: name.clone(), index, was_up, addresses });
    asked?;
    let addresses = &moved[moved.len() - 1].addresses;
    for address in addresses {
        address::add(&mut there.socket, index, address)
            .map_err(Error::doing("set an address of", name))?;
    }
    link::set_up(&mut there.socket, index).map_err(Error::doing("bring up", name))
}

/// The number of the device that was not there before. It keeps its number only if that is free.
fn arrived(there: &mut Side, device: &Device, before: &[Link]) -> Result<Option<u32>, sys::Error> {
    if device.is_template() {
        return Ok(new_one(before, &link::all(&mut there.socket)?));
    }
    Ok(link::by_name(&mut there.socket, &device.new_name)?.map(|link| link.index))
}

/// The number of the first device that was not there before.
fn new_one(before: &[Link], after: &[Link]) -> Option<u32> {
    let is_new = |link: &&Link| before.iter().all(|old| old.index != link.index);
    after.iter().find(is_new).map(|link| link.index)
}

/// Gives devices back that were moved into a container which does not come to be: with their old
/// names, their addresses, and up if they were. It goes on past a failure.
///
/// # Errors
/// The first failure.
pub fn give_back(here: &mut Side, there: &mut Side, moved: Vec<Moved>) -> Result<(), Error> {
    let mut result = Ok(());
    for device in moved.into_iter().rev() {
        result = result.and(give_one_back(here, there, &device));
    }
    result
}

fn give_one_back(here: &mut Side, there: &mut Side, device: &Moved) -> Result<(), Error> {
    let Moved { name, index, was_up, addresses } = device;
    let failed = Error::doing("give back", name);
    match link::set_namespace(&mut there.socket, *index, here.namespace.as_fd(), name) {
        // Whoever had it has removed it.
        Err(error) if error.errno == Errno::NODEV => return Ok(()),
        result => result.map_err(&failed)?,
    }
    let found = link::by_name(&mut here.socket, name).map_err(&failed)?;
    let index = found.ok_or_else(|| Error::Missing(name.clone()))?.index;
    for address in addresses {
        address::add(&mut here.socket, index, address).map_err(&failed)?;
    }
    if *was_up {
        link::set_up(&mut here.socket, index).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::link::Link;
    use super::new_one;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.to_owned(), is_up: false }
    }

    #[test]
    fn the_one_that_was_not_there_is_the_new_one() {
        let before = [link(1, "lo"), link(7, "eth0")];
        let after = [link(1, "lo"), link(7, "eth0"), link(9, "eth1")];
        assert_eq!(new_one(&before, &after), Some(9));
        assert_eq!(new_one(&before, &before), None);
    }
}
