//! `update`: other limits for a container that exists.

use crate::container::Container;
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::kill::cgroup_of;
use crate::plan::{schemata_class, updates};
use kernel::resctrl::Resctrl;
use spec::runtime::{Resources, Status};
use std::path::Path;

/// Changes limits; what the resources do not name stays as it is, now and in later updates. Rules
/// for devices, if there are any, replace those that the container has. `schemata` are lines for
/// its class of service in resctrl, which is made if it has none.
///
/// # Errors
/// The container has stopped, or the kernel refuses a value; earlier ones have been set by then.
pub fn update(
    root: &Path,
    id: &ContainerId,
    resources: &Resources<'_>,
    schemata: &[&str],
) -> Result<()> {
    let mut container = Container::open_own(root, id)?;
    let status = container.status()?;
    if matches!(status, Status::Stopped | Status::Creating) {
        return Err(container.wrong("update", status, ""));
    }
    let invalid = |reason: String| Error::Configuration { file: "resources".into(), reason };
    if *resources != Resources::default() {
        let mut limits = updates(resources);
        if limits.pids == Some(0) && !container.with_configuration(|it| Ok(it.has_pids_zero()))? {
            limits.pids = None;
        }
        let updated = cgroup_of(&container)?.update(&limits);
        let updated = updated.map_err(|error| match error {
            kernel::cgroup::Error::Resource { .. } => invalid(error.to_string()),
            other => other.into(),
        });
        container.unless_ended("update", updated)?;
    }
    if schemata.is_empty() {
        return Ok(());
    }
    let class = container.with_configuration(|spec| {
        schemata_class(spec.linux.intel_rdt.as_ref(), schemata, id)
            .map_err(|it| invalid(it.to_string()))
    })?;
    let resctrl = Resctrl::find()?;
    // Processes that it has started stay in the class that their parent had.
    let processes = cgroup_of(&container)?.pids()?;
    container.change_record(|record| {
        processes.iter().try_for_each(|pid| resctrl.assign(&class, *pid, &mut record.resctrl))
    })??;
    Ok(())
}
