//! Controllers of v1 and a tree of v2 side by side, as systemd calls hybrid.
//!
//! Limits are kept by v1 as far as it has the controllers, and the others by v2. Processes are
//! frozen, killed and waited for by v2, which can do it at once and tell when it is done.

use sys::process::Spent;

use super::creation::Creation;
use super::entry::Entry;
use super::error::Result;
use super::events::Events;
use super::files::Files;
use super::group::{Description, Group, SubGroup};
use super::resources::Resources;
use super::statistics::Statistics;
use super::v1::V1;
use super::v2::{Current, V2};
use super::write::{Controller, Write};

/// The group in both.
#[derive(Debug)]
pub(super) struct Hybrid {
    v1: V1,
    v2: V2,
    /// Whether the folder of v2 is there, once it was made first.
    is_v2_made: Option<bool>,
}

/// Limits by who keeps them.
struct Limits {
    v1: Vec<Write>,
    v2: Vec<Write>,
}

impl Hybrid {
    pub(super) fn new(v1: V1, v2: V2) -> Hybrid {
        Hybrid { v1, v2, is_v2_made: None }
    }

    fn make_v2(&mut self, creation: &mut Creation) -> Result<bool> {
        let made = self.is_v2_made.map_or_else(|| self.v2.make(creation), Ok)?;
        self.is_v2_made = Some(made);
        Ok(made)
    }

    fn limits(&self, resources: &Resources, current: &Current) -> Result<Limits> {
        let v1_has = |controller: Controller| self.v1.folder(controller.name()).is_some();
        Ok(Limits {
            v1: V1::limits(resources, v1_has)?,
            v2: V2::limits(resources, current, |controller| !v1_has(controller))?,
        })
    }

    fn apply(&self, limits: &Limits) -> Result<()> {
        self.v1.apply(&limits.v1)?;
        self.v2.apply(&limits.v2, &[])
    }

    fn apply_devices(&self, resources: &Resources, is_new: bool, spent: &mut Spent) -> Result<()> {
        match self.v1.folder("devices") {
            Some(_) => self.v1.apply_devices(resources, is_new, spent),
            None => self.v2.apply_devices(resources),
        }
    }
}

impl Files for Hybrid {
    fn writes(&self, resources: &Resources, exists: bool) -> Result<Vec<Write>> {
        let current = if exists { self.v2.current(resources)? } else { Current::default() };
        let Limits { mut v1, mut v2 } = self.limits(resources, &current)?;
        v1.append(&mut v2);
        Ok(v1)
    }

    fn check_devices(&self, resources: &Resources) -> Result<()> {
        self.v1.check_devices(resources)
    }

    fn has_v1_devices(&self) -> bool {
        self.v1.has_v1_devices()
    }

    /// Nobody enters v2 later on: that would wait for all processors.
    fn create_birthplace(&mut self, creation: &mut Creation) -> Result<Entry> {
        if self.make_v2(creation)? { self.v2.entry_below(&[]) } else { Ok(Entry::default()) }
    }

    fn create(
        mut self: Box<Self>,
        resources: &Resources,
        creation: &mut Creation,
    ) -> Result<Option<Box<dyn Files>>> {
        self.v1.make(creation)?;
        if !self.make_v2(creation)? {
            let v1: Box<dyn Files> = Box::new(self.v1);
            return v1.create(resources, creation);
        }
        self.apply(&self.limits(resources, &Current::default())?)?;
        self.apply_devices(resources, true, &mut creation.spent)?;
        Ok(Some(self))
    }
}

impl Group for Hybrid {
    fn entry(&self) -> Result<Entry> {
        self.entry_below(&[])
    }

    fn late_entry(&self) -> Result<Entry> {
        self.v1.entry()
    }

    fn first_process_entered(&self) -> Result<()> {
        Ok(())
    }

    fn entry_below(&self, groups: &[SubGroup]) -> Result<Entry> {
        // What is said of controllers is of v1.
        let of_all: Vec<SubGroup> =
            groups.iter().filter(|group| group.controllers.is_none()).cloned().collect();
        let mut v2 = self.v2.entry_below(&of_all)?;
        v2.tasks = self.v1.tasks(groups)?;
        Ok(v2)
    }

    fn entry_beside(&self, pid: i32) -> Result<Entry> {
        let mut v2 = self.v2.entry_beside(pid)?;
        v2.tasks = self.v1.tasks(&[])?;
        Ok(v2)
    }

    fn delegate(&self, user: u32) -> Result<()> {
        self.v2.delegate(user)
    }

    fn add(&self, pid: i32) -> Result<()> {
        self.v1.add(pid)?;
        self.v2.add(pid)
    }

    fn update(&self, resources: &Resources) -> Result<()> {
        self.apply(&self.limits(resources, &self.v2.current(resources)?)?)?;
        self.apply_devices(resources, false, &mut Spent::default())
    }

    fn freeze(&self) -> Result<()> {
        self.v2.freeze()
    }

    /// In both: somebody else may have used the freezer of v1.
    fn thaw(&self) -> Result<()> {
        self.v1.thaw_if_possible()?;
        self.v2.thaw()
    }

    fn is_frozen(&self) -> Result<bool> {
        Ok(self.v2.is_frozen()? || self.v1.is_frozen()?)
    }

    fn kill(&self) -> Result<()> {
        self.v2.send_kill()?;
        // What v1 has frozen ends when it is thawed; what v2 has, at once.
        self.v1.thaw_if_possible()?;
        self.v2.wait_until_empty()?;
        // A process with rights of its own may have left one tree and not the other.
        self.v1.kill()
    }

    fn pids(&self) -> Result<Vec<i32>> {
        self.v2.pids()
    }

    fn statistics(&self) -> Result<Statistics> {
        let mut all = self.v2.statistics()?;
        self.v1.add_statistics(&mut all)?;
        Ok(all)
    }

    fn events(&self) -> Result<Events> {
        let mut events = Events::new()?;
        self.v1.watch_memory(&mut events)?;
        self.v2.watch_end(&mut events)?;
        Ok(events)
    }

    fn remove(&self) -> Result<()> {
        if self.v2.try_remove()? && self.v1.try_remove()? {
            return Ok(());
        }
        self.kill()?;
        let v2 = self.v2.remove();
        self.v1.remove()?;
        v2
    }

    fn description(&self) -> Description {
        Description { v1: self.v1.describe(), ..self.v2.description() }
    }
}
