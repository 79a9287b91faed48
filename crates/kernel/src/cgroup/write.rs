//! Limits as a list of files and values: made without a kernel, written with one.

use std::borrow::Cow;
use std::fmt;

use sys::rustix::io::Errno;

use super::error::{Error, Result};
use super::folder::Folder;

/// A part of the kernel that limits a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Controller {
    /// Processor time.
    Cpu,
    /// Which processors and memory nodes.
    CpuSet,
    /// Memory.
    Memory,
    /// Number of tasks.
    Pids,
    /// Block devices: `blkio` on v1, `io` on v2.
    BlockIo,
    /// Huge pages.
    HugeTlb,
    /// RDMA devices.
    Rdma,
    /// Class of packets (v1).
    NetworkClass,
    /// Priority of packets (v1).
    NetworkPriority,
}

impl Controller {
    /// All that take limits from [`super::Resources`].
    pub(super) const ALL: [Controller; 9] = [
        Controller::Cpu,
        Controller::CpuSet,
        Controller::Memory,
        Controller::Pids,
        Controller::BlockIo,
        Controller::HugeTlb,
        Controller::Rdma,
        Controller::NetworkClass,
        Controller::NetworkPriority,
    ];

    /// Its name on v1; v2 differs for `io` alone.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::CpuSet => "cpuset",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
            Controller::BlockIo => "blkio",
            Controller::HugeTlb => "hugetlb",
            Controller::Rdma => "rdma",
            Controller::NetworkClass => "net_cls",
            Controller::NetworkPriority => "net_prio",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What to do when the kernel has no such file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The limit cannot be kept: an error.
    Fail,
    /// There is nothing to limit.
    Skip,
    /// The same limit has another name.
    Use { file: &'static str, value: String },
}

/// One value for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// Whose file it is; `None` for a file that the user named (`unified`).
    pub(super) controller: Option<Controller>,
    pub(super) file: Cow<'static, str>,
    pub(super) value: String,
    /// The place below `linux.resources` that asked for it.
    pub(super) field: Cow<'static, str>,
    pub(super) missing: Missing,
}

impl Write {
    pub(super) fn new(
        controller: Controller,
        field: impl Into<Cow<'static, str>>,
        file: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Write {
        Write {
            controller: Some(controller),
            file: file.into(),
            value: value.into(),
            field: field.into(),
            missing: Missing::Fail,
        }
    }

    /// Skipped on a machine without the file, or without the whole controller.
    pub(super) fn or_skip(mut self) -> Write {
        self.missing = Missing::Skip;
        self
    }

    /// Goes to `file` on a kernel without the first one.
    pub(super) fn or_to(mut self, file: &'static str, value: impl Into<String>) -> Write {
        self.missing = Missing::Use { file, value: value.into() };
        self
    }

    /// Whether [`Write::or_skip`] was said.
    pub(super) fn is_optional(&self) -> bool {
        self.missing == Missing::Skip
    }

    fn perform(&self, folder: &Folder) -> Result<(), sys::Error> {
        match (folder.write(&self.file, &self.value), &self.missing) {
            (Err(error), Missing::Skip) if error.errno == Errno::NOENT => Ok(()),
            (Err(error), Missing::Use { file, value }) if error.errno == Errno::NOENT => {
                folder.write(file, value)
            }
            (result, _) => result,
        }
    }

    /// The error when there is no folder for it.
    pub(super) fn no_controller(&self) -> Error {
        let field = self.field.clone().into_owned();
        match self.controller {
            Some(controller) => Error::NoController { field, controller: controller.to_string() },
            None => Error::resource(field, "this needs cgroup v2"),
        }
    }

    fn error(&self, source: sys::Error) -> Error {
        Error::Write {
            field: self.field.clone().into_owned(),
            file: self.file.clone().into_owned(),
            value: self.value.clone(),
            source,
        }
    }
}

/// Writes all, each to the folder that `folder` finds for it.
///
/// Some limits are bound to each other: memory must not be above memory and swap, nor a burst
/// above its quota. Which of them must be written first depends on what they were. So what the
/// kernel calls invalid is tried again after the others, until nothing more succeeds.
pub(super) fn perform<'folder, 'write>(
    writes: impl IntoIterator<Item = &'write Write>,
    folder: impl Fn(&Write) -> Result<&'folder Folder>,
) -> Result<()> {
    let mut pending: Vec<&Write> = writes.into_iter().collect();
    loop {
        let mut refused = Vec::new();
        let mut first_error = None;
        for write in &pending {
            match write.perform(folder(write)?) {
                Ok(()) => {}
                Err(error) if error.errno == Errno::INVAL => {
                    first_error.get_or_insert_with(|| write.error(error));
                    refused.push(*write);
                }
                Err(error) => return Err(write.error(error)),
            }
        }
        match first_error {
            None => return Ok(()),
            Some(error) if refused.len() == pending.len() => return Err(error),
            Some(_) => pending = refused,
        }
    }
}
