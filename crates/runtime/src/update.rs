//! `update`: other limits for a container that exists.

use crate::container::Container;
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::kill::cgroup_of;
use crate::plan::updates;
use spec::runtime::{Resources, Status};
use std::path::Path;

/// Changes limits; what the resources do not name stays as it is. Rules for devices, if there are
/// any, replace those that the container has.
///
/// # Errors
/// The container has stopped, or the kernel refuses a value; earlier ones have been set by then.
pub fn update(root: &Path, id: &ContainerId, resources: &Resources<'_>) -> Result<()> {
    let container = Container::open(root, id)?;
    let status = container.status()?;
    if matches!(status, Status::Stopped | Status::Creating) {
        return Err(container.wrong("update", status, ""));
    }
    let group = cgroup_of(&container)?;
    group.update(&updates(resources)).map_err(|error| match error {
        kernel::cgroup::Error::Resource { .. } => {
            Error::Configuration { file: "resources".into(), reason: error.to_string() }
        }
        other => other.into(),
    })
}
