//! What a container is doing, as the kernel tells.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lock;
use crate::pause::is_paused;
use crate::state::{Phase, State};
use kernel::lock::Holder;

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has never run.
    Created,
    /// It runs.
    Running,
    /// It runs, but all its processes are stopped.
    Paused,
    /// It waits to be started again.
    Restarting,
    /// It has ended.
    Exited,
}

impl Status {
    /// As Docker calls it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Exited => "exited",
        }
    }

    /// Whether it does not run, and will not by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Status::Created | Status::Exited)
    }

    /// Whether it has processes.
    pub fn is_running(self) -> bool {
        matches!(self, Status::Running | Status::Paused)
    }
}

/// What a container is doing, and what its monitor has seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it is doing.
    pub status: Status,
    /// What its monitor has seen.
    pub state: State,
}

impl Engine {
    /// Finds out what a container is doing. If its monitor is gone, what that has left is put in
    /// order first.
    ///
    /// # Errors
    /// The container's files cannot be read.
    pub fn look(&self, container: &Container) -> Result<Seen> {
        if let (false, Some(pod)) = (container.is_infra, self.pod_of(container)?)
            && let Some(infra) = self.infra_of(&pod, container)?
        {
            // If that has ended unseen, this one is about to.
            self.look(&infra)?;
        }
        let mut seen = match self.look_only(container)? {
            Some(seen) => seen,
            None => self.heal(container)?,
        };
        if seen.status == Status::Paused && self.end_lost_pause(container)? {
            seen.status = Status::Running;
        }
        if seen.status.is_over() {
            self.tidy(container)?;
        }
        let is_over = seen.status == Status::Exited && container.settings.auto_remove;
        if is_over && !lock::is_held(&self.folder(container).monitor())? {
            // Whoever was to remove it was killed.
            self.remove_ended(container)?;
            return Err(Error::NoSuchContainer(container.name.clone()));
        }
        Ok(seen)
    }

    /// The same for who only wants to tell it of many: if somebody who does not get on keeps this one
    /// from putting in order what a killed monitor has left, what is known is told, and who it is.
    ///
    /// # Errors
    /// The container's files cannot be read.
    pub fn glance(&self, container: &Container) -> Result<(Seen, Option<Holder>)> {
        let mut stuck = self.stuck(container)?;
        if let (None, Some(pod)) = (&stuck, self.pod_of(container)?)
            && let Some(infra) = self.infra_of(&pod, container)?
        {
            stuck = self.stuck(&infra)?;
        }
        let holder = match stuck {
            Some(holder) => holder,
            None => match self.look(container) {
                Err(Error::Locked(kernel::lock::Error::Held { holder, .. })) => holder,
                seen => return Ok((seen?, None)),
            },
        };
        let seen = match self.look_only(container)? {
            Some(seen) => seen,
            None => self.unhealed(container)?,
        };
        Ok((seen, Some(holder)))
    }

    /// Who does not get on, and has the lock of a container whose monitor is gone.
    fn stuck(&self, container: &Container) -> Result<Option<Holder>> {
        let is_left = self.look_only(container)?.is_none();
        Ok(is_left.then(|| lock::stuck(&self.folder(container).path)).flatten())
    }

    /// Nothing if its monitor is gone.
    pub(crate) fn look_only(&self, container: &Container) -> Result<Option<Seen>> {
        let folder = self.folder(container);
        // Twice: between the two looks of the first time the monitor may have ended well.
        for _ in 0..2 {
            let state = State::read(&folder)?;
            let status = match state.phase {
                Phase::Created => Status::Created,
                Phase::Exited => Status::Exited,
                Phase::Restarting => Status::Restarting,
                Phase::Running if is_paused(&self.folders, &container.id)? => Status::Paused,
                Phase::Running => Status::Running,
            };
            if status.is_over() || lock::is_held(&folder.monitor())? {
                return Ok(Some(Seen { status, state }));
            }
        }
        Ok(None)
    }

    /// The same for who holds the container's lock. A monitor of one that does not run is waited
    /// for: it is just taking back what there was; or it is about to run it, as whoever started it
    /// was killed before that. What is told then stays true as long as the lock is held.
    pub(crate) fn look_settled(&self, container: &Container) -> Result<Option<Seen>> {
        let monitor = self.folder(container).monitor();
        let mut watch = None;
        loop {
            let seen = self.look_only(container)?;
            let is_over = seen.as_ref().is_none_or(|seen| seen.status.is_over());
            if !is_over || !lock::is_held(&monitor)? {
                return Ok(seen);
            }
            lock::pause(&mut watch, &monitor)?;
        }
    }

    /// The container must run for this.
    pub(crate) fn running(&self, container: &Container, verb: &'static str) -> Result<State> {
        let seen = self.look(container)?;
        if seen.status.is_running() { Ok(seen.state) } else { Err(wrong(container, verb, &seen)) }
    }
}

pub(crate) fn wrong(container: &Container, verb: &'static str, seen: &Seen) -> Error {
    let status = match seen.status {
        Status::Created => "created, but not started".to_owned(),
        Status::Exited => "not running".to_owned(),
        other => other.name().to_owned(),
    };
    Error::WrongStatus { name: container.name.clone(), verb, status, hint: "" }
}
