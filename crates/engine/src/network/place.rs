//! Where bridges are: those of root's containers in the machine's own network, those of a user's in
//! a network namespace that all of his running containers share.
//!
//! Their monitors hold it, so that it lives as long as one of them, and who needs it takes it from
//! one of them. Nothing leads out of it: each container has a helper for that.

use crate::engine::Engine;
use crate::error::Result;
use crate::folders;
use crate::lock::Lock;
use crate::members::monitors;
use crate::monitor::SHARED_NETWORK;
use kernel::namespace::{Kind, Namespace};
use net::link::{enter_namespace, enter_new_namespace};
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

/// The lock of who looks for the namespace or makes it. No network has this name.
pub(super) const LOCK: &str = ".~namespace";

/// Where the bridges are.
pub(crate) enum Place {
    /// Here.
    Machine,
    /// There. Nobody else makes or looks for one while the lock is held: until a monitor has it.
    Shared {
        /// The namespace.
        namespace: OwnedFd,
        /// See above.
        _lock: Option<Lock>,
    },
}

impl Engine {
    /// Where the bridges of this user are, or are to be.
    pub(crate) fn bridge_place(&self) -> Result<Place> {
        if !self.user_marks {
            return Ok(Place::Machine);
        }
        folders::make(&self.folders.networks())?;
        let lock = Lock::take(&self.folders.networks().join(LOCK))?;
        let namespace = match self.shared_network() {
            Some(namespace) => namespace,
            None => {
                let make = || enter_new_namespace().map(|it| vec![it]).map_err(|it| it.to_string());
                let gone = || net::Error::Apart("no network namespace came".to_owned());
                net::apart(make)?.pop().ok_or_else(gone)?
            }
        };
        Ok(Place::Shared { namespace, _lock: lock })
    }

    /// The place if there is one; bridges that nobody uses are in none.
    pub(crate) fn existing_bridge_place(&self) -> Option<Place> {
        if !self.user_marks {
            return Some(Place::Machine);
        }
        self.shared_network().map(|namespace| Place::Shared { namespace, _lock: None })
    }

    fn shared_network(&self) -> Option<OwnedFd> {
        monitors(self.folders.root()).into_iter().find_map(|pid| {
            let path = format!("/proc/{pid}/fd/{SHARED_NETWORK}");
            let file = File::open(path).ok()?;
            // Another process may have this number by now, and anything there.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            Namespace::open(Kind::Network, Path::new(&path)).ok()?;
            Some(OwnedFd::from(file))
        })
    }
}

impl Place {
    /// Does some work there, which has nothing to do with the database, and returns the descriptors
    /// that it hands back.
    pub(crate) fn within(
        &self,
        work: impl FnOnce() -> Result<Vec<OwnedFd>>,
    ) -> Result<Vec<OwnedFd>> {
        let Place::Shared { namespace, .. } = self else { return work() };
        let there = || {
            enter_namespace(namespace.as_fd()).map_err(|error| error.to_string())?;
            work().map_err(|error| error.to_string())
        };
        Ok(net::apart(there)?)
    }

    /// What a monitor is to hold.
    pub(crate) fn into_namespace(self) -> (Option<OwnedFd>, Option<Lock>) {
        match self {
            Place::Machine => (None, None),
            Place::Shared { namespace, _lock: lock } => (Some(namespace), lock),
        }
    }
}
