//! `kill`: a signal for the container's first process, or all of them.

use crate::container::Container;
use crate::error::{Error, Result};
use crate::id::ContainerId;
use kernel::cgroup::Group;
use spec::runtime::{NamespaceKind, Status};
use std::os::fd::AsFd;
use std::path::Path;
use sys::OrError;
use sys::process::{SIGKILL, send_signal};
use sys::rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat};
use sys::rustix::io::Errno;
use sys::rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Sends a signal to the container's first process, or with `all` to every process in its cgroup.
///
/// # Errors
/// [`Error::NotRunning`] when there is no process any more.
pub fn send(root: &Path, id: &ContainerId, signal: i32, all: bool) -> Result<()> {
    let container = Container::open_own(root, id)?;
    // Without a PID namespace of its own, the others would live on when the first is killed.
    let all = all || signal == SIGKILL && !has_own_pid_namespace(&container)?;
    kill(&container, signal, all)
}

pub(crate) fn kill(container: &Container, signal: i32, all: bool) -> Result<()> {
    let group = container.group()?;
    let reached = match &group {
        Some(group) if all => signal_all(&**group, signal)?,
        _ => signal_first(container, signal)?,
    };
    if !reached {
        return Err(Error::NotRunning(container.id().clone()));
    }
    // On cgroup v1 even SIGKILL waits until the process runs again.
    if signal == SIGKILL
        && let Some(group) = group
        && group.is_frozen().unwrap_or(false)
    {
        match group.thaw() {
            // Killed, it leaves a frozen group of v2 by itself, and somebody has removed that meanwhile.
            Err(_) if !group.is_frozen().unwrap_or(false) => {}
            result => result?,
        }
    }
    Ok(())
}

fn signal_first(container: &Container, signal: i32) -> Result<bool> {
    // A record from before this id's process was made is that of a container not yet there.
    container.record()?;
    let Some(pidfd) = container.pidfd()? else { return Ok(false) };
    match send_signal(pidfd.as_fd(), signal) {
        Err(Errno::SRCH) => Ok(false),
        result => Ok(result.or_error("pidfd_send_signal", || signal.to_string()).map(|()| true)?),
    }
}

/// Whether there was any.
fn signal_all(group: &dyn Group, signal: i32) -> Result<bool> {
    let pids = group.pids()?;
    if signal == SIGKILL {
        // Those that they start meanwhile, too.
        group.kill()?;
        return Ok(!pids.is_empty());
    }
    let open = |pid: i32| Some((pid, pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?));
    let opened: Vec<_> = pids.into_iter().filter_map(open).collect();
    // An id of then is somebody else's now, unless it is still among them.
    let now = group.pids()?;
    let mut reached = false;
    for (pid, pidfd) in opened.iter().filter(|it| now.contains(&it.0)) {
        match send_signal(pidfd.as_fd(), signal) {
            Err(Errno::SRCH) => {}
            result => {
                result.or_error("pidfd_send_signal", || format!("{pid}, {signal}"))?;
                reached = true;
            }
        }
    }
    Ok(reached)
}

fn has_own_pid_namespace(container: &Container) -> Result<bool> {
    container.with_configuration(|spec| {
        let is_new = |kind, path: &str| kind == NamespaceKind::Pid && path.is_empty();
        Ok(spec.linux.namespaces.iter().any(|it| is_new(it.kind, &it.path)))
    })
}

/// Stops all processes of a running container.
///
/// # Errors
/// It is not running, or they do not freeze in time.
pub fn pause(root: &Path, id: &ContainerId) -> Result<()> {
    let container = Container::open_own(root, id)?;
    match container.status()? {
        Status::Running | Status::Created => {}
        status => return Err(container.wrong("pause", status, "")),
    }
    container.unless_ended("pause", cgroup_of(&container)?.freeze().map_err(Error::from))
}

/// Lets a paused container go on.
///
/// # Errors
/// It is not paused.
pub fn resume(root: &Path, id: &ContainerId) -> Result<()> {
    let container = Container::open_own(root, id)?;
    match container.status()? {
        Status::Paused => {
            let thawed = cgroup_of(&container)?.thaw().map_err(Error::from);
            container.unless_ended("resume", thawed)
        }
        status => Err(container.wrong("resume", status, "")),
    }
}

/// The ids of all processes of a container.
///
/// # Errors
/// There is no such container, or its cgroup cannot be read.
pub fn processes(root: &Path, id: &ContainerId) -> Result<Vec<i32>> {
    let container = Container::open(root, id)?;
    container.record()?;
    let Some(group) = container.group()? else { return Ok(Vec::new()) };
    match group.pids() {
        // Of a user without rights. Then it is the PID namespace that says whose they are.
        Err(kernel::cgroup::Error::NoGroup(_)) if has_own_pid_namespace(&container)? => {
            in_pid_namespace(&container)
        }
        pids => Ok(pids?),
    }
}

/// All that are in the PID namespace of the container's first process. Those below it have others,
/// and are not found.
fn in_pid_namespace(container: &Container) -> Result<Vec<i32>> {
    let Some(first) = container.process() else { return Ok(Vec::new()) };
    let namespace = |pid: i32| readlinkat(CWD, format!("/proc/{pid}/ns/pid"), Vec::new());
    // It may have ended.
    let Ok(own) = namespace(first.pid) else { return Ok(Vec::new()) };
    let proc = openat(CWD, c"/proc", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .or_error("openat", || "\"/proc\"")?;
    let mut found = Vec::new();
    for entry in Dir::read_from(&proc).or_error("getdents64", || "\"/proc\"")? {
        let entry = entry.or_error("getdents64", || "\"/proc\"")?;
        let Ok(Ok(pid)) = entry.file_name().to_str().map(str::parse) else { continue };
        // Those of others may not be looked at, and are not meant.
        if namespace(pid).is_ok_and(|it| it == own) {
            found.push(pid);
        }
    }
    Ok(found)
}

pub(crate) fn cgroup_of(container: &Container) -> Result<Box<dyn Group>> {
    container.record()?;
    container.group()?.ok_or_else(|| {
        Error::Unsupported(
            "the container has no cgroup: it was made without the right to one".into(),
        )
    })
}
