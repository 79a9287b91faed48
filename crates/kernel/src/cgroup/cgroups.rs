//! From what the machine has to one container's group.

use sys::process::Spent;

use super::absent::Absent;
use super::creation::Creation;
use super::entry::Entry;
use super::error::{Error, Result};
use super::files::Files;
use super::group::{Description, Group};
use super::hybrid::Hybrid;
use super::layout::{Hierarchy, Layout, Membership};
use super::location::Location;
use super::resources::Resources;
use super::systemd::{self, Bus, Systemd};
use super::v1::V1;
use super::v2::V2;

/// Who makes groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// We do, through the file system (`cgroupfs`).
    Files,
    /// systemd does.
    Systemd(Bus),
    /// Nobody: containers have none (`disabled`).
    None,
}

/// What this machine makes groups with.
#[derive(Debug)]
pub struct Cgroups {
    layout: Layout,
    driver: Driver,
    /// The group below which the driver makes others at absolute locations.
    root: String,
    rootless: bool,
    spent: Spent,
}

impl Cgroups {
    /// Looks what is mounted. With `rootless`, a container for which no limits are asked may go
    /// without a group when none can be made.
    ///
    /// # Errors
    /// The mounts cannot be read, or a user's systemd cannot be reached.
    pub fn find(driver: &Driver, rootless: bool) -> Result<Cgroups> {
        let mut spent = Spent::default();
        let (layout, root) = match driver {
            Driver::Files | Driver::None => (Layout::find(&mut spent)?, String::new()),
            Driver::Systemd(bus) => (Layout::find(&mut spent)?, systemd::root(bus)?),
        };
        Ok(Cgroups { layout, driver: driver.clone(), root, rootless, spent })
    }

    /// Where each hierarchy is mounted, with its controllers as `/proc/self/cgroup` spells them
    /// (`cpu,cpuacct`, `name=systemd`; nothing for v2).
    pub fn mount_points(&self) -> impl Iterator<Item = (&str, &str)> {
        let Layout { v1, v2 } = &self.layout;
        v1.iter().chain(v2).map(|it| (it.controllers.as_str(), it.mount_point.as_str()))
    }

    /// The files that looking what there is has left open: they may be closed with others.
    pub fn spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// Takes a `cgroupsPath` apart, in the form of the driver.
    ///
    /// # Errors
    /// It names no group that a container may have.
    pub fn locate(&self, cgroups_path: Option<&str>, id: &str) -> Result<Location> {
        match &self.driver {
            Driver::Files | Driver::None => Location::from_path(cgroups_path, id),
            Driver::Systemd(bus) => Location::from_unit(cgroups_path, id, bus),
        }
    }

    /// Checks everything the user wrote; nothing is done yet.
    ///
    /// # Errors
    /// A limit that cannot be kept here, with the name of its field.
    pub fn prepare(&self, location: &Location, resources: Resources) -> Result<Prepared> {
        let mut creation = Creation::new(self.rootless);
        let files = self.files(location, &mut creation.spent)?;
        match &files {
            Some(files) => {
                files.check_devices(&resources)?;
                files.writes(&resources, false)?;
            }
            None => Absent.update(&resources)?,
        }
        Ok(Prepared { files, resources, creation })
    }

