//! Pods as a whole: starting, stopping, removing all of one.

use super::{Pod, row};
use crate::database::{self, Container};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders;
use crate::start::Attach;
use crate::status::Status;
use sys::process::SIGKILL;

/// How often it is tried to remove what somebody else goes on starting.
const TRIES: u32 = 20;

impl Engine {
    /// Starts all of a pod that does not run.
    ///
    /// # Errors
    /// What could not be started; the rest runs.
    pub fn start_pod(&self, pod: &Pod) -> Result<()> {
        self.start_sandbox(pod)?;
        self.each_of(pod, |container, status| match status {
            Status::Created | Status::Exited => self.start(container, Attach::Nothing).map(drop),
            _ => Ok(()),
        })
    }

    /// Asks all containers of a pod to end, and kills those that do not in time (seconds; -1:
    /// never); the one that holds the namespaces is the last.
    ///
    /// # Errors
    /// What could not be stopped; the rest was.
    pub fn stop_pod(&self, pod: &Pod, timeout: Option<i64>) -> Result<()> {
        let containers = self.containers_of_pod(pod)?;
        let (infra, members): (Vec<_>, Vec<_>) = containers.iter().partition(|it| it.is_infra);
        let mut failed = Vec::new();
        let mut has_run = false;
        for group in [members, infra] {
            // All are asked first, so that they end at the same time.
            let mut stopping = Vec::new();
            for container in group {
                match self.begin_stop(container, timeout) {
                    Ok(one) => stopping.extend(one.map(|it| (container, it))),
                    Err(error) => note(&mut failed, container, &error),
                }
            }
            has_run |= !stopping.is_empty();
            for (container, one) in stopping {
                if let Err(error) = self.finish_stop(container, one) {
                    note(&mut failed, container, &error);
                }
            }
        }
        self.remove_idle_group(pod)?;
        if has_run {
            self.tell_pod_event(pod, "stop")?;
        }
        all_or(failed)
    }

    /// Sends a signal to all containers of a pod that run.
    ///
    /// # Errors
    /// Which did not get it.
    pub fn kill_pod(&self, pod: &Pod, signal: i32) -> Result<()> {
        self.each_of(pod, |container, status| match status {
            Status::Running | Status::Paused => self.kill(container, signal),
            // It is not to come back.
            Status::Restarting if signal == SIGKILL => self.stop_alone(container, Some(0)),
            _ => Ok(()),
        })?;
        self.tell_pod_event(pod, "kill")
    }

    /// Stops all processes of a pod where they are.
    ///
    /// # Errors
    /// Which of them run on.
    pub fn pause_pod(&self, pod: &Pod) -> Result<()> {
        self.each_of(pod, |container, status| match status {
            Status::Running => self.pause(container),
            _ => Ok(()),
        })?;
        self.tell_pod_event(pod, "pause")
    }

    /// Lets all processes of a pod go on.
    ///
    /// # Errors
    /// Which of them do not.
    pub fn unpause_pod(&self, pod: &Pod) -> Result<()> {
        self.each_of(pod, |container, status| match status {
            Status::Paused => self.unpause(container),
            _ => Ok(()),
        })?;
        self.tell_pod_event(pod, "unpause")
    }

    /// Removes a pod with its containers, and the volumes that nobody has given a name. With
    /// `force` those that run are stopped first, as [`Engine::stop_pod`] does it. Nothing is done if
    /// it was removed already.
    ///
    /// # Errors
    /// [`Error::PodInUse`]; something of it cannot be removed.
    pub fn remove_pod(&self, pod: &Pod, force: bool, timeout: Option<i64>) -> Result<()> {
        for _ in 0..TRIES {
            if !force {
                self.refuse_running(pod)?;
            }
            match self.remove_containers(pod, force, timeout) {
                // Somebody has made one more meanwhile.
                Err(Error::PodInUse { .. }) => continue,
                removed => removed?,
            }
            let lock = self.lock_pod(pod)?;
            if lock.is_some() {
                // Before the row: the cgroup of a pod without one is nobody's.
                self.remove_group_if_idle(pod)?;
            }
            if database::make_room(&self.store, || row::delete(&self.store, &pod.id))? {
                return if lock.is_some() { self.remove_rest(pod) } else { Ok(()) };
            }
        }
        Err(Error::invalid(format!("pod {}: somebody goes on making containers in it", pod.name)))
    }

    fn refuse_running(&self, pod: &Pod) -> Result<()> {
        let seen = self.look_at_pod(pod)?;
        let runs =
            seen.containers.iter().filter(|(it, seen)| !it.is_infra && !seen.status.is_over());
        let running: Vec<_> = runs.map(|(container, _)| container.name.as_str()).collect();
        if running.is_empty() {
            return Ok(());
        }
        Err(Error::PodInUse { name: pod.name.clone(), by: running.join(" ") })
    }

    fn remove_containers(&self, pod: &Pod, force: bool, timeout: Option<i64>) -> Result<()> {
        if force {
            self.stop_pod(pod, timeout)?;
        }
        let mut containers = self.containers_of_pod(pod)?;
        // With the infra container goes the pod's row.
        containers.sort_by_key(|container| container.is_infra);
        for container in &containers {
            let removed = if container.is_infra {
                // With it goes the row; see above.
                self.stop_alone(container, Some(0))
                    .and_then(|()| self.remove_idle_group(pod))
                    .and_then(|()| self.remove_one(container, true, true))
            } else {
                self.remove_one(container, force, true)
            };
            match removed {
                Err(Error::NoSuchContainer(_)) => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    /// The caller holds the lock, and there is no row any more.
    pub(crate) fn remove_rest(&self, pod: &Pod) -> Result<()> {
        self.remove_group(pod)?;
        folders::remove(&self.folders.pod(&pod.id))?;
        self.tell_pod_event(pod, "remove")
    }

    /// Does something to each container, the one with the namespaces first, and goes on where it
    /// fails.
    fn each_of(&self, pod: &Pod, act: impl Fn(&Container, Status) -> Result<()>) -> Result<()> {
        let mut failed = Vec::new();
        for (container, seen) in self.look_at_pod(pod)?.containers {
            match act(&container, seen.status) {
                // It has ended or was removed meanwhile, or somebody else was faster.
                Err(Error::WrongStatus { .. } | Error::NoSuchContainer(_)) | Ok(()) => {}
                Err(error) => note(&mut failed, &container, &error),
            }
        }
        all_or(failed)
    }
}

/// What was wrong with one of them.
fn note(failed: &mut Vec<String>, container: &Container, error: &Error) {
    // One that is gone needs nothing more.
    if !matches!(error, Error::NoSuchContainer(_)) {
        failed.push(format!("container {}: {error}", container.name));
    }
}

fn all_or(failed: Vec<String>) -> Result<()> {
    if failed.is_empty() { Ok(()) } else { Err(Error::Several(failed)) }
}
