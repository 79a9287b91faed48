//! `start`, and the last part of `run`: the child executes its program.

use crate::container::Container;
use crate::error::{Error, Result};
use crate::handshake::{Channel, Order, Report};
use crate::hooks::Surroundings;
use crate::id::ContainerId;
use crate::last_words;
use crate::notify::Listener;
use crate::parent::readiness_of;
use crate::plan::AllHooks;
use crate::record::Process;
use spec::runtime::Status;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Has a created container execute its program. With the address of a service manager
/// (`$NOTIFY_SOCKET`), which it was created with as well, this returns when the program is ready.
///
/// # Errors
/// It is not in status `created`; its program cannot be executed; a hook failed, and then the
/// container was killed.
pub fn start(root: &Path, id: &ContainerId, notify_socket: Option<&Path>) -> Result<()> {
    let container = Container::open_own(root, id)?;
    let (hooks, listener) = container
        .with_configuration(|spec| Ok((AllHooks::new(&spec.hooks), Listener::new(spec))))?;
    let status = container.status()?;
    if status != Status::Created {
        return Err(container.wrong("start", status, ""));
    }
    let Some(socket) = container.directory().connect()? else {
        return Err(container.wrong("start", container.status()?, ""));
    };
    let channel = Channel::new(socket);
    let process = container.record()?.process;
    let readiness = readiness_of(container.directory(), notify_socket)?;
    let pidfd = if readiness.is_some() { container.pidfd()? } else { None };
    channel.order(Order::Start)?;
    let state = || container.state_text(Status::Created);
    if !until_executed(&channel, listener.as_ref(), process.map_or(0, |it| it.pid), None, state)? {
        return Err(container.wrong("start", container.status()?, ""));
    }
    container.directory().remove_start_socket()?;
    if !hooks.poststart.is_empty()
        && let Err(error) =
            hooks.poststart.run(&container.state_text(Status::Running)?, Surroundings::default())
    {
        crate::kill::kill(&container, sys::process::SIGKILL, true)?;
        return Err(error);
    }
    match (readiness, process.and_then(Process::id), pidfd) {
        (Some(readiness), Some(pid), Some(pidfd)) => readiness.wait(pid, pidfd.as_fd()),
        _ => Ok(()),
    }
}

/// Follows the child from `Start` to its execve. `last_words` came with `Ready`. False if it never
/// answered, and so somebody else has started it, or it is dead.
pub(crate) fn until_executed(
    channel: &Channel,
    listener: Option<&Listener>,
    pid: i32,
    mut last_words: Option<OwnedFd>,
    state: impl Fn() -> Result<String>,
) -> Result<bool> {
    let mut answered = false;
    while let Some((report, fd)) = channel.next_report()? {
        match (report, fd) {
            (Report::Ready, file) => {
                answered = true;
                last_words = file;
            }
            (Report::Notify, Some(fd)) => {
                let listener = listener.ok_or(Error::Internal("a listener nobody asked for"))?;
                listener.hand_over(fd.as_fd(), pid, &state()?)?;
                channel.order(Order::Proceed)?;
            }
            (Report::Failed(failure), _) => return Err(Error::Child(failure)),
            _ => return Err(Error::Internal("the child spoke out of turn")),
        }
    }
    match last_words.map(|file| last_words::left_in(&file)).transpose()?.flatten() {
        Some(failure) => Err(Error::Child(failure)),
        None => Ok(answered),
    }
}
