//! Checks whether the program does what it is for: a command in the container, now and then.

use super::program::exit_code;
use crate::engine::runtime_id;
use crate::error::Result;
use crate::protocol::{Message, tell};
use crate::settings::{Health as Settings, OnFailure, Startup};
use crate::state::HealthStatus;
use runtime::Running;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use sys::process::{SIGKILL, send_signal};
use sys::rustix::process::{WaitOptions, waitpid};

/// The checks of one container.
pub(super) struct Health {
    settings: Settings,
    /// When it was started.
    since: Instant,
    next: Instant,
    /// One that is going on, and when it must be over.
    check: Option<(Running, Instant)>,
    status: HealthStatus,
    failures: u32,
    /// How often the program was found to have started and not to, as long as that is asked.
    started: Option<(u32, u32)>,
    /// What is to be done by now.
    due: OnFailure,
    /// Those who wait for the end of the next check.
    asked: Vec<OwnedFd>,
}

impl Health {
    pub(super) fn new(settings: Settings) -> Health {
        let now = Instant::now();
        let (status, failures) = (HealthStatus::Starting, 0);
        let (started, due) = (None, OnFailure::None);
        let (check, asked) = (None, Vec::new());
        Health { settings, since: now, next: now, check, status, failures, started, due, asked }
    }

    /// The container has been started.
    pub(super) fn begin(&mut self) {
        self.since = Instant::now();
        (self.status, self.failures, self.check) = (HealthStatus::Starting, 0, None);
        (self.started, self.due) =
            (self.settings.startup.as_ref().map(|_| (0, 0)), OnFailure::None);
        self.next = self.since + self.pause();
    }

    /// It is checked now, and what that finds is told.
    pub(super) fn ask(&mut self, sockets: Vec<OwnedFd>) {
        if !sockets.is_empty() {
            self.next = Instant::now();
            self.asked.extend(sockets);
        }
    }

    /// The container has ended, and with it whatever checked it. Who waits sees his connection end.
    pub(super) fn end(&mut self) {
        self.asked.clear();
        self.kill();
    }

    fn kill(&mut self) {
        if let Some((running, _)) = self.check.take() {
            // It is our child; that it is dead by now is all we want to know.
            let _ = send_signal(running.pidfd.as_fd(), SIGKILL);
            let _ = waitpid(Some(running.pid), WaitOptions::empty());
        }
    }

    pub(super) fn status(&self) -> (HealthStatus, u32) {
        (self.status, self.failures)
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Instant {
        self.check.as_ref().map_or(self.next, |(_, deadline)| *deadline)
    }

    /// Nothing is found out about what is paused: not that it fails, and not that it takes too long.
    pub(super) fn postpone(&mut self) {
        let now = Instant::now();
        match &self.check {
            Some(_) => {
                let deadline = now + self.timeout();
                self.check.iter_mut().for_each(|check| check.1 = deadline);
            }
            None => self.next = now + self.pause(),
        }
    }

    /// Does what is due. True if the status has changed.
    pub(super) fn turn(&mut self, root: &Path, id: &str) -> Result<bool> {
        let now = Instant::now();
        let before = self.status();
        if let Some((running, deadline)) = &self.check {
            match waitpid(Some(running.pid), WaitOptions::NOHANG) {
                Ok(Some((_, status))) => self.note(exit_code(status) == 0),
                Ok(None) if now >= *deadline => {
                    self.kill();
                    self.note(false);
                }
                Ok(None) | Err(_) => return Ok(false),
            }
        } else if now >= self.next {
            let command = self.startup().map_or(&self.settings.command, |it| &it.command);
            match start(root, id, command) {
                Ok(running) => self.check = Some((running, now + self.timeout())),
                // No such program, or the container is about to end.
                Err(_) => self.note(false),
            }
        }
        Ok(self.status() != before)
    }

    /// What is to be done since the last call about what was found out.
    pub(super) fn take_due(&mut self) -> OnFailure {
        std::mem::take(&mut self.due)
    }

    /// What is checked now in place of the rest.
    fn startup(&self) -> Option<&Startup> {
        self.settings.startup.as_ref().filter(|_| self.started.is_some())
    }

    fn timeout(&self) -> Duration {
        Duration::from_nanos(self.startup().map_or(self.settings.timeout, |it| it.timeout))
    }

    fn is_starting(&self) -> bool {
        self.status == HealthStatus::Starting
            && self.since.elapsed() < Duration::from_nanos(self.settings.start_period)
    }

    fn pause(&self) -> Duration {
        if let Some(startup) = self.startup() {
            return Duration::from_nanos(startup.interval);
        }
        let starting = self.is_starting();
        Duration::from_nanos(if starting {
            self.settings.start_interval.min(self.settings.interval)
        } else {
            self.settings.interval
        })
    }

    fn note(&mut self, success: bool) {
        self.check = None;
        for socket in self.asked.drain(..) {
            // Whoever asked may be gone.
            let _ = tell(socket, &Message::Checked(success));
        }
        if let (Some(startup), Some((successes, failures))) =
            (&self.settings.startup, &mut self.started)
        {
            if success {
                *successes += 1;
                if *successes >= startup.successes.max(1) {
                    self.started = None;
                    self.next = Instant::now();
                    return;
                }
            } else {
                *failures += 1;
                if *failures == startup.retries {
                    self.due = OnFailure::Restart;
                }
            }
        } else if success {
            (self.status, self.failures) = (HealthStatus::Healthy, 0);
        } else if !self.is_starting() {
            self.failures += 1;
            if self.failures >= self.settings.retries && self.status != HealthStatus::Unhealthy {
                self.status = HealthStatus::Unhealthy;
                self.due = self.settings.on_failure;
            }
        }
        self.next = Instant::now() + self.pause();
    }
}

fn start(root: &Path, id: &str, command: &[String]) -> Result<Running> {
    let id = runtime_id(id)?;
    let text = runtime::with_configuration(root, &id, |spec| {
        let Some(own) = &spec.process else {
            return Err(runtime::Error::Unsupported("the container has no process".to_owned()));
        };
        let mut process = own.clone();
        process.args = command.iter().map(|word| word.clone().into()).collect();
        process.terminal = false;
        spec::json::to_line(&process)
            .map_err(|error| runtime::Error::Unsupported(error.to_string()))
    })?;
    let process = spec::json::parse(text.as_bytes())
        .map_err(|error| crate::error::Error::invalid(error.to_string()))?;
    super::added::start(root, id.as_str(), &process)
}
