//! Devices that share one of the machine's: the container is in the network that the machine is in.

use super::{Attachment, Container, device, veth};
use crate::Error;
use std::time::Duration;
use sys::netlink::Socket;
use sys::rustix::io::Errno;

/// How a device shares another: ip-link(8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// `macvlan`, with Ethernet addresses of its own, or `ipvlan`, with that of the other.
    pub driver: &'static str,
    /// Who may talk to whom.
    pub mode: &'static str,
    pub(super) number: u16,
}

/// How often it is tried to get an address that a former device still has, and how long it is waited
/// in between.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(30);

/// Each driver's usual one first.
const ALL: [Sharing; 7] = [
    Sharing { driver: "macvlan", mode: "bridge", number: 4 },
    Sharing { driver: "macvlan", mode: "private", number: 1 },
    Sharing { driver: "macvlan", mode: "vepa", number: 2 },
    Sharing { driver: "macvlan", mode: "passthru", number: 8 },
    Sharing { driver: "ipvlan", mode: "l2", number: 0 },
    Sharing { driver: "ipvlan", mode: "l3", number: 1 },
    Sharing { driver: "ipvlan", mode: "l3s", number: 2 },
];

impl Sharing {
    /// Those that a driver has, the usual one first; none for another driver.
    pub fn of(driver: &str) -> impl Iterator<Item = Sharing> {
        ALL.into_iter().filter(move |it| it.driver == driver)
    }

    /// Whether each device has an Ethernet address that can be chosen.
    #[must_use]
    pub fn has_own_mac(self) -> bool {
        self.driver == "macvlan" && self.mode != "passthru"
    }
}

/// Whether the machine has a device of this name.
///
/// # Errors
/// What the kernel answers.
pub fn has_device(host: &mut Socket, name: &str) -> Result<bool, Error> {
    let found = device::by_name(host, name);
    Ok(found.map_err(Error::doing(format!("look for the device {name}")))?.is_some())
}

pub(super) fn share(
    host: &mut Socket,
    container: &mut Container<'_>,
    attachment: &Attachment,
    sharing: Sharing,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        match share_once(host, container, attachment, sharing) {
            // What this container had before it was started again is in a namespace that is gone, and
            // the kernel has not come to it yet.
            Err(Error::Call { error, .. }) if error.errno == Errno::ADDRINUSE => {
                std::thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
    share_once(host, container, attachment, sharing)
}

fn share_once(
    host: &mut Socket,
    container: &mut Container<'_>,
    attachment: &Attachment,
    sharing: Sharing,
) -> Result<(), Error> {
    let Attachment { bridge: parent, device, .. } = attachment;
    let failed = || Error::doing(format!("connect {device} of the container to {parent}"));
    let found = device::by_name(host, parent).map_err(failed())?;
    let index = found.ok_or_else(|| Error::Missing(parent.clone()))?.index;
    let mac = attachment.own_mac().filter(|_| sharing.has_own_mac());
    let wanted = (&**device, mac, attachment.mtu);
    device::add_sharing(host, index, sharing, wanted, container.namespace()).map_err(failed())?;
    veth::configure(container, attachment, None).or_else(|error| {
        // Half a connection helps nobody.
        detach_inside(container, device)?;
        Err(error)
    })
}

/// Removes a device of the container by its name there, if it has it.
///
/// # Errors
/// What the kernel answers.
pub fn detach_inside(container: &mut Container<'_>, device: &str) -> Result<(), Error> {
    container.remove(device).map_err(Error::doing(format!("remove {device} of the container")))
}
