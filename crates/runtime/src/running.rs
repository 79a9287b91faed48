//! A container whose program runs as a child of the caller, and what is left when it has ended.

use crate::directory::Directory;
use crate::error::Result;
use crate::hooks::Hooks;
use crate::readiness::Readiness;
use kernel::cgroup::Group;
use kernel::resctrl::Made;
use std::fmt;
use std::os::fd::OwnedFd;
use sys::rustix::process::Pid;

/// A container whose program runs, a child of this process.
#[derive(Debug)]
pub struct Running {
    /// Its first process.
    pub pid: Pid,
    /// A descriptor of it.
    pub pidfd: OwnedFd,
    /// The master of its terminal, if it has one and no console socket was given.
    pub console: Option<OwnedFd>,
    /// What is not as it was asked for.
    pub warnings: Vec<String>,
    /// What its program tells the service manager.
    pub(crate) readiness: Option<Readiness>,
    /// What is to be removed in the end; none for a process that was added to a container.
    pub(crate) remains: Option<Remains>,
}

impl Running {
    /// Removes the container whose first process this was, and which has ended: as
    /// [`crate::delete`], without the need to find out what there is.
    ///
    /// # Errors
    /// Something could not be removed.
    pub fn remove(&mut self) -> Result<Vec<String>> {
        self.remains.as_mut().map_or(Ok(Vec::new()), Remains::remove)
    }

    /// How often the kernel has killed one of the container's processes because memory was short.
    ///
    /// # Errors
    /// The cgroup cannot be read.
    pub fn memory_kills(&self) -> Result<u64> {
        let group = self.remains.as_ref().and_then(|remains| remains.group.as_ref());
        Ok(group.map_or(Ok(0), |group| group.statistics().map(|all| all.memory.killed))?)
    }
}

/// What is left of a container once its first process has ended.
pub(crate) struct Remains {
    pub(crate) directory: Directory,
    pub(crate) group: Option<Box<dyn Group>>,
    pub(crate) resctrl: Made,
    pub(crate) poststop: Hooks,
    pub(crate) state: String,
}

impl Remains {
    fn remove(&mut self) -> Result<Vec<String>> {
        // The folder is what everything else is found by: it is kept if something remains.
        if let Some(group) = &self.group {
            group.remove()?;
        }
        self.resctrl.remove()?;
        self.directory.remove()?;
        Ok(self.poststop.run_all(&self.state))
    }
}

impl fmt::Debug for Remains {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Remains").field(self.directory.id()).finish()
    }
}
