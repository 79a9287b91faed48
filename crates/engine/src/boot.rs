//! The end of the machine and its next start: what is to run then, and what is left from before.

use crate::attach::{Client, Heard};
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::Launch;
use crate::settings::RestartPolicy;
use crate::start::Attach;
use crate::status::{Seen, Status};
use crate::stop::{PATIENCE, stop_signal};
use std::time::{Duration, Instant};
use sys::OrError;
use sys::process::SIGKILL;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;

/// How long killed ones may take.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// Another one each time the machine starts. Without `/proc` it is always the same, and what is
/// left is taken for what this start has made.
pub(crate) fn id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

impl Engine {
    /// Whether the container was last started before the machine was: nothing of it runs, whatever
    /// the files say. What it was started with is gone then, or says of which life it is.
    pub(crate) fn is_of_former_boot(&self, container: &Container) -> bool {
        match Launch::read(&self.folder(container).started) {
            Ok(launch) => !launch.boot.is_empty() && launch.boot != id(),
            Err(Error::File { error, .. }) => error.kind() == std::io::ErrorKind::NotFound,
            Err(_) => false,
        }
    }

    /// Starts what is to run whenever the machine does: containers with the policy `always`, and
    /// with `unless-stopped` those that nobody has stopped, which were started once. Says how that
    /// went, for each that did not run.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn start_for_boot(&self) -> Result<Vec<(Container, Result<()>)>> {
        let mut all = self.containers()?;
        // Others may need what was made first.
        all.reverse();
        let mut done = Vec::new();
        for container in all {
            if !self.is_for_boot(&container) {
                continue;
            }
            // Where it ran when the machine ended, to look is enough.
            let was_over = self.look_only(&container).map(|seen| seen.map(|it| it.status));
            let started = match was_over {
                Ok(Some(Status::Running | Status::Paused | Status::Restarting)) => continue,
                Ok(Some(Status::Created)) => continue,
                _ => self.start_if_over(&container),
            };
            done.push((container, started));
        }
        Ok(done)
    }

    fn is_for_boot(&self, container: &Container) -> bool {
        match container.settings.restart.policy {
            RestartPolicy::Always => true,
            RestartPolicy::UnlessStopped => !self.folder(container).file("stopped").exists(),
            RestartPolicy::No | RestartPolicy::OnFailure => false,
        }
    }

    fn start_if_over(&self, container: &Container) -> Result<()> {
        match self.look(container) {
            Ok(seen) if seen.status.is_over() => self.start(container, Attach::Nothing).map(drop),
            // To look was to start it, which did not work out; its monitor tries it again.
            Ok(Seen { status: Status::Restarting, state }) if !state.error.is_empty() => {
                Err(Error::not_started(state.exit_code, state.error))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends all containers, as the machine is about to: all are asked at once, and killed if they
    /// do not end in time. With the next start of the machine they run again if they are to.
    ///
    /// # Errors
    /// Some could not be ended; the others were.
    pub fn stop_for_shutdown(&self) -> Result<()> {
        let mut left = Vec::new();
        let mut failures = Vec::new();
        let mut patience = 0;
        for container in self.containers()? {
            match self.ask_to_end(&container) {
                Ok(None) => {}
                Ok(Some(client)) => {
                    patience = patience.max(container.settings.stop_timeout.unwrap_or(PATIENCE));
                    left.push((container, client));
                }
                Err(error) => failures.push(format!("container {}: {error}", container.name)),
            }
        }
        wait_for_all(&mut left, Duration::from_secs(patience.into()))?;
        for (container, _) in &left {
            if let Err(error) = self.send(container, SIGKILL) {
                failures.push(format!("container {}: {error}", container.name));
            }
        }
        wait_for_all(&mut left, AFTER_KILL)?;
        failures.extend(left.iter().map(|(it, _)| format!("container {} does not end", it.name)));
        if failures.is_empty() { Ok(()) } else { Err(Error::Several(failures)) }
    }

    /// Nothing if it does not run.
    fn ask_to_end(&self, container: &Container) -> Result<Option<Client>> {
        let seen = match self.look_only(container)? {
            Some(seen) if !seen.status.is_over() => seen,
            _ => return Ok(None),
        };
        let Some(client) = self.connect(container)? else { return Ok(None) };
        client.quit()?;
        self.send(container, stop_signal(&container.settings.stop_signal)?)?;
        if seen.status == Status::Paused {
            self.unpause(container)?;
        }
        Ok(Some(client))
    }
}

/// Waits until the monitors have closed their sockets; those that have not in time stay.
fn wait_for_all(left: &mut Vec<(Container, Client)>, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while !left.is_empty() {
        let time = end.saturating_duration_since(Instant::now());
        if time.is_zero() {
            return Ok(());
        }
        let mut polled: Vec<PollFd<'_>> =
            left.iter().map(|(_, client)| PollFd::new(client, PollFlags::IN)).collect();
        match poll(&mut polled, Some(&Timespec::try_from(time).unwrap_or_default())) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).or_error("poll", || "monitors").map_err(Into::into),
        }
        let ready: Vec<bool> = polled.iter().map(|it| !it.revents().is_empty()).collect();
        let mut kept = Vec::new();
        for ((container, mut client), is_ready) in left.drain(..).zip(ready) {
            if !is_ready || client.hear()? != Heard::Gone {
                kept.push((container, client));
            }
        }
        *left = kept;
    }
    Ok(())
}
