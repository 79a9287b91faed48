//! How a new process gets into a group.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::folder;
#[cfg(doc)]
use super::group::Description;
use sys::process::{Spent, close_all};

/// What a process must do to be in a group from its first instruction on.
///
/// Writing a process id into `cgroup.procs` from outside waits for all processors to pass through
/// a quiet state, some 10 ms. Both ways here do not: a process of v2 is born in its group
/// (`CLONE_INTO_CGROUP`); for v1 the child, while it has one thread, moves that thread.
#[derive(Debug, Default)]
pub struct Entry {
    pub(super) folder: Option<OwnedFd>,
    pub(super) tasks: Vec<OwnedFd>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        close_all(std::mem::take(&mut self.tasks));
    }
}

impl Entry {
    pub(super) fn new(folder: Option<OwnedFd>, tasks: Vec<OwnedFd>) -> Entry {
        Entry { folder, tasks }
    }

    /// The folder for `CLONE_INTO_CGROUP`, if there is a v2 group.
    pub fn clone_into(&self) -> Option<BorrowedFd<'_>> {
        self.folder.as_ref().map(|folder| folder.as_fd())
    }

    /// What a child that exists already needs of it, to be handed over; [`Entry::of_tasks`] is the
    /// way back. At most [`Description::MAX_FOLDERS`] of them where the group can wait for the child.
    pub fn tasks(&self) -> &[OwnedFd] {
        &self.tasks
    }

    /// What was handed over.
    pub fn of_tasks(tasks: Vec<OwnedFd>) -> Entry {
        Entry::new(None, tasks)
    }

    /// Nobody is to enter any more: its files are closed with others.
    pub fn spend(mut self, spent: &mut Spent) {
        spent.add(std::mem::take(&mut self.tasks));
        spent.add(self.folder.take());
    }

    /// Moves the calling thread into all v1 groups. To be called in the child, before it makes
    /// threads, execs, or makes a cgroup namespace. It allocates nothing unless it fails.
    ///
    /// # Errors
    /// The kernel's, with the number of the hierarchy in the order of [`super::Group::folders`].
    pub fn enter(&self) -> Result<(), sys::Error> {
        self.tasks.iter().try_for_each(|tasks| folder::write(tasks, "0"))
    }
}
