//! Why something could not be done, and whose fault it is.

use runtime::Step;
use std::io;
use std::path::PathBuf;
use sys::rustix::io::Errno;

/// The result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value is wrong that somebody has written.
    #[error("{0}")]
    Invalid(String),
    /// No container is meant.
    #[error("no such container: {0}")]
    NoSuchContainer(String),
    /// Several are.
    #[error("{text:?} is the beginning of several ids: {found}; write more of it")]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Some that it may mean.
        found: String,
    },
    /// A name is taken.
    #[error(
        "the {kind} name \"{name}\" is already in use by {kind} {id}; remove that {kind}, or take \
         another name"
    )]
    NameInUse {
        /// Which.
        name: String,
        /// By a `container` or a `pod`.
        kind: &'static str,
        /// By whom, short.
        id: String,
    },
    /// No pod is meant.
    #[error("no such pod: {0}")]
    NoSuchPod(String),
    /// There are containers in a pod, which go first.
    #[error("pod {name} has containers that run: {by}; stop it first, or use --force")]
    PodInUse {
        /// Its name.
        name: String,
        /// The names of those.
        by: String,
    },
    /// There is no such volume.
    #[error("no such volume: {0}")]
    NoSuchVolume(String),
    /// A volume is in use.
    #[error("volume {name} is used by {users}; remove these first")]
    VolumeInUse {
        /// Which.
        name: String,
        /// By whom.
        users: String,
    },
    /// There is no such secret.
    #[error("no such secret: {0}")]
    NoSuchSecret(String),
    /// There is one of that name.
    #[error("there is a secret {0} already; --replace gives it another content")]
    SecretExists(String),
    /// There is no such network.
    #[error("no such network: {0}")]
    NoSuchNetwork(String),
    /// There is one of that name.
    #[error("a network with the name {0} exists already")]
    NetworkExists(String),
    /// A network is in use.
    #[error("network {name} is used by {count} containers; disconnect or remove these first")]
    NetworkInUse {
        /// Which.
        name: String,
        /// By how many.
        count: u32,
    },
    /// The kernel refused something about a network, or a port is taken.
    #[error(transparent)]
    Network(#[from] net::Error),
    /// The container is not in a state in which this can be done.
    #[error("cannot {verb} container {name}: it is {status}{hint}")]
    WrongStatus {
        /// Its name.
        name: String,
        /// What was asked.
        verb: &'static str,
        /// What it is.
        status: String,
        /// What to do instead; may be empty.
        hint: &'static str,
    },
    /// The container's program could not be started: an exit code that shells use for that.
    #[error("{message}")]
    NotStarted {
        /// 125, 126 or 127.
        code: u8,
        /// What the runtime said.
        message: String,
        /// Because a disk is full.
        is_disk_full: bool,
    },
    /// The monitor ended without a word.
    #[error("the monitor of the container was killed before it had started it")]
    MonitorDied,
    /// The file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The image store refused it.
    #[error(transparent)]
    Store(#[from] image::store::Error),
    /// An image could not be made of it.
    #[error(transparent)]
    Assemble(#[from] image::assemble::Error),
    /// The runtime refused it.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// Somebody has a lock, and does not move.
    #[error(transparent)]
    Locked(#[from] kernel::lock::Error),
    /// The container's monitor is stopped.
    #[error("the monitor of container {name} has to do it: {monitor}")]
    MonitorStopped {
        /// The container.
        name: String,
        /// Its monitor.
        monitor: kernel::lock::Holder,
    },
    /// A system call failed.
    #[error(transparent)]
    Call(#[from] sys::Error),
    /// A newer program has made the tables.
    #[error("the database has version {version} of the containers, and this program knows {known}")]
    Newer {
        /// What it has.
        version: usize,
        /// What this program knows.
        known: usize,
    },
    /// Something that we wrote ourselves cannot be read.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// What.
        what: String,
        /// In which way.
        reason: String,
    },
    /// Several things failed; it was carried on with.
    #[error("{}", .0.join("; "))]
    Several(Vec<String>),
}

impl From<rusqlite::Error> for Error {
    /// The containers' tables are in the store's database.
    fn from(error: rusqlite::Error) -> Error {
        Error::Store(error.into())
    }
}

impl image::store::OfStore for Error {
    fn of_store(self, change: impl FnOnce(image::store::Error) -> image::store::Error) -> Error {
        match self {
            Error::Store(error) => Error::Store(change(error)),
            other => other,
        }
    }
}

impl Error {
    /// A program that was not started, for another reason than a full disk.
    pub(crate) fn not_started(code: u8, message: impl Into<String>) -> Error {
        Error::NotStarted { code, message: message.into(), is_disk_full: false }
    }

    /// Whether a disk has no room left, or a quota is used up.
    pub fn is_disk_full(&self) -> bool {
        let errno = match self {
            Error::NotStarted { is_disk_full, .. } => return *is_disk_full,
            Error::Store(error) => return error.is_full_disk(),
            Error::File { error, .. } => Errno::from_io_error(error),
            Error::Call(error)
            | Error::Runtime(runtime::Error::Call(error) | runtime::Error::File { error, .. }) => {
                Some(error.errno)
            }
            // Of groups and keys these numbers say something else.
            Error::Runtime(runtime::Error::Child(it)) => match it.step {
                Step::JoinCgroup | Step::EnterNamespace | Step::Keyring => None,
                _ => Some(Errno::from_raw_os_error(it.errno)),
            },
            _ => None,
        };
        matches!(errno, Some(Errno::NOSPC | Errno::DQUOT))
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Error {
        Error::Invalid(text.into())
    }

    /// For files: `.map_err(Error::file(&path))`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |error| Error::File { path, error }
    }
}
