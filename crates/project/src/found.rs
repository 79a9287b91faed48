//! What a project has made so far, and whose turn it is to change that.

use crate::error::{Error, Result};
use crate::labels::{NEEDS, ONE_OFF, PROJECT, SERVICE};
use engine::{Container, Engine, Status};
use std::fs::{self, File, TryLockError};

/// A container of a project.
#[derive(Clone, Debug)]
pub struct Found {
    /// It.
    pub container: Container,
    /// What it is doing.
    pub status: Status,
}

impl Found {
    /// The service that it was made for.
    pub fn service(&self) -> &str {
        self.label(SERVICE)
    }

    /// Whether it was made by [`crate::one_off`].
    pub fn is_one_off(&self) -> bool {
        !self.label(ONE_OFF).is_empty()
    }

    /// The services that it needs.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &str> {
        self.label(NEEDS).split(',').filter(|it| !it.is_empty())
    }

    pub(crate) fn label(&self, name: &str) -> &str {
        self.container.settings.labels.get(name).map_or("", String::as_str)
    }
}

/// The containers of a project, the newest first.
///
/// # Errors
/// The engine cannot tell.
pub fn found(engine: &Engine, project: &str) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for container in engine.containers()? {
        if container.settings.labels.get(PROJECT).is_none_or(|name| name != project) {
            continue;
        }
        match engine.look(&container) {
            Ok(seen) => all.push(Found { container, status: seen.status }),
            // It has just been removed.
            Err(engine::Error::NoSuchContainer(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// Whoever has it is the only one who changes the project. It ends with its holder.
#[derive(Debug)]
pub struct Turn {
    _file: File,
}

impl Turn {
    /// Waits for it, after having said so, if somebody else has it.
    ///
    /// # Errors
    /// The file of the lock cannot be made.
    pub fn take(engine: &Engine, project: &str, on_wait: impl FnOnce()) -> Result<Turn> {
        let folder = engine.folders().run().join("projects");
        let path = folder.join(project);
        let wrong = |error| Error::Lock { path: path.clone(), error };
        fs::create_dir_all(&folder).map_err(wrong)?;
        let file = File::create(&path).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                on_wait();
                file.lock().map_err(wrong)?;
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        Ok(Turn { _file: file })
    }
}
