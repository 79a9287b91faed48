//! A monitor that was killed has left its container: whoever finds that puts it in order.

use crate::clock;
use crate::database::Container;
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::inherited::Inherited;
use crate::lock::{self, Lock};
use crate::network::PORTS;
use crate::pause::PAUSED;
use crate::settings::RestartPolicy;
use crate::start::Attach;
use crate::state::{Phase, State};
use crate::status::{Seen, Status};

/// What became of the program, as nobody has seen it: killed, like its monitor.
const KILLED: u8 = 137;

impl Engine {
    /// Ends what is left of the container, records its end, and starts it again if it was to be.
    pub(crate) fn heal(&self, container: &Container) -> Result<Seen> {
        let seen = self.heal_alone(container)?;
        if let (true, Some(pod)) = (container.is_infra, self.pod_of(container)?) {
            // Now that no lock is held.
            self.end_members(&pod)?;
        }
        Ok(seen)
    }

    fn heal_alone(&self, container: &Container) -> Result<Seen> {
        let lock = self.lock(container)?;
        // Somebody else may have done it.
        if let Some(seen) = self.look_only(container)? {
            return Ok(seen);
        }
        let folder = self.folder(container);
        let mut state = State::read(&folder)?;
        let is_of_former_boot = self.is_of_former_boot(container);
        self.clear(container)?;
        // Else it was waiting to be started again.
        let has_run = state.phase == Phase::Running;
        if has_run {
            end(&mut state, is_of_former_boot);
        }
        let is_to_restart = match container.settings.restart.policy {
            RestartPolicy::No => false,
            // It is not the one that has failed.
            RestartPolicy::OnFailure if is_of_former_boot => false,
            RestartPolicy::OnFailure => {
                let limit = container.settings.restart.limit;
                limit == 0 || state.restarts < limit
            }
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        };
        let is_to_restart = is_to_restart && !folder.file("stopped").exists();
        // One that was waiting is counted.
        state.restarts += u32::from(is_to_restart && has_run);
        // So that the next one goes on with it if this one is killed, too.
        state.phase = if is_to_restart { Phase::Restarting } else { Phase::Exited };
        state.write_if_possible(&folder)?;
        if has_run {
            let code = KILLED.to_string();
            self.tell_event(container, "die", &[("exitCode", &code)])?;
        }
        if is_to_restart {
            return self.start_again(container);
        }
        drop(lock);
        Ok(Seen { status: Status::Exited, state })
    }

    /// What is so as long as nobody can heal it.
    pub(crate) fn unhealed(&self, container: &Container) -> Result<Seen> {
        let mut state = State::read(&self.folder(container))?;
        if state.phase == Phase::Restarting {
            return Ok(Seen { status: Status::Restarting, state });
        }
        end(&mut state, self.is_of_former_boot(container));
        Ok(Seen { status: Status::Exited, state })
    }

    /// Whether that works out is no matter of whoever has only looked: its monitor tries it again.
    fn start_again(&self, container: &Container) -> Result<Seen> {
        let folder = self.folder(container);
        let Err(error) = self.start_locked(container, Attach::Nothing, &Inherited::default())
        else {
            return Ok(Seen { status: Status::Running, state: State::read(&folder)? });
        };
        if let Some(seen) = self.look_only(container)? {
            return Ok(seen);
        }
        // It did not come to a monitor, or that was killed: whoever looks next tries it again.
        let mut state = State::read(&folder)?;
        state.error = error.to_string();
        state.write_if_possible(&folder)?;
        Ok(Seen { status: Status::Restarting, state })
    }

    /// Puts in order what somebody has left who was killed before the container had started, or
    /// after it had ended. Nothing is done while somebody starts it or its monitor lives.
    pub(crate) fn tidy(&self, container: &Container) -> Result<()> {
        match self.leftovers(container)? {
            Some(_lock) => self.clear(container),
            None => Ok(()),
        }
    }

    /// The container's lock, if it does not run, nobody is at it, and something of it is left.
    pub(crate) fn leftovers(&self, container: &Container) -> Result<Option<Lock>> {
        if self.has_leftovers(container) { self.unattended(container) } else { Ok(None) }
    }

    /// The container's lock, if it does not run and nobody is at it.
    pub(crate) fn unattended(&self, container: &Container) -> Result<Option<Lock>> {
        let folder = self.folder(container);
        let Some(lock) = Lock::try_take_folder(&folder.path)? else { return Ok(None) };
        let seen = self.look_only(container)?;
        let is_over = seen.is_some_and(|seen| seen.status.is_over());
        let is_free = is_over && !lock::is_held(&folder.monitor())?;
        Ok(is_free.then_some(lock))
    }

    /// Whether there is anything that only a container which runs should have.
    pub(crate) fn has_leftovers(&self, container: &Container) -> bool {
        self.folders.runtime().join(&container.id).exists()
            || self.folders.socket(&container.id).exists()
            || self.folder(container).file(PORTS).exists()
    }

    /// Ends what runs of the container, and removes what the runtime and a monitor have left.
    pub(crate) fn clear(&self, container: &Container) -> Result<()> {
        if self.is_of_former_boot(container) {
            // Whatever has that process id now is nobody of ours.
            runtime::forget(&self.folders.runtime(), &runtime_id(&container.id)?)?;
        } else {
            runtime::delete(&self.folders.runtime(), &runtime_id(&container.id)?, true)?;
        }
        self.clear_network(container)?;
        // Mostly there are none.
        let paused = self.folder(container).file(PAUSED);
        let Container { id, .. } = container;
        for file in [self.folders.socket(id), self.folders.helper_socket(id), paused] {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::File { path: file, error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Its program was killed, as its monitor was.
fn end(state: &mut State, is_of_former_boot: bool) {
    (state.exit_code, state.pid, state.finished) = (KILLED, 0, clock::now());
    let why = if is_of_former_boot { "the machine ended" } else { "its monitor was killed" };
    why.clone_into(&mut state.error);
}
