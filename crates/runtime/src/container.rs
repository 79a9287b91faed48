//! A container that exists: what is recorded of it, and what the kernel says.

use crate::directory::{self, Directory};
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::plan::AllHooks;
use crate::record::{Life, Process, Record};
use kernel::cgroup::{Description, Group};
use spec::runtime::{Spec, State, Status, VERSION};
use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::path::Path;
use sys::OrError;
use sys::rustix::io::Errno;
use sys::rustix::process::{PidfdFlags, pidfd_open};

/// A container under some root.
#[derive(Debug)]
pub struct Container {
    directory: Directory,
    record: Option<Record>,
}

/// What is known about a container, for `list`.
#[derive(Debug)]
pub struct Summary {
    /// Its id.
    pub id: ContainerId,
    /// What it is doing.
    pub status: Status,
    /// Its first process; 0 if there is none.
    pub pid: i32,
    /// The folder of its configuration.
    pub bundle: String,
    /// Its root folder.
    pub rootfs: String,
    /// When it was made, as RFC 3339 writes it.
    pub created: String,
    /// The user who made it.
    pub owner: u32,
    /// Its annotations.
    pub annotations: Vec<(String, String)>,
}

impl Container {
    /// Finds a container.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Damaged`].
    pub fn open(root: &Path, id: &ContainerId) -> Result<Container> {
        let directory = Directory::open(root, id)?;
        let record = directory.record()?;
        Ok(Container { directory, record })
    }

    /// The same, for whoever acts on what is recorded: that must be his own word.
    pub(crate) fn open_own(root: &Path, id: &ContainerId) -> Result<Container> {
        let container = Container::open(root, id)?;
        container.directory.expect_own()?;
        Ok(container)
    }

    /// As [`Container::open_own`], for whoever removes it: a damaged record counts as none.
    pub(crate) fn open_to_remove(root: &Path, id: &ContainerId) -> Result<Container> {
        let directory = Directory::open(root, id)?;
        directory.expect_own()?;
        let record = match directory.record() {
            Err(Error::Damaged { .. }) => None,
            result => result?,
        };
        Ok(Container { directory, record })
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        self.directory.id()
    }

    /// What is recorded; a container whose creator has not come that far is not there yet.
    pub(crate) fn record(&self) -> Result<&Record> {
        self.record.as_ref().ok_or_else(|| Error::NotFound(self.id().clone()))
    }

    /// Writes down something more of it, also if the change of it failed half-way.
    pub(crate) fn change_record<T>(&mut self, change: impl FnOnce(&mut Record) -> T) -> Result<T> {
        // Nobody may remove it meanwhile, or change it from what it was before.
        self.directory.lock()?;
        self.record = self.directory.record()?;
        let record = self.record.as_mut();
        let result = change(record.ok_or_else(|| Error::NotFound(self.directory.id().clone()))?);
        self.directory.write_record(self.record()?)?;
        Ok(result)
    }

    /// Its first process, as it was when it was made.
    pub(crate) fn process(&self) -> Option<Process> {
        self.record.as_ref().and_then(|record| record.process)
    }

    /// What it is doing, as the kernel tells.
    ///
    /// # Errors
    /// `/proc` or the cgroup cannot be read.
    pub fn status(&self) -> Result<Status> {
        let Some(process) = self.process() else {
            let being_made = !self.directory.try_lock()?;
            return Ok(if being_made { Status::Creating } else { Status::Stopped });
        };
        Ok(match process.life()? {
            Life::Gone => Status::Stopped,
            Life::Waiting if self.directory.has_start_socket() => Status::Created,
            Life::Waiting | Life::Running if self.is_frozen()? => Status::Paused,
            Life::Waiting | Life::Running => Status::Running,
        })
    }

