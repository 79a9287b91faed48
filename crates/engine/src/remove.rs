//! Removing a container: nothing of it is left.

use crate::database::{self, Container};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::status::{Seen, Status, wrong};
use crate::{lock, shown};

impl Engine {
    /// Removes a container that does not run; with `force` any. With `volumes` those that nobody
    /// has given a name go with it.
    ///
    /// # Errors
    /// It runs; something of it cannot be removed.
    pub fn remove(&self, container: &Container, force: bool, volumes: bool) -> Result<()> {
        if container.is_infra {
            return Err(Error::invalid(format!(
                "container {} holds the namespaces of a pod, and goes with it: remove pod {}",
                container.name,
                container.pod.as_ref().map_or("", |pod| &pod[..12])
            )));
        }
        self.remove_one(container, force, volumes)?;
        match &container.pod {
            Some(pod) => self.forget_names(pod),
            None => Ok(()),
        }
    }

    /// Of a pod, this one alone.
    pub(crate) fn remove_one(
        &self,
        container: &Container,
        force: bool,
        volumes: bool,
    ) -> Result<()> {
        loop {
            let seen = match self.look(container) {
                // To look at one that was to be removed has removed it.
                Err(Error::NoSuchContainer(_)) if container.settings.auto_remove => return Ok(()),
                seen => seen?,
            };
            if !seen.status.is_over() {
                if !force {
                    return Err(refusal(container, &seen));
                }
                self.stop_alone(container, Some(0))?;
            }
            let _lock = match self.lock(container) {
                Err(Error::NoSuchContainer(_)) if container.settings.auto_remove => return Ok(()),
                lock => lock?,
            };
            if self.is_settled(container)? {
                return self.remove_locked(container, volumes);
            }
        }
    }

    /// Waits until the monitor of a container that does not run has ended, too: it takes away what
    /// it has made. False if the container runs by now, as whoever started it was killed before
    /// that. The caller holds the lock.
    fn is_settled(&self, container: &Container) -> Result<bool> {
        let monitor = self.folder(container).monitor();
        let mut watch = None;
        loop {
            match self.look_only(container)? {
                Some(seen) if !seen.status.is_over() => return Ok(false),
                // It may be just about to run, by a command that is gone.
                Some(seen) if seen.status == Status::Created && lock::is_held(&monitor)? => {}
                // It may be the monitor itself that removes the container.
                _ if container.settings.auto_remove || !lock::is_held(&monitor)? => {
                    return Ok(true);
                }
                _ => {}
            }
            lock::pause(&mut watch, &monitor)?;
        }
    }

    /// One of its containers has gone.
    fn forget_names(&self, pod: &str) -> Result<()> {
        match self.pod(pod).and_then(|pod| self.tell_names(&pod)) {
            // And so has the pod, meanwhile.
            Err(Error::NoSuchPod(_)) => Ok(()),
            told => told,
        }
    }

    /// Removes one that has ended and was to be removed then; it may be gone by now.
    pub(crate) fn remove_ended(&self, container: &Container) -> Result<()> {
        match self.lock(container) {
            Ok(_lock) => self.remove_locked(container, true),
            Err(Error::NoSuchContainer(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The row first: what has none is no container, and whatever is left of it is removed by the
    /// next one who comes across it.
    fn remove_locked(&self, container: &Container, volumes: bool) -> Result<()> {
        if self.has_leftovers(container) {
            self.clear(container)?;
        }
        let volumes = volumes || container.settings.auto_remove;
        let delete = || database::delete(&self.store, &container.id, volumes);
        let orphans = database::make_room(&self.store, delete)?;
        shown::hide(&self.folders, &container.id, true)?;
        self.folder(container).remove()?;
        for name in &orphans {
            self.remove_volume_folder(name)?;
            self.tell_event_of_volume(name, "destroy")?;
        }
        self.tell_event(container, "destroy", &[])
    }
}

fn refusal(container: &Container, seen: &Seen) -> Error {
    match wrong(container, "remove", seen) {
        Error::WrongStatus { name, verb, status, .. } => {
            let hint = "; stop it first, or use --force";
            Error::WrongStatus { name, verb, status, hint }
        }
        error => error,
    }
}
