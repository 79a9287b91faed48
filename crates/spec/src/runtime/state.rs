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
