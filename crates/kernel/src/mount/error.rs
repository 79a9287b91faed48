//! What can go wrong with a mount.

use std::fmt;

/// Why a mount cannot be what the configuration says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The place is no path.
    #[error("destination: {0}")]
    Destination(crate::path::ParseError),
    /// The root of the container is a mount of its own.
    #[error("destination: / is the root of the container and cannot be mounted over")]
    OverRoot,
    /// A bind mount of nothing.
    #[error("source: a bind mount needs the path of what to bind")]
    NoSource,
    /// A new file system of no kind.
    #[error(
        "type: it must be the name of a file system, such as tmpfs; or let the options have \"bind\" or \"rbind\""
    )]
    NoType,
    /// The kernel ends texts with NUL.
    #[error("{0}: it has a NUL character in it")]
    Nul(&'static str),
    /// An option that no bind mount has.
    #[error("options: {0:?} is for a file system, and a bind mount has none of its own")]
    DataOfBind(String),
    /// An option that only some mounts have.
    #[error("options: {option:?} is for {only} alone")]
    Misplaced {
        /// Which.
        option: &'static str,
        /// The mounts it is for.
        only: &'static str,
    },
    /// Something else than procfs where programs rely on procfs.
    #[error("destination: /proc can only be of type proc, or a bind mount of a procfs")]
    NotProc,
    /// See [`Error::InsideProc`].
    #[error("destination: {0} is inside /proc, where only {list} can be mounted over", list = super::target::ALLOWED_IN_PROC.join(", "))]
    InsideProc(String),
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Setting whether mounts are shared with other namespaces.
    Propagation,
    /// Making the root a mount.
    AttachRoot,
    /// Changing into the root.
    EnterRoot,
    /// Finding the place, or making it.
    Target,
    /// Opening what is to be mounted.
    Source,
    /// Mapping the ids of files.
    IdMap,
    /// Copying what a tmpfs covers into it.
    CopyUp,
    /// Mounting.
    Attach,
    /// Setting the label of a security module.
    Label,
    /// Setting the attributes.
    Attributes,
    /// Hiding a path.
    Mask,
    /// Making a path read-only.
    Protect,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Step::Propagation => "set the propagation of",
            Step::AttachRoot => "make a mount of the root",
            Step::EnterRoot => "change the root to",
            Step::Target => "prepare the mount point",
            Step::Source => "open the source for",
            Step::IdMap => "map the ids of",
            Step::CopyUp => "copy the content of",
            Step::Attach => "mount on",
            Step::Label => "set the SELinux label of",
            Step::Attributes => "set the attributes of",
            Step::Mask => "mask",
            Step::Protect => "make read-only",
        })
    }
}

/// Why something could not be mounted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {step} {path}: {error}")]
    Call {
        /// What was being done.
        step: Step,
        /// The path in the container, or for the root on the machine.
        path: String,
        /// The call.
        error: sys::Error,
    },
    /// procfs or sysfs over something else than a folder, or through a symbolic link: the
    /// program would find something else at the place it trusts.
    #[error("filesystem {kind:?} must be mounted on ordinary directory, and {path} is not one")]
    NotOrdinaryDirectory {
        /// The type of the file system.
        kind: String,
        /// The path in the container.
        path: String,
    },
    /// The place is a link to the root, which would be covered for all that comes later.
    #[error("{path} leads to the root of the container, which cannot be mounted over")]
    OverRoot {
        /// The path in the container.
        path: String,
    },
    /// The place is a link into `/proc`.
    #[error("{path} leads into /proc, where nothing but procfs can be mounted")]
    InsideProc {
        /// The path in the container.
        path: String,
    },
    /// A bind mount over `/proc` of something that is no procfs.
    #[error("{path} cannot be mounted because its source is not of type proc")]
    NotProc {
        /// The path in the container.
        path: String,
    },
    /// Nobody has mapped the ids that were to be mapped, which must not go unnoticed.
    #[error("the ids of {path} are to be mapped, but there is no map")]
    NotMapped {
        /// The path in the container.
        path: String,
    },
    /// Not every file system can have its ids mapped, and with newer kernels more can.
    #[error(
        "cannot map the ids of {path}: {error}; its file system cannot have them mapped, or not \
         by this kernel"
    )]
    NeverMapped {
        /// The path in the container.
        path: String,
        /// The call.
        error: sys::Error,
    },
    /// The kernel lays no layers over each other here: not in this user namespace, not on this file
    /// system, or not at all.
    #[error("the kernel refuses to lay the layers of {path} over each other: {error}")]
    Refused {
        /// For the root on the machine.
        path: String,
        /// The call.
        error: sys::Error,
    },
    /// A mount that may not be copied, or below which something is mounted that must not be left
    /// out: in a user namespace, what it covers would be shown.
    #[error(
        "cannot open the source for {path}: {error}; it is unbindable, or has mounts below it \
         that only rbind takes along"
    )]
    NotAlone {
        /// The path in the container.
        path: String,
        /// The call.
        error: sys::Error,
    },
    /// `/dev/null` is something else, so it hides nothing.
    #[error("/dev/null is not the character device 1:3, so that nothing can be masked by it")]
    NotNull,
}

impl Error {
    /// Adds where it happened to the failure of a call.
    pub(super) fn at(step: Step, path: &impl fmt::Display) -> impl Fn(sys::Error) -> Error {
        move |error| Error::Call { step, path: path.to_string(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Step};
    use sys::rustix::io::Errno;

    #[test]
    fn says_what_and_where() {
        let call = sys::Error::new("move_mount", "5, 6", Errno::NOTDIR);
        assert_eq!(
            Error::at(Step::Attach, &"/data")(call).to_string(),
            "cannot mount on /data: move_mount(5, 6): Not a directory (errno 20)"
        );
        let error = Error::NotOrdinaryDirectory { kind: "proc".into(), path: "/proc".into() };
        // Callers look for these words.
        assert!(error.to_string().contains("must be mounted on ordinary directory"));
    }
}
