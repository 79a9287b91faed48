//! Pods: containers that share namespaces, a network, and limits.
//!
//! What they share is held by one more container, the infra container, in which `tino` waits and
//! does nothing. It is a container as any other, with a monitor: published ports, names, addresses
//! and what is to be done when somebody was killed come with that. The others join its namespaces
//! each time that they are started, and end when it ends.
//!
//! ```text
//! Engine::create_pod       settings -> a row, its cgroup's name, the infra container's row
//! Engine::create_in_pod    image + settings -> a container; what it shares is the pod's
//! Engine::start, exec ...  as for any container; the infra container is started first
//! Engine::stop_pod ...     all of it; done twice is as good as done once
//! ```
//!
//! Locks are taken in this order: that of a container, that of its pod, that of the infra
//! container. A pod's is held while one of it starts, so that the cgroup above is there by then.

mod create;
mod end;
mod group;
mod join;
mod life;
mod row;
mod settings;
mod start;
mod status;

pub use settings::{ExitPolicy, PodSettings, Share};
pub use status::{PodSeen, PodStatus};

pub(crate) use group::is_there;
pub(crate) use row::{TABLES, check_is_there, insert, to_be_deleted_with};

use crate::database::{self, Container};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::events::{self, Event};

/// A pod's row.
#[derive(Clone, Debug)]
pub struct Pod {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Nanoseconds since 1970.
    pub created: u64,
    /// The id of the container that holds its namespaces, if it has one.
    pub infra: Option<String>,
    /// What it is to be.
    pub settings: PodSettings,
}

impl Engine {
    /// All pods, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pods(&self) -> Result<Vec<Pod>> {
        row::all(&self.store)
    }

    /// The pod that a name, an id or the beginning of an id means.
    ///
    /// # Errors
    /// None or several are meant.
    pub fn pod(&self, text: &str) -> Result<Pod> {
        row::find(&self.store, text)
    }

    /// The containers of a pod, the oldest first; with the infra container, which is the oldest.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn containers_of_pod(&self, pod: &Pod) -> Result<Vec<Container>> {
        database::of_pod(&self.store, &pod.id)
    }

    /// The pod that a container is in.
    pub(crate) fn pod_of(&self, container: &Container) -> Result<Option<Pod>> {
        match container.pod.as_ref().map(|id| self.pod(id)).transpose() {
            // It went with its containers.
            Err(Error::NoSuchPod(_)) => Err(Error::NoSuchContainer(container.name.clone())),
            found => found,
        }
    }

    /// The container that holds a pod's namespaces, if it has one.
    pub(crate) fn infra(&self, pod: &Pod) -> Result<Option<Container>> {
        match pod.infra.as_ref().map(|id| self.find(id)).transpose() {
            // The pod was removed meanwhile.
            Err(Error::NoSuchContainer(_)) => Err(Error::NoSuchPod(pod.name.clone())),
            found => found,
        }
    }

    /// The same, for who is in the pod.
    pub(crate) fn infra_of(&self, pod: &Pod, member: &Container) -> Result<Option<Container>> {
        match self.infra(pod) {
            Err(Error::NoSuchPod(_)) => Err(Error::NoSuchContainer(member.name.clone())),
            found => found,
        }
    }

    pub(crate) fn tell_pod_event(&self, pod: &Pod, action: &str) -> Result<()> {
        events::append(&self.folders, &Event::new("pod", &pod.id, action, &[("name", &pod.name)]))
    }
}
