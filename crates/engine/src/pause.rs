//! Stopping all processes of a container where they are, and letting them go on.

use crate::database::Container;
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::lock;
use crate::status::{Status, wrong};
use kernel::cgroup::Error::NoGroup;
use kernel::lock::{PATIENCE, take};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;

/// The file in a container's folder that says that somebody has paused it. There is something in
/// it if that was for a moment, and then it is locked until that is over.
pub(crate) const PAUSED: &str = "paused";

/// Whether somebody has paused it, and it still is, as its cgroup says.
pub(crate) fn is_paused(folders: &Folders, id: &str) -> Result<bool> {
    if !folders.container(id).file(PAUSED).exists() {
        return Ok(false);
    }
    is_frozen(folders, id)
}

fn is_frozen(folders: &Folders, id: &str) -> Result<bool> {
    let opened = runtime::Container::open(&folders.runtime(), &runtime_id(id)?);
    match opened.and_then(|opened| opened.status()) {
        Ok(status) => Ok(status == spec::runtime::Status::Paused),
        Err(runtime::Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Lets it go on.
pub(crate) fn thaw(folders: &Folders, id: &str) -> Result<()> {
    match runtime::resume(&folders.runtime(), &runtime_id(id)?) {
        // It has ended, or somebody else was faster.
        Ok(()) | Err(runtime::Error::WrongStatus { .. } | runtime::Error::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let mark = folders.container(id).file(PAUSED);
    match std::fs::remove_file(&mark) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::File { path: mark, error });
        }
        _ => {}
    }
    if is_frozen(folders, id)? {
        // Somebody has paused it again meanwhile, and the mark was his.
        File::create(&mark).map_err(Error::file(&mark))?;
    }
    Ok(())
}

impl Engine {
    /// Stops all processes of a container.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause(&self, container: &Container) -> Result<()> {
        let seen = self.look(container)?;
        if seen.status != Status::Running {
            return Err(wrong(container, "pause", &seen));
        }
        // First, so that nobody takes a container for running that is not.
        let mark = self.folder(container).file(PAUSED);
        File::create(&mark).map_err(Error::file(&mark))?;
        self.freeze(container).inspect_err(|_| {
            // What is wrong is told; a mark alone is none.
            let _ = std::fs::remove_file(&mark);
        })
    }

    /// Lets a paused container go on.
    ///
    /// # Errors
    /// It is not paused.
    pub fn unpause(&self, container: &Container) -> Result<()> {
        let seen = self.look(container)?;
        if seen.status != Status::Paused {
            return Err(wrong(container, "unpause", &seen));
        }
        self.thaw(container)
    }

    /// Does something while a container that runs is paused, if it can be: without a cgroup it runs
    /// on. If whoever does it is killed, it goes on when somebody looks.
    ///
    /// # Errors
    /// It cannot be paused, or not go on; what is done fails.
    pub fn while_paused<T>(
        &self,
        container: &Container,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.look(container)?.status != Status::Running {
            return act();
        }
        let mark = self.folder(container).file(PAUSED);
        let mut file = File::create(&mark).map_err(Error::file(&mark))?;
        take(file.as_fd(), PATIENCE)?;
        file.write_all(b"\n").map_err(Error::file(&mark))?;
        match self.freeze(container) {
            Err(Error::Runtime(runtime::Error::Cgroup(NoGroup(_)))) => {
                std::fs::remove_file(&mark).map_err(Error::file(&mark))?;
                return act();
            }
            frozen => frozen?,
        }
        let done = act();
        let seen = self.look(container);
        if matches!(seen, Ok(seen) if seen.status == Status::Paused) {
            self.thaw(container)?;
        }
        done
    }

    /// Lets a paused container go on if whoever has paused it for a moment was killed. Whether it
    /// does.
    pub(crate) fn end_lost_pause(&self, container: &Container) -> Result<bool> {
        let mark = self.folder(container).file(PAUSED);
        if !mark.metadata().is_ok_and(|it| it.len() > 0) || lock::is_held(&mark)? {
            return Ok(false);
        }
        self.thaw(container).map(|()| true)
    }

    fn freeze(&self, container: &Container) -> Result<()> {
        runtime::pause(&self.folders.runtime(), &runtime_id(&container.id)?)?;
        self.tell_event(container, "pause", &[])
    }

    fn thaw(&self, container: &Container) -> Result<()> {
        thaw(&self.folders, &container.id)?;
        self.tell_event(container, "unpause", &[])
    }
}
