//! The cgroup of a container that is being made, and when its child hears of it.
//!
//! Where nobody can be born in it, which is so on v1, it is made while the child is at work: ten
//! hierarchies take a quarter of the time that the child needs. With v1 and v2 side by side that of
//! v2 comes first, for the child to be born in.

use super::{Making, invalid};
use crate::error::Result;
use crate::launch::Launched;
use crate::plan::Plan;
use kernel::cgroup::Entry;
use spec::runtime::Spec;

impl Making {
    /// Makes the cgroup, or what is missing of it.
    pub(super) fn make_group(&mut self) -> Result<()> {
        let Some(planned) = &mut self.planned else { return Ok(()) };
        let group = planned.complete()?;
        self.spent.append(&mut planned.spent());
        self.planned = None;
        self.record.cgroup = Some(group.description());
        self.group = Some(group);
        Ok(())
    }

    /// What it takes to be born in the cgroup, or in as much of it as there must be for that.
    pub(super) fn birthplace(&mut self) -> Result<Entry> {
        match &mut self.planned {
            Some(planned) => Ok(planned.create_birthplace()?),
            None => self.entry(),
        }
    }

    /// What it takes to enter the cgroup.
    fn entry(&self) -> Result<Entry> {
        Ok(self.group.as_ref().map_or(Ok(Entry::default()), |group| group.entry())?)
    }

    /// The same, where the child was born in as much of it as there was.
    fn late_entry(&self) -> Result<Entry> {
        Ok(self.group.as_ref().map_or(Ok(Entry::default()), |group| group.late_entry())?)
    }

    /// What can be told to the child before it asks: the cgroup, if that waits for it, and to start.
    pub(super) fn tell_in_advance(
        &mut self,
        plan: &Plan,
        spec: &Spec<'_>,
        launched: &Launched,
    ) -> Result<Option<Entry>> {
        let waited = self.planned.is_some();
        self.make_group()?;
        if plan.starts_in_advance {
            self.directory.write_record(&self.record)?;
        }
        let starts_with_group = waited && plan.starts_in_advance && !plan.process().is_filtered;
        let entry = waited.then(|| self.late_entry()).transpose()?;
        if let Some(entry) = &entry {
            launched.channel.hand_group(entry, starts_with_group)?;
        }
        if plan.starts_in_advance && !starts_with_group {
            let filter = plan.late_filter(spec).map_err(|it| invalid(&it))?;
            launched.channel.start_in_advance(filter.as_ref())?;
        }
        Ok(entry)
    }
}
