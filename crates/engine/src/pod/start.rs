//! What must be there before a container of a pod can be started: the cgroup above, and who holds
//! the namespaces.

use super::Pod;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::inherited::Inherited;
use crate::lock::Lock;
use crate::network::names_end;
use crate::start::Attach;
use crate::status::Status;

impl Engine {
    /// Starts the container that holds a pod's namespaces, and nothing else of it: what Kubernetes
    /// calls the sandbox. Nothing is done if it runs.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_sandbox(&self, pod: &Pod) -> Result<()> {
        let Some(infra) = self.infra(pod)? else { return Ok(()) };
        // What a killed monitor has left, and who still is in it.
        self.look(&infra)?;
        let _lock = self.lock_present(pod)?;
        self.provide_group(pod)?;
        self.start_infra(pod, &infra)
    }

    /// Does the same for a container that is about to start, and keeps the pod locked meanwhile.
    /// The caller holds the container's lock.
    pub(crate) fn prepare_pod(&self, container: &Container) -> Result<Option<Lock>> {
        let Some(pod) = self.pod_of(container)? else { return Ok(None) };
        let lock = self.lock_present(&pod)?;
        self.provide_group(&pod)?;
        if let Some(infra) = self.infra(&pod)? {
            self.start_infra(&pod, &infra)?;
        }
        Ok(Some(lock))
    }

    /// The caller holds the pod's lock.
    fn start_infra(&self, pod: &Pod, infra: &Container) -> Result<()> {
        let _lock = self.lock(infra)?;
        match self.look_settled(infra)?.map(|seen| seen.status) {
            Some(Status::Created | Status::Exited) => {
                self.start_alone(infra, Attach::Nothing, &Inherited::default())?;
                self.tell_pod_event(pod, "start")
            }
            Some(_) => Ok(()),
            // Whoever is in it must end first, and their locks come before these.
            None => Err(Error::invalid(format!(
                "the infra container of pod {} was killed just now: try again",
                pod.name
            ))),
        }
    }

    /// The same of a pod that has a row, and keeps it as long as this is held.
    fn lock_present(&self, pod: &Pod) -> Result<Lock> {
        let lock = self.lock_pod(pod)?.ok_or_else(|| gone(pod))?;
        self.pod(&pod.id).map(|_| lock)
    }

    /// Nobody else starts anything of the pod while this is held. Nothing if it was removed.
    pub(super) fn lock_pod(&self, pod: &Pod) -> Result<Option<Lock>> {
        Lock::take_folder(&self.folders.pod(&pod.id))
    }

    /// Writes the names of a pod's containers for those who ask in its networks, if it runs: they
    /// have the pod's addresses.
    pub(crate) fn tell_names(&self, pod: &Pod) -> Result<()> {
        let Some(infra) = self.infra(pod)? else { return Ok(()) };
        // One after the other, or an older list would be written last.
        let Some(_lock) = self.lock_pod(pod)? else { return Ok(()) };
        let runs = || -> Result<bool> {
            Ok(self.look_only(&infra)?.is_some_and(|seen| seen.status.is_running()))
        };
        if !runs()? {
            return Ok(());
        }
        for connected in self.connections(&infra.id)? {
            self.publish_names(&infra, &connected)?;
            // Its monitor has taken them away when it ended, and may have done so just before.
            if !runs()? {
                names_end(&self.folders, &connected.network, &infra)?;
            }
        }
        Ok(())
    }
}

fn gone(pod: &Pod) -> Error {
    Error::NoSuchPod(pod.name.clone())
}
