//! Control groups: limits, and a hold on all processes of a container.
//!
//! What a machine has is found once, by [`Cgroups::find`]; everything after that is the same for
//! v1, v2, and both of them side by side:
//!
//! ```no_run
//! # fn main() -> kernel::cgroup::Result<()> {
//! use kernel::cgroup::{Cgroups, Driver, Location, Resources};
//!
//! let cgroups = Cgroups::find(Driver::Files, false)?;
//! let location = Location::from_path(Some("/boxes/one"), "one")?;
//! // Everything the user may have written wrong is found here, before anything is done.
//! let prepared = cgroups.prepare(&location, Resources { pids: Some(100), ..Resources::default() })?;
//! let group = prepared.create()?;
//! let entry = group.entry()?;
//! // clone3(CLONE_INTO_CGROUP, entry.clone_into()), and first thing in the child:
//! entry.enter()?;
//! // Any later command:
//! group.description().open().remove()
//! # }
//! ```
//!
//! It does not decide which limits a container gets, and it mounts nothing.

mod absent;
mod checks;
mod creation;
mod devices;
mod entry;
mod error;
mod events;
mod folder;
mod group;
mod hybrid;
mod layout;
mod location;
mod processes;
mod resources;
mod statistics;
mod text;
mod v1;
mod v2;
mod write;

pub use entry::Entry;
pub use error::{Error, Result};
pub use events::{Event, Events};
pub use group::{Description, Group, SubGroup};
pub use location::Location;
pub use resources::{
    BlockIo, Cpu, DeviceAccess, DeviceKind, DeviceRate, DeviceRule, DeviceWeight, HugePages,
    Memory, Network, Rdma, Resources,
};

pub use statistics::{
    BlockIoUse, CpuSetUse, CpuUse, DeviceUse, MemoryUse, Pressure, RdmaUse, Stall, Statistics,
    Usage,
};

use absent::Absent;
use creation::{Creation, Unmade};
use hybrid::Hybrid;
use layout::{Hierarchy, Layout, Membership};
use v1::V1;
use v2::V2;

/// Who makes groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// We do, through the file system (`cgroupfs`).
    Files,
    /// Nobody: containers have none (`disabled`).
    None,
}

/// What this machine makes groups with.
#[derive(Debug)]
pub struct Cgroups {
    layout: Layout,
    driver: Driver,
    rootless: bool,
}

impl Cgroups {
    /// Looks what is mounted. With `rootless`, a container for which no limits are asked may go
    /// without a group when none can be made.
    ///
    /// # Errors
    /// The mounts cannot be read.
    pub fn find(driver: Driver, rootless: bool) -> Result<Cgroups> {
        let layout = match driver {
            Driver::Files => Layout::find()?,
            Driver::None => Layout::default(),
        };
        Ok(Cgroups { layout, driver, rootless })
    }

    /// Where each hierarchy is mounted, with its controllers as `/proc/self/cgroup` spells them
    /// (`cpu,cpuacct`, `name=systemd`; nothing for v2).
    pub fn mount_points(&self) -> impl Iterator<Item = (&str, &str)> {
        let Layout { v1, v2 } = &self.layout;
        v1.iter().chain(v2).map(|it| (it.controllers.as_str(), it.mount_point.as_str()))
    }

    /// Checks everything the user wrote; nothing is done yet.
    ///
    /// # Errors
    /// A limit that cannot be kept here, with the name of its field.
    pub fn prepare(&self, location: &Location, resources: Resources) -> Result<Prepared> {
        let unmade = self.unmade(location)?;
        match &unmade {
            Some(unmade) => unmade.check(&resources)?,
            None => Absent.update(&resources)?,
        }
        Ok(Prepared { unmade, resources, rootless: self.rootless })
    }

    /// The group that the layout allows, if any.
    fn unmade(&self, location: &Location) -> Result<Option<Box<dyn Unmade>>> {
        let Layout { v1, v2 } = &self.layout;
        if v1.is_empty() && v2.is_none() {
            return match self.driver {
                Driver::Files if !self.rootless => Err(Error::NoGroup("limiting and ending it")),
                _ => Ok(None),
            };
        }
        // An absolute location needs no look at the caller's own group.
        let own = if location.absolute { None } else { Some(Membership::own()?) };
        let below = |hierarchy: &Hierarchy| -> Result<String> {
            let own = own.as_ref().map_or(Ok("/"), |own| own.path_in(hierarchy))?;
            // A v2 group with processes cannot hand controllers down: next to it, not below.
            let own = if v1.is_empty() { parent(own) } else { own };
            Ok(location.below(&hierarchy.mount_point, own))
        };
        let mut folders = Vec::with_capacity(v1.len());
        for hierarchy in v1 {
            folders.push((hierarchy.controllers.clone(), below(hierarchy)?));
        }
        let v2 = v2.as_ref().map(below).transpose()?;
        Ok(Some(self.sibling(&folders, v2.as_deref())))
    }

    fn sibling(&self, v1: &[(String, String)], v2: Option<&str>) -> Box<dyn Unmade> {
        match v2.map(|path| V2::at(path, self.rootless)) {
            Some(v2) if v1.is_empty() => Box::new(v2),
            Some(v2) => Box::new(Hybrid::new(V1::at(v1, self.rootless), v2)),
            None => Box::new(V1::at(v1, self.rootless)),
        }
    }
}

fn parent(path: &str) -> &str {
    path.trim_end_matches('/').rsplit_once('/').map_or("/", |(parent, _)| parent)
}

/// A group that can be made: what the user wrote is right.
pub struct Prepared {
    unmade: Option<Box<dyn Unmade>>,
    resources: Resources,
    rootless: bool,
}

impl Prepared {
    /// Where the group will be, to be written down before it is made: whoever is killed meanwhile
    /// leaves nothing that cannot be found. What is there without rights may be less.
    pub fn description(&self) -> Description {
        self.unmade.as_ref().map(|unmade| unmade.description()).unwrap_or_default()
    }

    /// Makes the group and sets its limits.
    ///
    /// # Errors
    /// The kernel's; whatever was made by then is removed again.
    pub fn create(self) -> Result<Box<dyn Group>> {
        let Some(unmade) = self.unmade else { return Ok(Box::new(Absent)) };
        let mut creation = Creation::new(self.rootless);
        if let Some(group) = unmade.create(&self.resources, &mut creation)? {
            creation.keep();
            return Ok(group);
        }
        match creation.denied() {
            Some(error) if !self.resources.limit_nothing() => Err(Error::NotPermitted(error)),
            _ => Ok(Box::new(Absent)),
        }
    }
}

impl Description {
    /// The group it describes, which may be gone meanwhile.
    pub fn open(&self) -> Box<dyn Group> {
        let Description { v1, v2, rootless } = self;
        match v2.as_deref().map(|path| V2::at(path, *rootless)) {
            Some(v2) if v1.is_empty() => Box::new(v2),
            Some(v2) => Box::new(Hybrid::new(V1::at(v1, *rootless), v2)),
            None if v1.is_empty() => Box::new(Absent),
            None => Box::new(V1::at(v1, *rootless)),
        }
    }
}
