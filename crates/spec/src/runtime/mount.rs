//! File systems.

use super::IdMapping;
use crate::json::{Problem, Text, names, object};

object! {
    /// The container's root file system.
    #[derive(Default)]
    pub struct Root<'a>, check check_root {
        /// A folder of the host; relative to the bundle, unless absolute.
        required path: Text<'a> = "path",
        /// Whether nothing in it can be changed.
        optional readonly: bool = "readonly",
    }
}

fn check_root(root: &Root<'_>) -> Result<(), Problem> {
    if root.path.is_empty() { Err(Problem::at("path", "empty")) } else { Ok(()) }
}

object! {
    /// One file system.
    #[derive(Default)]
    pub struct Mount<'a>, check check_mount {
        /// Where, in the container. A relative one, which older versions of the specification
        /// allowed, counts from the root.
        required destination: Text<'a> = "destination",
        /// The kind, as /proc/filesystems lists it; `bind` or nothing for a bind mount.
        optional kind: Text<'a> = "type",
        /// A device, a path of the host (relative to the bundle, unless absolute), or a name.
        optional source: Text<'a> = "source",
        /// As mount(8) takes them.
        optional options: Vec<Text<'a>> = "options",
        /// User ids in the files beside those that the container sees.
        optional uid_mappings: Vec<IdMapping> = "uidMappings",
        /// Group ids in the files beside those that the container sees.
        optional gid_mappings: Vec<IdMapping> = "gidMappings",
    }
}

fn check_mount(mount: &Mount<'_>) -> Result<(), Problem> {
    if mount.destination.is_empty() {
        return Err(Problem::at("destination", "empty"));
    }
    // The kernel takes both or none.
    match (mount.uid_mappings.is_empty(), mount.gid_mappings.is_empty()) {
        (true, false) => Err(Problem::at("uidMappings", "missing beside gidMappings")),
        (false, true) => Err(Problem::at("gidMappings", "missing beside uidMappings")),
        _ => Ok(()),
    }
}

names! {
    /// How mounts spread between the container and the host. See mount_namespaces(7).
    pub enum Propagation {
        /// Not at all.
        Private = "private",
        /// Not at all, with all mounts below.
        RecursivePrivate = "rprivate",
        /// From the host.
        Slave = "slave",
        /// From the host, with all mounts below.
        RecursiveSlave = "rslave",
        /// Both ways.
        Shared = "shared",
        /// Both ways, with all mounts below.
        RecursiveShared = "rshared",
        /// Not at all, and it cannot be bound elsewhere.
        Unbindable = "unbindable",
        /// Not at all, and none below can be bound elsewhere.
        RecursiveUnbindable = "runbindable",
    }
}
