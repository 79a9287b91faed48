//! Why a verb failed, and whose fault it is.

use crate::failure::{Failure, Step};
use crate::id::ContainerId;
use std::path::PathBuf;

/// The result of a verb.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a verb failed. The texts hold the words that Docker, containerd and Podman look for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The id cannot be one.
    #[error("{0}")]
    InvalidId(#[from] crate::id::InvalidId),
    /// There is no container of this id.
    #[error("container \"{0}\" does not exist")]
    NotFound(ContainerId),
    /// There is one already.
    #[error("container with given ID already exists: {0}")]
    Exists(ContainerId),
    /// The container is not in a state in which this can be done.
    #[error("cannot {verb} container \"{id}\": it is {status}{hint}")]
    WrongStatus {
        /// Which.
        id: ContainerId,
        /// What was asked.
        verb: &'static str,
        /// What it is.
        status: &'static str,
        /// What to do instead; may be empty.
        hint: &'static str,
    },
    /// A signal for a container that has no process any more. containerd looks for the words.
    #[error("container not running: {0}")]
    NotRunning(ContainerId),
    /// `exec` where the cgroup is frozen: the new process would hang.
    #[error("cannot exec in a paused container (use --ignore-paused to override)")]
    Paused,
    /// The bundle's `config.json`, or another document of the user's, is wrong: the JSON path,
    /// what is there, and what would be right.
    #[error("{file}: {reason}")]
    Configuration {
        /// Its name.
        file: String,
        /// With the JSON path.
        reason: String,
    },
    /// A folder or file named on the command line or needed there cannot be used.
    #[error("{what} {path:?}: {error}")]
    File {
        /// What it is.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        error: sys::Error,
    },
    /// What runtimes before wrote into the state folder cannot be read.
    #[error("the state of container \"{id}\" is damaged ({reason}); delete --force removes it")]
    Damaged {
        /// Which.
        id: ContainerId,
        /// In which way.
        reason: String,
    },
    /// Another user's.
    #[error(
        "container \"{id}\" is that of user {owner}, whose word is not acted upon: do this as that user"
    )]
    Foreign {
        /// Which.
        id: ContainerId,
        /// Whose.
        owner: u32,
    },
    /// A new process could not be made.
    #[error("unable to start container process: {error}{hint}", hint = clone_hint(error))]
    Clone {
        /// What the kernel said.
        error: sys::Error,
    },
    /// A step of the new process failed.
    #[error("unable to start container process: {}", child_text(.0))]
    Child(Failure),
    /// It ended without saying why.
    #[error(
        "unable to start container process: it was killed while it was set up (out of memory, a \
         limit on processes, or a seccomp profile that forbids what the runtime still needs)"
    )]
    ChildDied,
    /// A hook failed.
    #[error("error running {kind} hook #{index}: {reason}")]
    Hook {
        /// Its kind as the specification spells it.
        kind: &'static str,
        /// Its place in the list, from 0.
        index: usize,
        /// How.
        reason: String,
    },
    /// A namespace could not be joined.
    #[error("{0}")]
    Namespace(#[from] kernel::namespace::Error),
    /// The maps of the new user namespace could not be written.
    #[error("cannot map ids into the user namespace: {0}")]
    Map(#[from] kernel::namespace::MapError),
    /// The share of caches and memory bandwidth cannot be had.
    #[error("linux.intelRdt: {0}")]
    Resctrl(#[from] kernel::resctrl::Error),
    /// A network device could not be moved.
    #[error("linux.netDevices: {0}")]
    NetDevice(#[from] kernel::netdev::Error),
    /// What is to be mounted cannot be opened, or its ids not mapped.
    #[error("{0}")]
    Mount(#[from] kernel::mount::Error),
    /// The cgroup could not be made, joined, changed or removed.
    #[error("{below}{0}", below = resources(.0))]
    Cgroup(#[from] kernel::cgroup::Error),
    /// criu failed.
    #[error("{0}")]
    Criu(String),
    /// A system call failed.
    #[error("{0}")]
    Call(#[from] sys::Error),
    /// What is asked for cannot be done here, and would be a danger if it was dropped in silence.
    #[error("{0}")]
    Unsupported(String),
    /// Several things failed while something was taken down; it was carried on with.
    #[error("{}", .0.join("; "))]
    Teardown(Vec<String>),
    /// A bug of ours.
    #[error("internal error, please report it: {0}")]
    Internal(&'static str),
}

impl Error {
    /// Whether the kernel lays no layers over each other here, so that there is no such root.
    #[must_use]
    pub fn refuses_overlay(&self) -> bool {
        match self {
            Error::Child(failure) => failure.step == Step::Overlay,
            Error::Mount(error) => matches!(error, kernel::mount::Error::Refused { .. }),
            _ => false,
        }
    }
}

/// What leads to the place that the text of such an error begins with, if it does.
pub(crate) fn resources(error: &kernel::cgroup::Error) -> &'static str {
    if error.names_resource() { "linux.resources." } else { "" }
}

fn clone_hint(error: &sys::Error) -> &'static str {
    use sys::rustix::io::Errno;
    match error.errno {
        Errno::PERM => " (root, or a user namespace of its own, is needed)",
        Errno::NOSPC => " (too many namespaces: see /proc/sys/user/max_*_namespaces)",
        Errno::NOSYS => " (Linux 5.12 or newer is needed)",
        _ => "",
    }
}

/// runc's words for a program that cannot be executed, which callers look for.
fn child_text(failure: &Failure) -> String {
    match failure.step {
        Step::Execute => failure.reason.clone(),
        _ => failure.to_string(),
    }
}