    /// A descriptor of its first process, which is the one that was recorded and lives.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn pidfd(&self) -> Result<Option<OwnedFd>> {
        let Some((process, pid)) = self.process().and_then(|it| Some((it, it.id()?))) else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(None),
            result => result.or_error("pidfd_open", || process.pid.to_string())?,
        };
        // Only now: whatever the descriptor is of cannot change any more.
        Ok((process.life()? != Life::Gone).then_some(pidfd))
    }

    /// Its cgroup.
    pub(crate) fn group(&self) -> Result<Option<Box<dyn Group>>> {
        let description = self.record.as_ref().and_then(|record| record.cgroup.as_ref());
        Ok(description.map(Description::open))
    }

    pub(crate) fn remove_resctrl(&self) -> Result<()> {
        Ok(self.record.as_ref().map_or(Ok(()), |record| record.resctrl.remove())?)
    }

    fn is_frozen(&self) -> Result<bool> {
        match self.group()? {
            // A group that has just gone is not frozen.
            Some(group) => Ok(group.is_frozen().unwrap_or(false)),
            None => Ok(false),
        }
    }

    /// The state document of the specification, for a status.
    pub(crate) fn state_text(&self, status: Status) -> Result<String> {
        state_text(self.id(), self.record()?, status)
    }

    /// The state document of the specification.
    ///
    /// # Errors
    /// As [`Container::status`].
    pub fn state(&self) -> Result<State<'_>> {
        let status = self.status()?;
        Ok(state(self.id(), self.record()?, status))
    }

    /// What `list` shows.
    ///
    /// # Errors
    /// As [`Container::status`].
    pub fn summary(&self) -> Result<Summary> {
        let record = self.record()?;
        let status = self.status()?;
        let pid = self.process().map_or(0, |process| process.pid);
        Ok(Summary {
            id: self.id().clone(),
            status,
            pid: if status == Status::Stopped { 0 } else { pid },
            bundle: record.bundle.display().to_string(),
            rootfs: record.rootfs.display().to_string(),
            created: record.created.clone(),
            owner: record.owner,
            annotations: record.annotations.clone().into_iter().collect(),
        })
    }

    /// Gives its configuration, as it was when the container was made, to a function.
    pub(crate) fn with_configuration<T>(
        &self,
        use_it: impl FnOnce(&Spec<'_>) -> Result<T>,
    ) -> Result<T> {
        let text = self.directory.configuration()?;
        let spec: Spec<'_> = spec::json::parse(&text)
            .map_err(|error| Error::Damaged { id: self.id().clone(), reason: error.to_string() })?;
        use_it(&spec)
    }

    pub(crate) fn hooks(&self) -> Result<AllHooks> {
        self.with_configuration(|spec| Ok(AllHooks::new(&spec.hooks)))
    }

    /// What was done to it, or that it has ended meanwhile: then what is asked of its processes and
    /// its cgroup finds nothing, in one way or another.
    pub(crate) fn unless_ended<T>(&self, verb: &'static str, done: Result<T>) -> Result<T> {
        match done {
            Err(_) if self.process().is_some_and(Process::is_ending) => {
                Err(self.wrong(verb, Status::Stopped, ""))
            }
            done => done,
        }
    }

    /// The error for a verb that cannot be done in this status.
    pub(crate) fn wrong(&self, verb: &'static str, status: Status, hint: &'static str) -> Error {
        Error::WrongStatus { id: self.id().clone(), verb, status: status_name(status), hint }
    }
}

pub(crate) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Creating => "being created",
        Status::Created => "created",
        Status::Running => "running",
        Status::Paused => "paused",
        Status::Stopped => "stopped",
    }
}

pub(crate) fn state<'a>(id: &'a ContainerId, record: &'a Record, status: Status) -> State<'a> {
    let annotations = record.annotations.iter();
    State {
        oci_version: Cow::Borrowed(VERSION),
        id: Cow::Borrowed(id.as_str()),
        status,
        pid: match record.process {
            Some(process) if status != Status::Stopped => process.pid,
            _ => 0,
        },
        bundle: record.bundle.to_string_lossy(),
        annotations: annotations.map(|(name, value)| (&**name, Cow::Borrowed(&**value))).collect(),
    }
}

pub(crate) fn state_text(id: &ContainerId, record: &Record, status: Status) -> Result<String> {
    spec::json::to_line(&state(id, record, status))
        .map_err(|_| Error::Internal("a state that is no JSON"))
}

/// All containers under this root that can be read, sorted by id, and what is wrong with others.
///
/// # Errors
/// The root cannot be read.
pub fn list(root: &Path) -> Result<(Vec<Summary>, Vec<Error>)> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for id in directory::ids(root)? {
        match Container::open(root, &id).and_then(|container| container.summary()) {
            Ok(summary) => found.push(summary),
            // It was removed, or has just begun to be made.
            Err(Error::NotFound(_)) => {}
            Err(error) => problems.push(error),
        }
    }
    Ok((found, problems))
}
