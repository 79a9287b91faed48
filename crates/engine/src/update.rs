//! Other limits and another restart policy for a container that exists.

use crate::configuration;
use crate::database::{self, Container};
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::monitor::Launch;
use crate::settings::{Limits, Restart};
use crate::small_file;
use crate::status::Status;

impl Engine {
    /// Changes limits, and the restart policy if one is given. If the container runs, they hold
    /// at once.
    ///
    /// # Errors
    /// A value is wrong, or the kernel refuses it.
    pub fn update(
        &self,
        container: &Container,
        limits: Limits,
        restart: Option<Restart>,
    ) -> Result<()> {
        let _lock = self.lock(container)?;
        let mut settings = container.settings.clone();
        let changed = settings.limits != limits;
        settings.limits = limits;
        settings.restart = restart.unwrap_or(settings.restart);
        let resources = configuration::limits_of(&settings)?;
        let status = self.look_settled(container)?.map(|seen| seen.status);
        if status.is_some_and(Status::is_running) && changed {
            let id = runtime_id(&container.id)?;
            match runtime::update(&self.folders.runtime(), &id, &resources, &[]) {
                // It has just ended, and has them when it is started again.
                Err(runtime::Error::WrongStatus { .. } | runtime::Error::NotFound(_)) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
        database::set_settings(&self.store, &container.id, &settings)?;
        let folder = self.folder(container);
        if status.is_some_and(|status| !status.is_over()) {
            // The monitor reads both, too, when the container ends and is started again.
            let restart = settings.restart.clone();
            Launch { restart, ..Launch::read(&folder.started)? }.write(&folder)?;
            self.tell_monitor(container)?;
            if changed {
                let path = folder.configuration();
                let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
                let text = configuration::with_limits(&text, &settings, self.user_marks)?;
                small_file::replace(&path, text.as_bytes()).map_err(Error::file(&path))?;
            }
        }
        self.tell_event(container, "update", &[])
    }
}
