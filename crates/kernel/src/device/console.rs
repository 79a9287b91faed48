//! The terminal of a container.

use super::{Error, Folder, Step};
use crate::path::{Links, Procfs, Root, RootedPath};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{FileType, OFlags, fstat, fstatfs, major, minor};
use sys::rustix::mount::{OpenTreeFlags, open_tree};
use sys::rustix::process::{ioctl_tiocsctty, setsid};
use sys::rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use sys::rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use sys::rustix::termios::{Winsize, tcsetwinsize};

/// Of devpts, statfs(2).
const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;

/// Where the container's devpts has it.
const PTMX_PATH: &CStr = c"dev/pts/ptmx";

/// The device that opens terminals.
const PTMX: (u32, u32) = (5, 2);

/// Both ends of a new terminal of the container's devpts.
#[derive(Debug)]
pub struct Console {
    /// The end of whoever shows the terminal.
    pub master: OwnedFd,
    /// The end of the container's program.
    pub peer: OwnedFd,
}

impl Console {
    /// Opens a terminal of the devpts that is mounted at `/dev/pts`. `procfs` is the way from
    /// what was looked at to opening just that.
    ///
    /// # Errors
    /// ENOENT without such a devpts, ENOSPC if it has no terminal left; [`Error::NotPtmx`].
    pub fn open(root: &Root, procfs: &Procfs) -> Result<Console, Error> {
        let path = RootedPath::known(PTMX_PATH);
        let failed = Error::at(Step::Terminal, &path);
        let place = root.resolve(&path, Links::Refuse).map_err(&failed)?;
        if !is_ptmx(place.as_fd()).map_err(&failed)? {
            return Err(Error::NotPtmx { path: path.to_string() });
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let master = procfs.reopen(place.as_fd(), flags).map_err(&failed)?;
        let number = master.as_raw_fd();
        unlockpt(&master)
            .or_error("ioctl", || format!("{number}, TIOCSPTLCK, 0"))
            .map_err(&failed)?;
        // By the master, not by its name: another devpts or file could be there.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let peer = ioctl_tiocgptpeer(&master, flags)
            .or_error("ioctl", || format!("{number}, TIOCGPTPEER"))
            .map_err(&failed)?;
        Ok(Console { master, peer })
    }

    /// Sets the number of columns and rows.
    ///
    /// # Errors
    /// The call that failed.
    pub fn set_size(&self, columns: u16, rows: u16) -> Result<(), Error> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size)
            .or_error("ioctl", || format!("TIOCSWINSZ, {columns}x{rows}"))
            .map_err(Error::at(Step::Terminal, &RootedPath::known(PTMX_PATH)))
    }

    /// Mounts the terminal at `/dev/console`; `dev` is the folder `/dev`.
    ///
    /// # Errors
    /// See [`Error`]; EINVAL if there is a symbolic link of that name.
    pub fn mount(&self, dev: &Folder<'_>) -> Result<(), Error> {
        let failed = Error::at(Step::Bind, &"/dev/console");
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = open_tree(&self.peer, c"", flags)
            .or_error("open_tree", || format!("{}, OPEN_TREE_CLONE", self.peer.as_raw_fd()))
            .map_err(&failed)?;
        dev.mount_file(tree.as_fd(), c"console").map_err(failed)
    }
}

/// Starts a session of which this terminal is the controlling one, and makes it the standard
/// input, output and error.
///
/// # Errors
/// EPERM if this process leads a process group already.
pub fn take_terminal(peer: BorrowedFd<'_>) -> Result<(), Error> {
    let path = RootedPath::known(PTMX_PATH);
    let failed = Error::at(Step::Terminal, &path);
    let arguments = || peer.as_raw_fd().to_string();
    setsid().or_error("setsid", || "").map_err(&failed)?;
    ioctl_tiocsctty(peer).or_error("ioctl", || "TIOCSCTTY").map_err(&failed)?;
    dup2_stdin(peer).or_error("dup2", arguments).map_err(&failed)?;
    dup2_stdout(peer).or_error("dup2", arguments).map_err(&failed)?;
    dup2_stderr(peer).or_error("dup2", arguments).map_err(failed)
}

/// Whether a place is the ptmx of a devpts, and not what somebody has put in its stead.
fn is_ptmx(place: BorrowedFd<'_>) -> Result<bool, sys::Error> {
    let arguments = || place.as_raw_fd().to_string();
    if fstatfs(place).or_error("fstatfs", arguments)?.f_type != DEVPTS_SUPER_MAGIC {
        return Ok(false);
    }
    let status = fstat(place).or_error("fstat", arguments)?;
    let device = (major(status.st_rdev), minor(status.st_rdev));
    Ok(FileType::from_raw_mode(status.st_mode).is_char_device() && device == PTMX)
}
