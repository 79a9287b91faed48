//! The configuration that `spec` starts a bundle with.

/// A shell in namespaces of its own, with few capabilities, on the read-only root file system
/// `rootfs`: `config.json` for people to begin with.
pub const TEMPLATE: &str = include_str!("template.json");

/// The same for an unprivileged user, with `UID` and `GID` for his own ids.
const ROOTLESS: &str = include_str!("template-rootless.json");

/// The same for an unprivileged user, who is root in the container. It asks for nothing that he
/// may not have: no network namespace, since it would have no way out; /sys bound, since only
/// who owns the network namespace may mount sysfs; one user and one group; no limits.
#[must_use]
pub fn rootless_template(user: u32, group: u32) -> String {
    ROOTLESS.replace("UID", &user.to_string()).replace("GID", &group.to_string())
}