    /// The group at a location, if the machine has any.
    fn files(&self, location: &Location, spent: &mut Spent) -> Result<Option<Box<dyn Files>>> {
        let Layout { v1, v2 } = &self.layout;
        if matches!(self.driver, Driver::None) {
            return Ok(None);
        }
        if v1.is_empty() && v2.is_none() {
            return match self.driver {
                Driver::Files if self.rootless => Ok(None),
                _ => Err(Error::NoGroup("limiting and ending it")),
            };
        }
        // An absolute location needs no look at the caller's own group.
        let own = if location.absolute { None } else { Some(Membership::own(spent)?) };
        let below = |hierarchy: &Hierarchy| -> Result<String> {
            let own = own.as_ref().map_or(Ok(self.root.as_str()), |own| own.path_in(hierarchy))?;
            // A v2 group with processes cannot hand controllers down: next to it, not below.
            let own = if v1.is_empty() && !location.absolute { parent(own) } else { own };
            Ok(location.below(&hierarchy.mount_point, own))
        };
        let mut folders = Vec::with_capacity(v1.len());
        for hierarchy in v1 {
            folders.push((hierarchy.controllers.clone(), below(hierarchy)?));
        }
        let v2 = v2.as_ref().map(below).transpose()?;
        let files = sibling(&folders, v2.as_deref(), self.rootless);
        match (&self.driver, &location.unit) {
            (Driver::Systemd(bus), Some(unit)) => {
                Ok(Some(Box::new(Systemd::new(files, unit.clone(), bus.clone()))))
            }
            (Driver::Systemd(_), None) => {
                Err(Error::Path("the systemd driver takes SLICE:PREFIX:NAME".to_owned()))
            }
            _ => Ok(Some(files)),
        }
    }
}

/// The implementation for these folders.
fn sibling(v1: &[(String, String)], v2: Option<&str>, rootless: bool) -> Box<dyn Files> {
    match v2.map(|path| V2::at(path, rootless)) {
        Some(v2) if v1.is_empty() => Box::new(v2),
        Some(v2) => Box::new(Hybrid::new(V1::at(v1, rootless), v2)),
        None => Box::new(V1::at(v1, rootless)),
    }
}

fn parent(path: &str) -> &str {
    path.trim_end_matches('/').rsplit_once('/').map_or("/", |(parent, _)| parent)
}

/// A group that can be made: what the user wrote is right.
pub struct Prepared {
    files: Option<Box<dyn Files>>,
    resources: Resources,
    creation: Creation,
}

impl Prepared {
    /// Where the group will be, to be written down before it is made: whoever is killed meanwhile
    /// leaves nothing that cannot be found. What is there without rights may be less.
    pub fn description(&self) -> Description {
        self.files.as_ref().map(|files| files.description()).unwrap_or_default()
    }

    /// Makes the group and sets its limits.
    ///
    /// # Errors
    /// The kernel's; whatever was made by then is removed again.
    pub fn create(mut self) -> Result<Box<dyn Group>> {
        self.complete()
    }

    /// Makes the part of the group in which a process must be born, if there is such, for a group that
    /// waits for its child with the rest ([`Description::can_wait_for_child`]).
    ///
    /// # Errors
    /// The kernel's.
    pub fn create_birthplace(&mut self) -> Result<Entry> {
        let Prepared { files, creation, .. } = self;
        files.as_mut().map_or(Ok(Entry::default()), |files| files.create_birthplace(creation))
    }

    /// Does the rest of [`Prepared::create`], once. What was made is removed with this, if that fails:
    /// then nobody may be in it any more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn complete(&mut self) -> Result<Box<dyn Group>> {
        let Some(files) = self.files.take() else { return Ok(Box::new(Absent)) };
        if let Some(group) = files.create(&self.resources, &mut self.creation)? {
            self.creation.keep();
            return Ok(group);
        }
        match self.creation.denied() {
            Some(error) if !self.resources.limit_nothing() => Err(Error::NotPermitted(error)),
            _ => Ok(Box::new(Absent)),
        }
    }

    /// The files that making the group has left open: they may be closed with others.
    pub fn spent(&mut self) -> Spent {
        std::mem::take(&mut self.creation.spent)
    }
}

impl Description {
    /// The group it describes, which may be gone meanwhile.
    pub fn open(&self) -> Box<dyn Group> {
        let Description { v1, v2, unit, rootless } = self;
        if v1.is_empty() && v2.is_none() {
            return Box::new(Absent);
        }
        let files = sibling(v1, v2.as_deref(), *rootless);
        match unit {
            Some(unit) => Box::new(Systemd::at(files, unit)),
            None => files,
        }
    }
}
