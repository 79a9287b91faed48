//! A monitor that was killed has left its container: whoever finds that puts it in order.

use crate::clock;
use crate::database::Container;
use crate::engine::{Engine, runtime_id};
use crate::error::Result;
use crate::lock::{self, Lock};
use crate::network::PORTS;
use crate::settings::RestartPolicy;
use crate::start::Attach;
use crate::state::{Phase, State};
use crate::status::{Seen, Status};

/// What became of the program, as nobody has seen it: killed, like its monitor.
const KILLED: u8 = 137;

impl Engine {
    /// Ends what is left of the container, records its end, and starts it again if it was to be.
    pub(crate) fn heal(&self, container: &Container) -> Result<Seen> {
        let lock = self.lock(container)?;
        // Somebody else may have done it.
        if let Some(seen) = self.look_only(container)? {
            return Ok(seen);
        }
        let folder = self.folder(container);
        let mut state = State::read(&folder)?;
        self.clear(container)?;
        state.phase = Phase::Exited;
        (state.exit_code, state.pid, state.finished) = (KILLED, 0, clock::now());
        "its monitor was killed".clone_into(&mut state.error);
        state.write(&folder)?;
        let code = KILLED.to_string();
        self.tell_event(container, "die", &[("exitCode", &code)])?;
        let is_to_restart = match container.settings.restart.policy {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure => {
                let limit = container.settings.restart.limit;
                limit == 0 || state.restarts < limit
            }
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        };
        if is_to_restart && !folder.file("stopped").exists() {
            self.start_locked(container, Attach::Nothing)?;
            return Ok(Seen { status: Status::Running, state: State::read(&folder)? });
        }
        drop(lock);
        Ok(Seen { status: Status::Exited, state })
    }

    /// Puts in order what somebody has left who was killed before the container had started, or
    /// after it had ended. Nothing is done while somebody starts it or its monitor lives.
    pub(crate) fn tidy(&self, container: &Container) -> Result<()> {
        if !self.has_leftovers(container) {
            return Ok(());
        }
        let folder = self.folder(container);
        let Some(_lock) = Lock::try_take(&folder.file("lock"))? else { return Ok(()) };
        let seen = self.look_only(container)?;
        let is_over = seen.is_some_and(|seen| seen.status.is_over());
        if is_over && !lock::is_held(&folder.file("monitor"))? {
            self.clear(container)?;
        }
        Ok(())
    }

    /// Whether there is anything that only a container which runs should have.
    pub(crate) fn has_leftovers(&self, container: &Container) -> bool {
        self.folders.runtime().join(&container.id).exists()
            || self.folders.socket(&container.id).exists()
            || self.folder(container).file(PORTS).exists()
    }

    /// Ends what runs of the container, and removes what the runtime and a monitor have left.
    pub(crate) fn clear(&self, container: &Container) -> Result<()> {
        runtime::delete(&self.folders.runtime(), &runtime_id(&container.id)?, true)?;
        self.clear_network(container)?;
        // Mostly there are none.
        for file in [self.folders.socket(&container.id), self.folder(container).file("paused")] {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(crate::error::Error::File { path: file, error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
