//! What a pod is doing.

use super::Pod;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::status::{Seen, Status};
use kernel::lock::Holder;

/// What a pod is doing, in the words of Podman.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodStatus {
    /// Nothing of it has ever run.
    Created,
    /// All of it runs.
    Running,
    /// Some of it runs.
    Degraded,
    /// All of it is paused.
    Paused,
    /// Some of it has ended, and nothing runs.
    Stopped,
    /// All of it has ended.
    Exited,
}

impl PodStatus {
    /// As Podman calls it.
    pub fn name(self) -> &'static str {
        match self {
            PodStatus::Created => "Created",
            PodStatus::Running => "Running",
            PodStatus::Degraded => "Degraded",
            PodStatus::Paused => "Paused",
            PodStatus::Stopped => "Stopped",
            PodStatus::Exited => "Exited",
        }
    }

    fn of(all: &[Status]) -> PodStatus {
        let count = |wanted: Status| all.iter().filter(|it| **it == wanted).count();
        let running = count(Status::Running) + count(Status::Restarting);
        let paused = count(Status::Paused);
        match all.len() {
            0 => PodStatus::Created,
            total if running == total => PodStatus::Running,
            total if paused == total => PodStatus::Paused,
            _ if running + paused > 0 => PodStatus::Degraded,
            total if count(Status::Exited) == total => PodStatus::Exited,
            _ if count(Status::Exited) > 0 => PodStatus::Stopped,
            _ => PodStatus::Created,
        }
    }
}

/// What a pod is doing, and each of its containers.
#[derive(Clone, Debug)]
pub struct PodSeen {
    /// All of it together.
    pub status: PodStatus,
    /// Its containers, the oldest first; the infra container is the first if there is one.
    pub containers: Vec<(Container, Seen)>,
    /// Those that a killed monitor has left, and who keeps others from putting them in order.
    pub stuck: Vec<(String, Holder)>,
}

impl PodSeen {
    /// Whether its namespaces are there: what Kubernetes calls a ready sandbox.
    pub fn is_ready(&self) -> bool {
        let infra = self.containers.iter().find(|(container, _)| container.is_infra);
        infra.is_none_or(|(_, seen)| seen.status.is_running())
    }
}

impl Engine {
    /// Finds out what a pod is doing, and puts in order what killed monitors have left.
    ///
    /// # Errors
    /// Files of a container cannot be read.
    pub fn look_at_pod(&self, pod: &Pod) -> Result<PodSeen> {
        self.see(pod, |container| Ok((self.look(container)?, None)))
    }

    /// The same for who only wants to tell it: see [`Engine::glance`].
    ///
    /// # Errors
    /// Files of a container cannot be read.
    pub fn glance_at_pod(&self, pod: &Pod) -> Result<PodSeen> {
        self.see(pod, |container| self.glance(container))
    }

    fn see(
        &self,
        pod: &Pod,
        look: impl Fn(&Container) -> Result<(Seen, Option<Holder>)>,
    ) -> Result<PodSeen> {
        let (mut containers, mut stuck) = (Vec::new(), Vec::new());
        for container in self.containers_of_pod(pod)? {
            match look(&container) {
                Ok((seen, holder)) => {
                    stuck.extend(holder.map(|it| (container.name.clone(), it)));
                    containers.push((container, seen));
                }
                // It has just been removed.
                Err(Error::NoSuchContainer(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let all: Vec<Status> = containers.iter().map(|(_, seen)| seen.status).collect();
        Ok(PodSeen { status: PodStatus::of(&all), containers, stuck })
    }
}

#[cfg(test)]
mod tests {
    use super::PodStatus;
    use crate::status::Status::{Created, Exited, Paused, Restarting, Running};

    #[test]
    fn the_status_of_all_together() {
        for (all, expected) in [
            (&[][..], PodStatus::Created),
            (&[Created, Created], PodStatus::Created),
            (&[Running, Running], PodStatus::Running),
            (&[Running, Restarting], PodStatus::Running),
            (&[Running, Exited], PodStatus::Degraded),
            (&[Running, Created], PodStatus::Degraded),
            (&[Running, Paused], PodStatus::Degraded),
            (&[Paused, Exited], PodStatus::Degraded),
            (&[Paused, Paused], PodStatus::Paused),
            (&[Exited, Exited], PodStatus::Exited),
            (&[Exited, Created], PodStatus::Stopped),
        ] {
            assert_eq!(PodStatus::of(all), expected, "{all:?}");
        }
    }
}
