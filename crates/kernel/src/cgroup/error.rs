//! What can go wrong with a control group.

/// A failure, with the blame visible: a value the user wrote, this machine, or a system call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A resource that cannot be what the user wrote, on any machine or with the cgroup version
    /// of this one. `field` is its place below `linux.resources`, as in `memory.limit`.
    #[error("{field}: {reason}")]
    Resource {
        /// The place below `linux.resources`.
        field: String,
        /// Why not.
        reason: String,
    },
    /// A resource whose controller this machine does not have, or did not delegate.
    #[error("{field}: there is no {controller} controller here")]
    NoController {
        /// The place below `linux.resources`.
        field: String,
        /// Who would have to keep the limit.
        controller: String,
    },
    /// The groups above could not be told to let the group have a controller.
    #[error("{field}: the {controller} controller cannot be handed down to the cgroup: {source}")]
    HandDown {
        /// The place below `linux.resources`.
        field: String,
        /// Who would have to keep the limit.
        controller: String,
        /// What the kernel answered; EBUSY when a group above has processes of its own.
        source: sys::Error,
    },
    /// The kernel refused a value.
    #[error("{field}: cannot write {value:?} to {file}: {source}")]
    Write {
        /// The place below `linux.resources`.
        field: String,
        /// The file in the group's folder.
        file: String,
        /// What was to be written.
        value: String,
        /// What the kernel answered.
        source: sys::Error,
    },
    /// A `cgroupsPath` that names no group a container may have.
    #[error("cgroupsPath: {0}")]
    Path(String),
    /// A group below the container's, in a hierarchy of v1 that there is not.
    #[error("there is no hierarchy of the controller {0:?} here")]
    NoHierarchy(String),
    /// Limits were asked for, but this user may not make a group.
    #[error("cannot limit resources: no cgroup can be made: {0}")]
    NotPermitted(sys::Error),
    /// The group exists and has processes: two containers would share one.
    #[error("container's cgroup is not empty: {processes} process(es) found in {path}")]
    NotEmpty {
        /// How many there are.
        processes: usize,
        /// The group's folder.
        path: String,
    },
    /// The group exists and is frozen.
    #[error("container's cgroup unexpectedly frozen: see {0}, which whoever froze it must thaw")]
    Frozen(String),
    /// The memory in use is above the limit that is to be set, and `memory.checkBeforeUpdate` is on.
    #[error("memory.limit: {limit} bytes are less than the {usage} in use")]
    MemoryInUse {
        /// The new limit.
        limit: i64,
        /// What the group uses.
        usage: i64,
    },
    /// Processes that did not end, or did not freeze, in time.
    #[error("{what} took longer than {seconds} s")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// Text from the kernel that is not what it should be.
    #[error("{file}: unexpected text: {text:?}")]
    Unexpected {
        /// Where it was read.
        file: String,
        /// The text.
        text: String,
    },
    /// The operation needs a group, and the container has none.
    #[error("the container has no cgroup: {0} is not possible")]
    NoGroup(&'static str),
    /// systemd cannot be reached, or something went wrong on the way.
    #[error("systemd: {0}")]
    Systemd(String),
    /// systemd said no.
    #[error("systemd: {call}: {text} ({name})")]
    SystemdRefused {
        /// The method.
        call: String,
        /// The name of the error, as `org.freedesktop.systemd1.UnitExists`.
        name: String,
        /// What systemd says.
        text: String,
    },
    /// A system call.
    #[error(transparent)]
    System(#[from] sys::Error),
}

impl Error {
    /// Whether its text begins with a place below `linux.resources`.
    #[must_use]
    pub fn names_resource(&self) -> bool {
        use Error::{HandDown, MemoryInUse, NoController, Resource, Write};
        matches!(
            self,
            Resource { .. }
                | NoController { .. }
                | HandDown { .. }
                | Write { .. }
                | MemoryInUse { .. }
        )
    }

    /// Whether it is this error of systemd.
    pub(super) fn is_refusal(&self, wanted: &str) -> bool {
        matches!(self, Error::SystemdRefused { name, .. } if name == wanted)
    }

    /// A value that cannot be.
    pub(super) fn resource(field: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Resource { field: field.into(), reason: reason.into() }
    }
}

/// What everything here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
