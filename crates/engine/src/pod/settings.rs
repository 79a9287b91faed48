//! All that is decided about a pod when it is made.

use crate::settings::{Limits, Mount, Namespaces, Network, Restart};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A pod as it is to be. It is kept in the database, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodSettings {
    /// What its containers share.
    pub share: Share,
    /// What the container is called that holds the namespaces; empty: the beginning of the id.
    pub infra_name: String,
    /// The host name; empty: the pod's name.
    pub hostname: String,
    /// The network, with published ports.
    pub network: Network,
    /// Anything for people and programs to find it by.
    pub labels: BTreeMap<String, String>,
    /// What all of it together may use; kernel parameters, and the size of `/dev/shm`.
    pub limits: Limits,
    /// What each of its containers has mounted.
    pub mounts: Vec<Mount>,
    /// When its containers are started again that say nothing else.
    pub restart: Restart,
    /// What becomes of it when its last container ends.
    pub exit_policy: ExitPolicy,
    /// It is removed when its last container ends.
    pub auto_remove: bool,
    /// The cgroup above its own; empty: `/tinyo`.
    pub cgroup_parent: String,
    /// Which ids of the machine those of all its containers are; the other namespaces are empty.
    pub namespaces: Namespaces,
}

impl PodSettings {
    /// Whether something becomes of it when its last container ends.
    pub(crate) fn ends_with_members(&self) -> bool {
        self.auto_remove || self.exit_policy == ExitPolicy::Stop
    }
}

/// What the containers of a pod have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Share {
    /// Devices, addresses, ports.
    pub network: bool,
    /// System V IPC, message queues and `/dev/shm`.
    pub ipc: bool,
    /// The host name.
    pub uts: bool,
    /// Process ids.
    pub pid: bool,
    /// The view of the cgroup tree.
    pub cgroup: bool,
    /// The cgroup above their own, so that limits of the pod hold for all of them together.
    pub cgroup_parent: bool,
}

impl Share {
    /// As Kubernetes and Podman have it.
    pub const USUAL: Share = Share {
        network: true,
        ipc: true,
        uts: true,
        pid: false,
        cgroup: false,
        cgroup_parent: true,
    };

    /// Whether somebody must hold a namespace.
    pub fn has_namespaces(self) -> bool {
        self.network || self.ipc || self.uts || self.pid || self.cgroup
    }

    /// The namespaces, as Podman calls them.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            ("pid", self.pid),
            ("ipc", self.ipc),
            ("net", self.network),
            ("uts", self.uts),
            ("cgroup", self.cgroup),
        ];
        all.iter().filter(|(_, is_shared)| *is_shared).map(|(name, _)| *name).collect()
    }
}

/// What becomes of a pod when its last container ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitPolicy {
    /// Its namespaces stay.
    #[default]
    Continue,
    /// It ends, too.
    Stop,
}

impl ExitPolicy {
    /// As Podman calls it.
    pub fn name(self) -> &'static str {
        match self {
            ExitPolicy::Continue => "continue",
            ExitPolicy::Stop => "stop",
        }
    }
}
