//! A container without a group: its user may not make one, or wants none.

use super::entry::Entry;
use super::error::{Error, Result};
use super::events::Events;
use super::group::{Description, Group, SubGroup};
use super::resources::Resources;
use super::statistics::Statistics;

/// No group.
#[derive(Debug)]
pub(super) struct Absent;

impl Group for Absent {
    fn entry(&self) -> Result<Entry> {
        Ok(Entry::default())
    }

    fn first_process_entered(&self) -> Result<()> {
        Ok(())
    }

    fn entry_below(&self, groups: &[SubGroup]) -> Result<Entry> {
        if groups.is_empty() { self.entry() } else { Err(Error::NoGroup("a group below it")) }
    }

    fn entry_beside(&self, _: i32) -> Result<Entry> {
        self.entry()
    }

    fn delegate(&self, _: u32) -> Result<()> {
        Ok(())
    }

    fn add(&self, _: i32) -> Result<()> {
        Ok(())
    }

    fn update(&self, resources: &Resources) -> Result<()> {
        if resources.limit_nothing() { Ok(()) } else { Err(Error::NoGroup("limiting resources")) }
    }

    fn freeze(&self) -> Result<()> {
        Err(Error::NoGroup("freezing"))
    }

    fn thaw(&self) -> Result<()> {
        Err(Error::NoGroup("thawing"))
    }

    fn is_frozen(&self) -> Result<bool> {
        Ok(false)
    }

    fn kill(&self) -> Result<()> {
        Err(Error::NoGroup("killing all processes"))
    }

    fn pids(&self) -> Result<Vec<i32>> {
        Err(Error::NoGroup("listing its processes"))
    }

    fn statistics(&self) -> Result<Statistics> {
        Err(Error::NoGroup("telling what it uses"))
    }

    fn events(&self) -> Result<Events> {
        Err(Error::NoGroup("waiting for events"))
    }

    fn remove(&self) -> Result<()> {
        Ok(())
    }

    fn description(&self) -> Description {
        Description::default()
    }
}
