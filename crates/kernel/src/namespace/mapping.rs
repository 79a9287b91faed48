//! A user namespace that is there for its maps alone, to map the ids of mounts.

use super::{IdMap, Kind, MapError, Namespace, write_id_maps};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use sys::OrError;
use sys::process::{Cloned, SIGKILL, clone3_of_single_thread, send_signal};
use sys::rustix::process::{WaitOptions, waitpid};

/// A user namespace without processes.
#[derive(Debug)]
pub struct Mapping(Namespace);

impl Mapping {
    /// Makes one with these maps, by a process that does nothing and is gone afterwards. To be
    /// called by a process with one thread, see [`clone3_of_single_thread`].
    ///
    /// # Errors
    /// As [`write_id_maps`]; EPERM, ENOSPC for the namespace itself.
    pub fn new(users: &[IdMap], groups: &[IdMap]) -> Result<Mapping, MapError> {
        let cloned = clone3_of_single_thread(Kind::User.flag(), None);
        let (pid, pidfd) = match cloned.or_error("clone3", || "CLONE_NEWUSER")? {
            Cloned::Child => loop {
                std::thread::park();
            },
            Cloned::Parent(pid, pidfd) => (pid, pidfd),
        };
        let result = write_id_maps(pid, users, groups).and_then(|()| {
            let path = format!("/proc/{pid}/ns/user");
            Namespace::open(Kind::User, Path::new(&path)).map_err(MapError::from)
        });
        send_signal(pidfd.as_fd(), SIGKILL).or_error("pidfd_send_signal", || "SIGKILL")?;
        waitpid(Some(pid), WaitOptions::empty()).or_error("waitpid", || "the mapping process")?;
        result.map(Mapping)
    }
}

impl AsFd for Mapping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}
