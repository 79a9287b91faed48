//! The cgroup of a container that is being made, and when its child hears of it.
//!
//! Where nobody can be born in it, which is so on v1, it is made while the child is at work: ten
//! hierarchies take a quarter of the time that the child needs.

use super::{Making, invalid};
use crate::error::Result;
use crate::launch::Launched;
use crate::plan::Plan;
use kernel::cgroup::{Entry, Prepared};
use spec::runtime::Spec;

impl Making {
    pub(super) fn make_group(&mut self, cgroup: Prepared) -> Result<()> {
        let group = cgroup.create()?;
        self.record.cgroup = Some(group.description());
        self.group = Some(group);
        Ok(())
    }

    /// What it takes to enter the cgroup.
    pub(super) fn entry(&self) -> Result<Entry> {
        Ok(self.group.as_ref().map_or(Ok(Entry::default()), |group| group.entry())?)
    }

    /// What can be told to the child before it asks: the cgroup, if that waits for it, and to start.
    pub(super) fn tell_in_advance(
        &mut self,
        plan: &Plan,
        spec: &Spec<'_>,
        launched: &Launched,
    ) -> Result<Option<Entry>> {
        let planned = self.planned.take();
        let waited = planned.is_some();
        planned.map_or(Ok(()), |group| self.make_group(group))?;
        if plan.starts_in_advance {
            self.directory.write_record(&self.record)?;
        }
        let starts_with_group = waited && plan.starts_in_advance && !plan.process().is_filtered;
        let entry = waited.then(|| self.entry()).transpose()?;
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
