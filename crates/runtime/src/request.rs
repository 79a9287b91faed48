//! What a caller wants, beside the configuration.

use crate::error::{Error, Result};
use crate::file;
use crate::id::ContainerId;
use crate::notify::connect_to;
use kernel::mount::Overlay;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::process::{Pid, getcwd};

/// A container to be made.
#[derive(Clone, Debug)]
pub struct Create<'a> {
    /// The folder under which every container has its own.
    pub root: &'a Path,
    /// Its name.
    pub id: &'a ContainerId,
    /// The folder with `config.json`.
    pub bundle: &'a Path,
    /// Where the configuration is, if not there.
    pub configuration: Option<&'a Path>,
    /// Whether the caller goes away: then a terminal needs a console socket.
    pub detach: bool,
    /// Where the master of its terminal is to be sent; without one it goes to the caller of `run`.
    pub console_socket: Option<&'a Path>,
    /// Whether lines of a terminal that goes to the caller end as those of a file do, where what the
    /// caller prints is read by no terminal, which would move its cursor to the left.
    pub plain_lines: bool,
    /// Where a pidfd of its first process is to be sent.
    pub pidfd_socket: Option<&'a Path>,
    /// Where the id of its first process is to be written.
    pub pid_file: Option<&'a Path>,
    /// MS_MOVE and chroot in place of pivot_root, for a machine whose root is an initramfs.
    pub no_pivot: bool,
    /// It stays in the caller's session keyring.
    pub no_new_keyring: bool,
    /// How many descriptors, from 3 on, the program inherits.
    pub preserve_fds: u32,
    /// Who makes the cgroup.
    pub cgroup_driver: kernel::cgroup::Driver,
    /// Whether this is taken for a caller without rights: `None` finds out.
    pub rootless: Option<bool>,
    /// The variables `LISTEN_FDS` and `LISTEN_FDNAMES` of the caller, which are passed on.
    pub listen_fds: Option<ListenFds<'a>>,
    /// What is mounted on the root folder of the configuration, in the container's mount namespace
    /// alone; without it, the folder itself is the root.
    pub root_mount: Option<RootMount>,
    /// Mounts that the caller has, in place of the bind mounts that the configuration has there.
    pub given: Vec<Rc<GivenMount>>,
    /// Whether a bind mount keeps what the machine forbids on its source, read-only or no programs,
    /// when it has options, too, that do not say so. Other runtimes let go of it.
    pub keeps_restrictions: bool,
    /// Its first process is killed when the caller of `run` ends, however early that is.
    pub ends_with_caller: bool,
    /// `NOTIFY_SOCKET` of the caller, sd_notify(3): the service manager hears from the program.
    pub notify_socket: Option<&'a Path>,
}

/// What becomes the root of a container.
#[derive(Clone, Debug)]
pub enum RootMount {
    /// Layers, which the kernel lays over each other.
    Overlay(Rc<Overlay>),
    /// A mount that the caller has made, and that is nowhere yet.
    Tree(Rc<OwnedFd>),
}

impl RootMount {
    /// Whether the child cannot mount it itself.
    pub(crate) fn is_handed(&self) -> bool {
        match self {
            RootMount::Overlay(overlay) => overlay.mapped_by.is_some(),
            RootMount::Tree(_) => true,
        }
    }
}

/// A detached mount (open_tree(2)) that only the caller could get: it is shown in one container.
#[derive(Debug)]
pub struct GivenMount {
    /// Where, as the configuration spells it.
    pub destination: String,
    /// What.
    pub tree: OwnedFd,
}

/// Sockets that the caller was started with, see sd_listen_fds(3).
#[derive(Clone, Copy, Debug)]
pub struct ListenFds<'a> {
    /// How many, from 3 on.
    pub count: u32,
    /// Their names, with colons between.
    pub names: Option<&'a str>,
}

impl Create<'_> {
    /// Where the folder is whose socket leads to the service manager, if there is to be one: not
    /// where the configuration has a socket of its own.
    pub(crate) fn notify_folder(&self, process: &spec::runtime::Process<'_>) -> Option<PathBuf> {
        let is_it = |word: &str| word.split('=').next() == Some(crate::readiness::VARIABLE);
        let own = process.env.iter().any(|word| is_it(word));
        self.notify_socket.filter(|_| !own)?;
        Some(crate::directory::notify_folder(self.root, self.id))
    }

    /// The bundle's path, absolute.
    pub(crate) fn bundle(&self) -> Result<PathBuf> {
        absolute(self.bundle)
    }

    /// Whether somebody is to hear of the process, or do something about it, before its program runs.
    pub(crate) fn holds_up_the_start(&self) -> bool {
        self.pid_file.is_some()
            || self.pidfd_socket.is_some()
            || self.notify_socket.is_some()
            || matches!(self.cgroup_driver, kernel::cgroup::Driver::Systemd(_))
    }

    /// Tells those who asked which process it is.
    pub(crate) fn announce(&self, pid: Pid, pidfd: &OwnedFd) -> Result<()> {
        announce(self.pid_file, self.pidfd_socket, pid, pidfd)
    }
}

/// Writes a pid file, as a whole, and sends a pidfd, where that is asked for.
pub(crate) fn announce(
    pid_file: Option<&Path>,
    pidfd_socket: Option<&Path>,
    pid: Pid,
    pidfd: &OwnedFd,
) -> Result<()> {
    if let Some(path) = pid_file {
        write_pid_file(path, pid).map_err(|error| Error::File {
            what: "pid file",
            path: path.into(),
            error,
        })?;
    }
    if let Some(path) = pidfd_socket {
        let socket = connect_to(path).map_err(|error| Error::File {
            what: "pidfd socket",
            path: path.into(),
            error,
        })?;
        crate::handshake::send_with_descriptors(socket.as_fd(), b"pidfd", &[pidfd.as_fd()])?;
    }
    Ok(())
}

fn write_pid_file(path: &Path, pid: Pid) -> std::result::Result<(), sys::Error> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(sys::Error::new("openat", format!("{path:?}"), sys::rustix::io::Errno::ISDIR));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder =
        openat(CWD, folder, flags, Mode::empty()).or_error("openat", || format!("{folder:?}"))?;
    file::replace(folder, Path::new(name), pid.as_raw_nonzero().to_string().as_bytes())
}

/// A path of the caller's, absolute.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let here = getcwd(Vec::new()).or_error("getcwd", || "")?;
    let here = std::ffi::OsString::from(here.to_string_lossy().into_owned());
    Ok(Path::new(&here).join(path))
}
