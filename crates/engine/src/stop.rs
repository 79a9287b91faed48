//! Ending a container, and signals in general.

use crate::attach::{Client, Heard};
use crate::database::{Container, make_room};
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::settings::RestartPolicy;
use crate::small_file;
use crate::status::{Status, wrong};
use std::fs::File;
use std::time::{Duration, Instant};
use sys::OrError;
use sys::process::SIGKILL;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;

/// Seconds that a program has to end where nothing else is said.
pub(crate) const PATIENCE: u32 = 10;

/// How long a killed container may take: one that waits for a disk cannot be hurried.
const AFTER_KILL: Duration = Duration::from_secs(30);

/// How often one that does not end is killed.
const AGAIN: Duration = Duration::from_millis(100);

/// A signal by its name or number.
///
/// # Errors
/// What would be right.
pub fn signal(text: &str) -> Result<i32> {
    sys::signal_name::parse(text).filter(|number| *number > 0).ok_or_else(|| {
        Error::invalid(format!("{text:?} is no signal: give a name such as TERM, or 1 to 64"))
    })
}

/// The signal by which a container is asked to end: the one of its settings, or SIGTERM.
pub(crate) fn stop_signal(text: &str) -> Result<i32> {
    signal(if text.is_empty() { "TERM" } else { text })
}

/// A container that was asked to end.
pub(crate) struct Stopping {
    /// Of its monitor.
    client: Client,
    /// When it is killed; none: never.
    until: Option<Instant>,
    /// Why nobody will know that it is to stay stopped.
    unwritten: Option<Error>,
}

impl Engine {
    /// Asks a container to end, and kills it if it does not in time (seconds; -1: never). It is
    /// not started again by itself. Nothing is done if it does not run. With the container that
    /// holds a pod's namespaces all of the pod ends.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn stop(&self, container: &Container, timeout: Option<i64>) -> Result<()> {
        if let (true, Some(pod)) = (container.is_infra, self.pod_of(container)?) {
            return self.stop_pod(&pod, timeout);
        }
        self.stop_alone(container, timeout)
    }

    /// The same, and of a pod nothing but this one.
    pub(crate) fn stop_alone(&self, container: &Container, timeout: Option<i64>) -> Result<()> {
        match self.begin_stop(container, timeout)? {
            Some(stopping) => self.finish_stop(container, stopping),
            None => Ok(()),
        }
    }

    /// Asks a container to end. Nothing if it does not run.
    pub(crate) fn begin_stop(
        &self,
        container: &Container,
        timeout: Option<i64>,
    ) -> Result<Option<Stopping>> {
        let seen = self.look(container)?;
        if seen.status.is_over() {
            return Ok(None);
        }
        let unwritten = self.forbid_restart(container)?;
        let Some(client) = self.connect(container)? else {
            return self.look(container).map(|_| None);
        };
        client.quit()?;
        let settings = &container.settings;
        let signal = stop_signal(&settings.stop_signal)?;
        self.tell_event(container, "kill", &[("signal", &signal.to_string())])?;
        self.send(container, signal)?;
        if seen.status == Status::Paused {
            self.unpause(container)?;
        }
        let usual = i64::from(settings.stop_timeout.unwrap_or(PATIENCE));
        let seconds = timeout.unwrap_or(usual);
        let time = u64::try_from(seconds).ok().map(Duration::from_secs);
        // A time beyond what a clock can tell is for ever.
        let until = time.and_then(|time| Instant::now().checked_add(time));
        Ok(Some(Stopping { client, until, unwritten }))
    }

    /// Waits until it has ended, and kills it if it does not in time.
    pub(crate) fn finish_stop(&self, container: &Container, stopping: Stopping) -> Result<()> {
        let Stopping { mut client, until, unwritten } = stopping;
        if !wait_until_closed(&mut client, until)? {
            let end = Instant::now() + AFTER_KILL;
            self.tell_event(container, "kill", &[("signal", &SIGKILL.to_string())])?;
            self.send(container, SIGKILL)?;
            while !wait_until_closed(&mut client, Some(Instant::now() + AGAIN))? {
                if Instant::now() >= end {
                    self.refuse_stopped_monitor(container)?;
                    let message = "did not end after SIGKILL: a process of it waits for a disk";
                    return Err(Error::invalid(format!("container {} {message}", container.name)));
                }
                // Its monitor was just about to start it again, or somebody has paused it.
                self.send(container, SIGKILL)?;
            }
        }
        self.look(container)?;
        self.tell_event(container, "stop", &[])?;
        unwritten.map_or(Ok(()), |error| Err(not_for_good(container, &error)))
    }

    /// Sends a signal to a container that runs.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self, container: &Container, signal: i32) -> Result<()> {
        let seen = self.look(container)?;
        if !seen.status.is_running() {
            return Err(wrong(container, "kill", &seen));
        }
        let unwritten = if signal == SIGKILL { self.forbid_restart(container)? } else { None };
        self.send(container, signal)?;
        let text = signal.to_string();
        self.tell_event(container, "kill", &[("signal", &text)])?;
        unwritten.map_or(Ok(()), |error| Err(not_for_good(container, &error)))
    }

    /// It is not started again by itself. Where the disk takes nothing, the container can be ended all
    /// the same, and why nobody will know of it is returned.
    fn forbid_restart(&self, container: &Container) -> Result<Option<Error>> {
        let mark = self.folder(container).file("stopped");
        let make = || File::create(&mark).map(drop).map_err(Error::file(&mark));
        // Where no inode is left, that of the reserve is.
        match make_room(&self.store, make) {
            Err(Error::File { error, .. }) if small_file::takes_nothing(&error) => {
                let matters = container.settings.restart.policy != RestartPolicy::No;
                Ok(matters.then_some(Error::File { path: mark, error }))
            }
            made => made.map(|()| None),
        }
    }

    pub(crate) fn send(&self, container: &Container, signal: i32) -> Result<()> {
        let id = runtime_id(&container.id)?;
        match runtime::kill(&self.folders.runtime(), &id, signal, false) {
            // It has just ended.
            Err(runtime::Error::NotRunning(_) | runtime::Error::NotFound(_)) => Ok(()),
            result => Ok(result?),
        }
    }
}

fn not_for_good(container: &Container, error: &Error) -> Error {
    Error::invalid(format!(
        "container {} was ended, but its restart policy will start it again one day, as that could \
         not be written down: {error}",
        container.name
    ))
}

/// False if the time is over. The monitor closes its sockets when everything is done.
fn wait_until_closed(client: &mut Client, end: Option<Instant>) -> Result<bool> {
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Ok(false);
        }
        let left = left.map(|left| Timespec::try_from(left).unwrap_or_default());
        match poll(&mut [PollFd::new(&*client, PollFlags::IN)], left.as_ref()) {
            Ok(0) | Err(Errno::INTR) => continue,
            result => result.or_error("poll", || "the monitor")?,
        };
        if client.hear()? == Heard::Gone {
            return Ok(true);
        }
    }
}
