//! The configuration that `spec` starts a bundle with.

use super::{IdMapping, Mount, Namespace, NamespaceKind, Spec};
use crate::json::{self, Text};

/// A shell in namespaces of its own, with few capabilities, on a read-only root.
const TEMPLATE: &str = include_str!("template.json");

impl Spec<'static> {
    /// A configuration for people to begin with: a shell with the root file system `rootfs`.
    ///
    /// # Errors
    /// None, as a test says.
    pub fn template() -> Result<Spec<'static>, json::Error> {
        json::parse(TEMPLATE.as_bytes())
    }
}

impl Spec<'_> {
    /// Drops what an unprivileged user may not ask for, and makes the user root in the container.
    pub fn make_rootless(&mut self, uid: u32, gid: u32) {
        let linux = &mut self.linux;
        // A network namespace without root outside of it has no way out: the host's serves better.
        let dropped = [NamespaceKind::Network, NamespaceKind::User];
        linux.namespaces.retain(|namespace| !dropped.contains(&namespace.kind));
        linux.namespaces.push(Namespace { kind: NamespaceKind::User, path: Text::default() });
        linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: uid, size: 1 }];
        linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: gid, size: 1 }];
        linux.resources = None;
        for mount in &mut self.mounts {
            make_mount_rootless(mount);
        }
    }
}

fn make_mount_rootless(mount: &mut Mount<'_>) {
    if mount.destination == "/sys" {
        // Only who owns the network namespace may mount sysfs.
        mount.kind = "none".into();
        mount.source = "/sys".into();
        mount.options.insert(0, "rbind".into());
    }
    // There is one user and one group, which own everything anyway.
    let is_owner = |option: &Text<'_>| option.starts_with("uid=") || option.starts_with("gid=");
    mount.options.retain(|option| !is_owner(option));
}
