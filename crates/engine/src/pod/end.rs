//! When a container of a pod has ended: what becomes of the others.

use super::{ExitPolicy, Pod};
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::settings::RestartPolicy;
use crate::status::Status;
use std::time::{Duration, Instant};
use sys::process::SIGKILL;

/// How long a monitor may take to see that its program was killed, and how often that is asked.
const PATIENCE: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(1);

impl Engine {
    /// What is left to be done when a container has ended for good, and its monitor is about to:
    /// it is removed, or the rest of its pod is told.
    ///
    /// # Errors
    /// Something cannot be removed or stopped.
    pub fn settle(&self, id: &str, remove: bool, pod: Option<&str>) -> Result<()> {
        if remove {
            match self.find(id) {
                Ok(container) => self.remove(&container, false, true)?,
                Err(Error::NoSuchContainer(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let Some(pod) = pod else { return Ok(()) };
        let pod = match self.pod(pod) {
            Err(Error::NoSuchPod(_)) => return Ok(()),
            pod => pod?,
        };
        if pod.infra.as_deref() == Some(id) {
            return self.end_members(&pod);
        }
        if self.has_living_members(&pod)? {
            return Ok(());
        }
        match pod.settings.exit_policy {
            _ if pod.settings.auto_remove => self.remove_pod(&pod, true, None),
            ExitPolicy::Stop => self.stop_pod(&pod, None),
            ExitPolicy::Continue => Ok(()),
        }
    }

    fn has_living_members(&self, pod: &Pod) -> Result<bool> {
        let seen = self.look_at_pod(pod)?;
        Ok(seen.containers.iter().any(|(it, seen)| !it.is_infra && !seen.status.is_over()))
    }

    /// The infra container has ended. Whoever runs in the pod has no network, no shared memory and
    /// no ports any more, and ends, too; with it comes back who is to be started again by itself.
    pub(crate) fn end_members(&self, pod: &Pod) -> Result<()> {
        let Some(infra) = self.infra(pod)? else { return Ok(()) };
        // Somebody may have started it again by now, and others in it.
        let since = match self.look_only(&infra)? {
            Some(seen) if seen.status.is_running() => seen.state.started,
            _ => u64::MAX,
        };
        let may_come_back = !self.folder(&infra).file("stopped").exists();
        let mut comes_back = false;
        let members = self.containers_of_pod(pod)?;
        for member in members.iter().filter(|it| uses_namespaces(&infra, it)) {
            match self.end_member(member, since, may_come_back) {
                // It was removed meanwhile.
                Err(Error::NoSuchContainer(_)) => {}
                ended => comes_back |= ended?,
            }
        }
        if comes_back { self.start_sandbox(pod) } else { Ok(()) }
    }

    /// Ends one that was started before then. Whether it comes back.
    fn end_member(&self, member: &Container, since: u64, may_come_back: bool) -> Result<bool> {
        let Some(seen) = self.look_only(member)? else {
            // Its monitor is gone as well; to look at it starts it again if it is to be.
            return Ok(false);
        };
        if seen.status.is_over() || seen.state.started >= since {
            return Ok(false);
        }
        let restarts = member.settings.restart.policy != RestartPolicy::No;
        if may_come_back && restarts && !self.folder(member).file("stopped").exists() {
            if seen.status != Status::Restarting {
                self.send(member, SIGKILL)?;
                self.wait_until_seen(member, seen.state.pid)?;
            }
            return Ok(true);
        }
        self.stop_alone(member, Some(0)).map(|()| false)
    }

    /// Waits until the monitor of a container whose process was killed has seen that, so that
    /// nobody is told that it runs.
    fn wait_until_seen(&self, member: &Container, pid: i32) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.look_only(member)? {
                Some(seen) if seen.status.is_running() && seen.state.pid == pid => {
                    std::thread::sleep(PACE);
                }
                _ => break,
            }
        }
        Ok(())
    }
}

/// It may have asked for its own ones of all.
fn uses_namespaces(infra: &Container, member: &Container) -> bool {
    let place = format!("container:{}", infra.id);
    let shared = &member.settings.namespaces;
    let network = &member.settings.network.mode;
    [network, &shared.ipc, &shared.uts, &shared.pid, &shared.cgroup].contains(&&place)
}
