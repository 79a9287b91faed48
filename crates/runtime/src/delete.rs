//! `delete`: nothing of a container is left.

use crate::container::Container;
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::plan::AllHooks;
use spec::runtime::Status;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};
use sys::process::{SIGKILL, send_signal};
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;

/// How long a killed process may take to end: one that waits for a disk cannot be hurried.
const PATIENCE: Duration = Duration::from_secs(10);

/// After so long it is looked at what keeps a killed process from ending.
const GLANCE: Duration = Duration::from_millis(100);

/// Removes a container that has stopped or was never started; with `force` any, which is killed,
/// and then it is no error if there is none. What a runtime that was killed has left is removed
/// as well. Returns warnings: the hooks that failed, which changes nothing any more.
///
/// # Errors
/// It runs; or [`Error::Teardown`] with all that could not be removed, after everything else was
/// done.
pub fn delete(root: &Path, id: &ContainerId, force: bool) -> Result<Vec<String>> {
    let container = match Container::open_to_remove(root, id) {
        Err(Error::NotFound(_)) if force => return Ok(Vec::new()),
        result => result?,
    };
    if !force {
        match container.status()? {
            // Half made, and nobody is at it any more: it never was.
            Status::Stopped if container.process().is_none() => {}
            Status::Stopped | Status::Created => {}
            status => return Err(container.wrong("delete", status, " (use --force to kill it)")),
        }
    }
    // A container that is being made: its child ends, and so does, with an error, its maker, who
    // holds the lock.
    kill_first(&container)?;
    container.directory().lock()?;
    // It may have written more, or removed everything, before it gave up the lock.
    match Container::open_to_remove(root, id) {
        Err(Error::NotFound(_)) => Ok(Vec::new()),
        container => remove(&container?),
    }
}

/// Removes what is remembered of a container that was made before the machine last started, if
/// there is anything: the kernel has nothing of it any more, whoever has its process id now.
///
/// # Errors
/// Its folder cannot be removed.
pub fn forget(root: &Path, id: &ContainerId) -> Result<()> {
    match Container::open_to_remove(root, id) {
        Err(Error::NotFound(_)) => Ok(()),
        container => container?.directory().remove(),
    }
}

/// Takes down everything, carrying on past failures. The folder, by which everything else can be
/// found, is kept if something else could not be removed.
fn remove(container: &Container) -> Result<Vec<String>> {
    kill_first(container)?;
    let mut failed = Vec::new();
    match container.group().map(|group| group.map(|group| group.remove())) {
        Ok(None | Some(Ok(()))) => {}
        Ok(Some(Err(error))) => failed.push(error.to_string()),
        Err(error) => failed.push(error.to_string()),
    }
    failed.extend(container.remove_resctrl().err().map(|error| error.to_string()));
    if !failed.is_empty() {
        return Err(Error::Teardown(failed));
    }
    // Read before the folder is gone, run after.
    let hooks = container.hooks().unwrap_or_else(|_| AllHooks::default());
    let state = container.state_text(Status::Stopped);
    container.directory().remove()?;
    Ok(if hooks.poststop.is_empty() { Vec::new() } else { hooks.poststop.run_all(&state?) })
}

/// Kills the first process, if it lives, and waits for its end.
fn kill_first(container: &Container) -> Result<()> {
    let Some(pidfd) = container.pidfd()? else { return Ok(()) };
    match send_signal(pidfd.as_fd(), SIGKILL) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(errno) => return Err(sys::Error::new("pidfd_send_signal", "SIGKILL", errno).into()),
    }
    if let Some(group) = container.group()?
        && group.is_frozen().unwrap_or(false)
    {
        group.thaw()?;
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let glance = Timespec::try_from(GLANCE).unwrap_or_default();
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&glance)) {
            Ok(0) if is_empty(container)? => return Ok(()),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => {
                let error = sys::Error::new("poll", "the container's first process", errno);
                return Err(error.into());
            }
        }
    }
    Err(Error::Teardown(vec![format!(
        "the container's first process did not end within {} seconds of SIGKILL",
        PATIENCE.as_secs()
    )]))
}

/// Whether nothing runs in the container any more, for all that can be known. The first process of
/// a PID namespace does not end before all others there were waited for, and whoever started one by
/// `exec` may never do so.
fn is_empty(container: &Container) -> Result<bool> {
    match container.group()?.map(|group| group.pids()) {
        // Without a group only the end of the first process tells.
        None | Some(Err(kernel::cgroup::Error::NoGroup(_))) => Ok(false),
        Some(pids) => Ok(pids?.is_empty()),
    }
}
