//! What a runtime says about a container.

use crate::json::{Map, Text, names, object};

object! {
    /// What `state` prints and hooks read on standard input.
    pub struct State<'a> {
        /// The version of the specification that this follows.
        required oci_version: Text<'a> = "ociVersion",
        /// The container's id.
        required id: Text<'a> = "id",
        /// What it is doing.
        required status: Status = "status",
        /// The container's process, as the runtime's pid namespace counts; 0 when there is none.
        optional pid: i32 = "pid",
        /// The bundle's absolute path.
        required bundle: Text<'a> = "bundle",
        /// The annotations of `config.json`.
        optional annotations: Map<'a, Text<'a>> = "annotations",
    }
}

names! {
    /// What a container is doing.
    pub enum Status {
        /// It is being made.
        Creating = "creating",
        /// It waits for `start`.
        Created = "created",
        /// Its program runs.
        Running = "running",
        /// Its processes are frozen.
        Paused = "paused",
        /// Its program has ended.
        Stopped = "stopped",
    }
}

/// The name in `fds` of the descriptor that seccomp(2) gave.
pub const SECCOMP_FD_NAME: &str = "seccompFd";

object! {
    /// What a seccomp agent gets beside the descriptor.
    pub struct ContainerProcessState<'a> {
        /// The version of the specification that this follows.
        required oci_version: Text<'a> = "ociVersion",
        /// What each descriptor is that comes with the message.
        always fds: Vec<Text<'a>> = "fds",
        /// The process whose calls the descriptor is about.
        required pid: i32 = "pid",
        /// `listenerMetadata` of `config.json`.
        optional metadata: Text<'a> = "metadata",
        /// The container's state.
        required state: State<'a> = "state",
    }
}

object! {
    /// What runtimes print of a container beside what [`State`] must say, in runc's fields.
    pub struct Details<'a> {
        /// The version of the specification that this follows.
        required oci_version: Text<'a> = "ociVersion",
        /// The container's id.
        required id: Text<'a> = "id",
        /// The container's process; 0 when there is none.
        always pid: i32 = "pid",
        /// What it is doing.
        required status: Status = "status",
        /// The bundle's absolute path.
        required bundle: Text<'a> = "bundle",
        /// The absolute path of the root file system.
        always rootfs: Text<'a> = "rootfs",
        /// When it was made, as RFC 3339 writes it.
        always created: Text<'a> = "created",
        /// The annotations of `config.json`.
        optional annotations: Map<'a, Text<'a>> = "annotations",
        /// Who made it.
        always owner: Text<'a> = "owner",
    }
}
