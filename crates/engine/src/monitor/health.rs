//! Checks whether the program does what it is for: a command in the container, now and then.

use super::probe::Probe;
use crate::folders::ContainerFolder;
use crate::protocol::{Message, tell};
use crate::settings::{Health as Settings, OnFailure, Startup};
use crate::state::HealthStatus;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// The checks of one container.
pub(super) struct Health {
    settings: Settings,
    /// Who its root is on the machine, if somebody else.
    owner: Option<(u32, u32)>,
    /// When it was started.
    since: Instant,
    next: Instant,
    /// One that is going on.
    check: Option<Probe>,
    status: HealthStatus,
    failures: u32,
    /// How often the program was found to have started and not to, as long as that is asked.
    started: Option<(u32, u32)>,
    /// What is to be done by now.
    due: OnFailure,
    /// Those who wait for the end of the next check.
    asked: Vec<OwnedFd>,
    /// What it has found, until they are told.
    found: Option<bool>,
}

impl Health {
    pub(super) fn new(settings: Settings, owner: Option<(u32, u32)>) -> Health {
        let now = Instant::now();
        Health {
            settings,
            owner,
            since: now,
            next: now,
            check: None,
            status: HealthStatus::Starting,
            failures: 0,
            started: None,
            due: OnFailure::None,
            asked: Vec::new(),
            found: None,
        }
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
        if let Some(check) = self.check.take() {
            check.kill();
        }
    }

    pub(super) fn status(&self) -> (HealthStatus, u32) {
        (self.status, self.failures)
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Instant {
        self.check.as_ref().map_or(self.next, |check| check.deadline)
    }

    /// Where something may be printed.
    pub(super) fn polled(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.check.iter().flat_map(Probe::polled)
    }

    /// Nothing is found out about what is paused: not that it fails, and not that it takes too long.
    pub(super) fn postpone(&mut self) {
        let now = Instant::now();
        match &self.check {
            Some(_) => {
                let deadline = now + self.timeout();
                self.check.iter_mut().for_each(|check| check.deadline = deadline);
            }
            None => self.next = now + self.pause(),
        }
    }

    /// Does what is due. True if the status has changed.
    pub(super) fn turn(&mut self, root: &Path, folder: &ContainerFolder, id: &str) -> bool {
        let now = Instant::now();
        let (before, timeout) = (self.status(), self.timeout());
        if let Some(check) = &mut self.check {
            match check.outcome(folder, timeout) {
                Some(success) => self.note(success),
                None => return false,
            }
        } else if now >= self.next {
            let command = self.startup().map_or(&self.settings.command, |it| &it.command);
            self.check = Probe::start(root, folder, (id, command), self.owner, now + timeout);
            if self.check.is_none() {
                self.note(false);
            }
        }
        self.status() != before
    }

    /// Tells those who wait what a check has found. By then it is written down, for they look there.
    pub(super) fn answer(&mut self) {
        let Some(success) = self.found.take() else { return };
        for socket in self.asked.drain(..) {
            // Whoever asked may be gone.
            let _ = tell(socket, &Message::Checked(success));
        }
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
        (self.check, self.found) = (None, Some(success));
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
