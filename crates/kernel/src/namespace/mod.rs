//! Namespaces: which there are, how they are joined, and the maps of a user namespace.

mod id_map;
mod mapping;
mod offsets;
mod visit;

pub use id_map::{IdMap, MapError, write_id_maps};
pub use mapping::Mapping;
pub use offsets::{ClockOffset, write_time_offsets};
pub use visit::{visit, visit_new_mounts};

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType};
use sys::rustix::{io::Errno, thread};

/// A kind of namespace, see namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// cgroup_namespaces(7), Linux 4.6.
    Cgroup,
    /// ipc_namespaces(7).
    Ipc,
    /// mount_namespaces(7).
    Mount,
    /// network_namespaces(7).
    Network,
    /// pid_namespaces(7).
    Pid,
    /// time_namespaces(7), Linux 5.6.
    Time,
    /// user_namespaces(7).
    User,
    /// uts_namespaces(7).
    Uts,
}

impl Kind {
    /// All there are.
    pub const ALL: [Kind; 8] = [
        Kind::Cgroup,
        Kind::Ipc,
        Kind::Mount,
        Kind::Network,
        Kind::Pid,
        Kind::Time,
        Kind::User,
        Kind::Uts,
    ];

    /// Its `CLONE_NEW*` flag.
    #[must_use]
    pub const fn flag(self) -> u64 {
        match self {
            Kind::Cgroup => 0x0200_0000,
            Kind::Ipc => 0x0800_0000,
            Kind::Mount => 0x0002_0000,
            Kind::Network => 0x4000_0000,
            Kind::Pid => 0x2000_0000,
            Kind::Time => 0x0000_0080,
            Kind::User => 0x1000_0000,
            Kind::Uts => 0x0400_0000,
        }
    }

    /// Its file's name in `/proc/PID/ns`.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Kind::Cgroup => "cgroup",
            Kind::Ipc => "ipc",
            Kind::Mount => "mnt",
            Kind::Network => "net",
            Kind::Pid => "pid",
            Kind::Time => "time",
            Kind::User => "user",
            Kind::Uts => "uts",
        }
    }

    fn link_type(self) -> LinkNameSpaceType {
        match self {
            Kind::Cgroup => LinkNameSpaceType::ControlGroup,
            Kind::Ipc => LinkNameSpaceType::InterProcessCommunication,
            Kind::Mount => LinkNameSpaceType::Mount,
            Kind::Network => LinkNameSpaceType::Network,
            Kind::Pid => LinkNameSpaceType::ProcessID,
            Kind::Time => LinkNameSpaceType::Time,
            Kind::User => LinkNameSpaceType::User,
            Kind::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
        }
    }
}

/// Some kinds of namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(u64);

impl Set {
    /// None.
    pub const EMPTY: Set = Set(0);

    /// With this one, too.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Set {
        Set(self.0 | kind.flag())
    }

    /// Without this one.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Set {
        Set(self.0 & !kind.flag())
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & kind.flag() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their `CLONE_NEW*` flags.
    #[must_use]
    pub const fn flags(self) -> u64 {
        self.0
    }
}

impl FromIterator<Kind> for Set {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Set {
        kinds.into_iter().fold(Set::EMPTY, Set::with)
    }
}

/// Why a namespace could not be joined or made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that stands for it cannot be opened.
    #[error("cannot open the {} namespace: {error}", kind.file())]
    Open {
        /// What it should be.
        kind: Kind,
        /// Where it should be.
        path: PathBuf,
        /// What the kernel said.
        error: sys::Error,
    },
    /// It is no namespace, another kind, or may not be entered.
    #[error("cannot enter the {} namespace: {error}", kind.file())]
    Enter {
        /// What it should be.
        kind: Kind,
        /// What the kernel said.
        error: sys::Error,
    },
    /// A call about several at once.
    #[error("{0}")]
    Call(#[from] sys::Error),
}

/// An open namespace.
#[derive(Debug)]
pub struct Namespace {
    kind: Kind,
    file: OwnedFd,
}

