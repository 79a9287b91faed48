//! The cgroup above those of a pod's containers: its limits hold for all of them together.

use super::Pod;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::usage::Usage;
use crate::{configuration, small_file};
use kernel::cgroup::{Cgroups, Description, Group, Prepared, Resources};
use runtime::CgroupDriver;
use std::path::Path;

/// The file in a pod's folder that says where its cgroup is, so that it is found when the row is gone.
const FILE: &str = "cgroup";

impl Pod {
    /// Where the cgroups of its containers are.
    pub fn cgroup_path(&self) -> String {
        let parent = &self.settings.cgroup_parent;
        let parent = if parent.is_empty() { configuration::CGROUP_PARENT } else { parent };
        format!("{}/pod-{}", parent.trim_end_matches('/'), self.id)
    }
}

impl Engine {
    /// Checks the limits of a pod. Nothing is done yet.
    pub(super) fn prepare_group(&self, pod: &Pod) -> Result<Prepared> {
        let limits = pod.settings.limits.clone();
        let asked = configuration::limits_of(&Settings { limits, ..Settings::default() })?;
        let resources = runtime::group_resources(&asked);
        // Each container has its own number of processes; all together, what the user says.
        let resources = Resources { pids: pod.settings.limits.pids, ..resources };
        self.group_at(&pod.cgroup_path(), &pod.id, resources)
    }

    fn group_at(&self, path: &str, id: &str, resources: Resources) -> Result<Prepared> {
        let find = || -> kernel::cgroup::Result<Prepared> {
            let cgroups = Cgroups::find(&CgroupDriver::Files, self.user_marks)?;
            let location = cgroups.locate(Some(path), id)?;
            cgroups.prepare(&location, resources)
        };
        find().map_err(|error| runtime::Error::from(error).into())
    }

    /// The cgroup, which may not be there.
    fn group(&self, pod: &Pod) -> Result<Box<dyn Group>> {
        let prepared = self.group_at(&pod.cgroup_path(), &pod.id, Resources::default())?;
        Ok(prepared.description().open())
    }

    /// Makes the cgroup, unless it is there. The caller holds the pod's lock.
    pub(super) fn provide_group(&self, pod: &Pod) -> Result<()> {
        if !pod.settings.share.cgroup_parent {
            return Ok(());
        }
        let prepared = self.prepare_group(pod)?;
        let file = self.folders.pod(&pod.id).join(FILE);
        if !file.exists() {
            small_file::replace_locked(&file, pod.cgroup_path().as_bytes())
                .map_err(Error::file(&file))?;
        }
        let provide = || -> kernel::cgroup::Result<()> {
            if prepared.description().open().pids()?.is_empty() {
                prepared.create()?;
            }
            Ok(())
        };
        provide().map_err(|error| runtime::Error::from(error).into())
    }

    /// Removes the cgroup unless something of the pod runs.
    pub(super) fn remove_idle_group(&self, pod: &Pod) -> Result<()> {
        match self.lock_pod(pod)? {
            Some(_lock) => self.remove_group_if_idle(pod),
            None => Ok(()),
        }
    }

    /// The same for who holds the pod's lock.
    pub(super) fn remove_group_if_idle(&self, pod: &Pod) -> Result<()> {
        // Only now: somebody may have made and started one more.
        for container in self.containers_of_pod(pod)? {
            match self.look_only(&container)? {
                Some(seen) if seen.status.is_over() => {}
                _ => return Ok(()),
            }
        }
        self.remove_group(pod)
    }

    /// Removes the cgroup, and ends whatever is in it. The caller holds the pod's lock.
    pub(super) fn remove_group(&self, pod: &Pod) -> Result<()> {
        if !pod.settings.share.cgroup_parent {
            return Ok(());
        }
        self.group(pod)?.remove().map_err(|error| runtime::Error::from(error).into())
    }

    /// The cgroup of a pod that has no row any more, if it is there. The caller holds the pod's lock.
    pub(crate) fn lost_group(&self, id: &str) -> Result<Option<Description>> {
        let file = self.folders.pod(id).join(FILE);
        let path = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            path => path.map_err(Error::file(&file))?,
        };
        let group = self.group_at(&path, id, Resources::default())?.description();
        Ok(is_there(&group).then_some(group))
    }

    /// What all containers of a pod use together. Nothing if none runs, or they have no cgroup in
    /// common.
    ///
    /// # Errors
    /// The cgroup cannot be read.
    pub fn usage_of_pod(&self, pod: &Pod) -> Result<Option<Usage>> {
        if !pod.settings.share.cgroup_parent {
            return Ok(None);
        }
        let group = self.group(pod)?;
        let read = || -> kernel::cgroup::Result<Option<Usage>> {
            if group.pids()?.is_empty() {
                return Ok(None);
            }
            Ok(Some(Usage::of_group(&group.statistics()?)))
        };
        let mut usage = read().map_err(runtime::Error::from)?;
        // Its network is that of the infra container.
        if let (Some(usage), Some(infra)) = (&mut usage, self.infra(pod)?) {
            usage.network = self.usage(&infra)?.map_or((0, 0), |it| it.network);
        }
        Ok(usage)
    }
}

/// Whether there is a folder of a cgroup.
pub(crate) fn is_there(group: &Description) -> bool {
    let mut folders = group.v1.iter().map(|(_, folder)| folder).chain(&group.v2);
    folders.any(|folder| Path::new(folder).exists())
}
