//! A user namespace that is there for its maps alone, to map the ids of mounts.

use super::{IdMap, Kind, MapError, Namespace, write_id_maps};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::process::{Cloned, clone3_of_single_thread, exit_now};
use sys::rustix::io::read;
use sys::rustix::pipe::{PipeFlags, pipe_with};
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
        let (wait, go) = pipe_with(PipeFlags::CLOEXEC).or_error("pipe2", || "O_CLOEXEC")?;
        let cloned = clone3_of_single_thread(Kind::User.flag(), None);
        let Cloned::Parent(pid, _) = cloned.or_error("clone3", || "CLONE_NEWUSER")? else {
            // Until the parent is done, or dead.
            drop(go);
            _ = read(&wait, &mut [0_u8]);
            exit_now(0)
        };
        let result = write_id_maps(pid, users, groups).and_then(|()| {
            let path = format!("/proc/{pid}/ns/user");
            Namespace::open(Kind::User, Path::new(&path)).map_err(MapError::from)
        });
        drop(go);
        waitpid(Some(pid), WaitOptions::empty()).or_error("waitpid", || "the mapping process")?;
        result.map(Mapping)
    }
}

impl From<Mapping> for OwnedFd {
    fn from(mapping: Mapping) -> OwnedFd {
        mapping.0.file
    }
}

impl AsFd for Mapping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}