impl Namespace {
    /// Opens the file at a path of the host, `/proc/PID/ns/net` or one bound elsewhere. That it is
    /// a namespace of this kind shows when it is entered.
    ///
    /// # Errors
    /// [`Error::Open`] when there is no such file.
    pub fn open(kind: Kind, path: &Path) -> Result<Namespace, Error> {
        let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .or_error("openat", || format!("AT_FDCWD, {path:?}, O_RDONLY"))
            .map_err(|error| Error::Open { kind, path: path.into(), error })?;
        Ok(Namespace { kind, file })
    }

    /// The calling process's own one; for PID and time the one that its children will be in.
    ///
    /// # Errors
    /// [`Error::Open`] when `/proc` is not mounted or the kernel lacks this kind.
    pub fn own(kind: Kind) -> Result<Namespace, Error> {
        let suffix = if matches!(kind, Kind::Pid | Kind::Time) { "_for_children" } else { "" };
        Namespace::open(kind, Path::new(&format!("/proc/self/ns/{}{suffix}", kind.file())))
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Moves the calling process into it; for PID, the children that it will have. setns(2).
    ///
    /// # Errors
    /// EINVAL when it is of another kind, or none; EPERM without CAP_SYS_ADMIN over it.
    pub fn enter(&self) -> Result<(), Error> {
        let kind = self.kind;
        thread::move_into_link_name_space(self.file.as_fd(), Some(kind.link_type()))
            .or_error("setns", || format!("{} namespace", kind.file()))
            .map_err(|error| Error::Enter { kind, error })
    }
}

impl From<Namespace> for OwnedFd {
    fn from(namespace: Namespace) -> OwnedFd {
        namespace.file
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Moves the calling process into these namespaces of another process, all at once, so that the
/// kernel sorts out the order. setns(2) with a pidfd, Linux 5.8.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN over one of them, ESRCH when the process has ended.
pub fn enter_process(process: BorrowedFd<'_>, kinds: Set) -> Result<(), sys::Error> {
    let bits = u32::try_from(kinds.flags()).unwrap_or_default();
    let kinds = ThreadNameSpaceType::from_bits_retain(bits);
    thread::move_into_thread_name_spaces(process, kinds)
        .or_error("setns", || format!("pidfd, {bits:#x}"))
}

/// Moves the calling process into new namespaces of these kinds; for PID and time, its children.
/// unshare(2).
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN (but for a user namespace), ENOSPC for too many, EINVAL where the
/// kernel lacks one.
pub fn unshare(kinds: Set) -> Result<(), sys::Error> {
    if kinds.is_empty() {
        return Ok(());
    }
    sys::process::unshare_namespaces(kinds.flags())
        .or_error("unshare", || format!("{:#x}", kinds.flags()))
}

/// Enters the time namespace that [`unshare`] made for the children, so that the caller and what
/// it executes are in it. The offsets are fixed from then on.
///
/// # Errors
/// As [`Namespace::enter`].
pub fn enter_own_new_time_namespace() -> Result<(), Error> {
    Namespace::own(Kind::Time)?.enter()
}

/// Whether both processes' namespaces of this kind are the same one. `None` for a process means
/// the calling one.
///
/// # Errors
/// The kernel's answer when one of them has ended or is out of reach.
pub fn is_shared(kind: Kind, process: u32) -> Result<bool, sys::Error> {
    let inode = |process: &str| {
        let path = format!("/proc/{process}/ns/{}", kind.file());
        sys::rustix::fs::stat(&path)
            .map(|it| (it.st_dev, it.st_ino))
            .or_error("stat", || format!("{path:?}"))
    };
    Ok(inode("self")? == inode(&process.to_string())?)
}

/// Whether this kernel has namespaces of this kind.
#[must_use]
pub fn is_supported(kind: Kind) -> bool {
    sys::rustix::fs::access(
        format!("/proc/self/ns/{}", kind.file()),
        sys::rustix::fs::Access::EXISTS,
    ) != Err(Errno::NOENT)
}
