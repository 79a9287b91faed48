//! Namespaces of other containers. They are found anew each time that the program is started: a
//! container that was started again has others, and the process of then may be somebody else's by
//! now.

use crate::engine::runtime_id;
use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::streams;
use kernel::mount::{Bind, Mount};
use kernel::namespace::{Kind, visit};
use runtime::GivenMount;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use sys::OrError;
use sys::process::send_signal;
use sys::rustix::io::{DupFlags, dup3, fcntl_dupfd_cloexec};

/// Where shared memory is.
pub(crate) const MEMORY: &str = "/dev/shm";

/// What is in the configuration as the source of shared memory that is given to the runtime: there
/// is no such file, so that nothing else can be mounted by mistake.
pub(crate) const NO_SOURCE: &str = "/dev/null/shared";

/// A kind of namespace that containers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SharedKind {
    Pid,
    Ipc,
    Uts,
    Network,
    Cgroup,
    User,
}

impl SharedKind {
    /// In `/proc/PID/ns`.
    fn file(self) -> &'static str {
        match self {
            SharedKind::Pid => "pid",
            SharedKind::Ipc => "ipc",
            SharedKind::Uts => "uts",
            SharedKind::Network => "net",
            SharedKind::Cgroup => "cgroup",
            SharedKind::User => "user",
        }
    }

    /// The monitor's descriptor of it, behind those of networks of its own.
    fn descriptor(self) -> i32 {
        super::NETWORK_DESCRIPTOR + 10 + self as i32
    }

    /// Where the container's configuration finds it.
    pub(crate) fn path(self) -> String {
        format!("/proc/self/fd/{}", self.descriptor())
    }
}

/// A namespace that is another container's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shared {
    pub(crate) kind: SharedKind,
    /// The id of the other container.
    pub(crate) container: String,
}

/// The descriptors by which the runtime finds namespaces; `/dev/null` while no program starts, so
/// that nothing of the other container is kept.
pub(super) struct Slots(Vec<(Shared, OwnedFd)>);

impl Slots {
    /// To be called while nobody else can have these descriptors.
    pub(super) fn reserve(shared: &[Shared]) -> Result<Slots> {
        let null = streams::null()?;
        let reserve = |one: &Shared| -> Result<(Shared, OwnedFd)> {
            let number = one.kind.descriptor();
            let descriptor = fcntl_dupfd_cloexec(&null, number)
                .or_error("fcntl", || format!("F_DUPFD_CLOEXEC, {number}"))?;
            Ok((one.clone(), descriptor))
        };
        Ok(Slots(shared.iter().map(reserve).collect::<Result<_>>()?))
    }

    /// Finds the namespaces, and the shared memory if that is wanted.
    pub(super) fn open(
        &mut self,
        folders: &Folders,
        wants_memory: bool,
    ) -> Result<Option<Rc<GivenMount>>> {
        let mut memory = None;
        for (shared, slot) in &mut self.0 {
            let other = Other::find(folders, &shared.container)?;
            let path = format!("/proc/{}/ns/{}", other.pid, shared.kind.file());
            let namespace = File::open(&path).map_err(|error| match error.kind() {
                // It is about to end.
                io::ErrorKind::NotFound => not_there(other.id),
                _ => Error::File { path: path.clone().into(), error },
            })?;
            if shared.kind == SharedKind::Ipc && wants_memory {
                memory = Some(Rc::new(other.memory()?));
            }
            // What was opened is its own, as it has lived until now.
            other.check_lives()?;
            dup3(&namespace, slot, DupFlags::CLOEXEC).or_error("dup3", || path)?;
        }
        Ok(memory)
    }

    /// Lets go of them.
    pub(super) fn close(&mut self) -> Result<()> {
        let null = if self.0.is_empty() { None } else { Some(streams::null()?) };
        for (_, slot) in &mut self.0 {
            let Some(null) = &null else { break };
            dup3(null, slot, DupFlags::CLOEXEC).or_error("dup3", || "/dev/null")?;
        }
        Ok(())
    }
}

/// The first process of another container.
struct Other<'a> {
    id: &'a str,
    pid: i32,
    pidfd: OwnedFd,
}

impl<'a> Other<'a> {
    fn find(folders: &Folders, id: &'a str) -> Result<Other<'a>> {
        let opened = runtime::Container::open(&folders.runtime(), &runtime_id(id)?);
        let opened = match opened {
            Err(runtime::Error::NotFound(_)) => return Err(not_there(id)),
            opened => opened?,
        };
        match (opened.pidfd()?, opened.state()?.pid) {
            (Some(pidfd), pid) if pid > 0 => Ok(Other { id, pid, pidfd }),
            _ => Err(not_there(id)),
        }
    }

    fn check_lives(&self) -> Result<()> {
        send_signal(self.pidfd.as_fd(), 0).map_err(|_| not_there(self.id))
    }

    /// A copy of what is mounted at `/dev/shm` there. Its root file system is seen by nobody else,
    /// so the way leads through its mount namespace.
    fn memory(&self) -> Result<GivenMount> {
        let mount = Mount::parse(MEMORY, Some("bind"), Some(MEMORY), ["bind"])
            .map_err(|error| Error::invalid(error.to_string()))?;
        let bind = Bind { from: c"/dev/shm".to_owned(), recursive: false, idmap: None };
        let tree =
            visit(self.pidfd.as_fd(), Kind::Mount, || bind.open_in(None, false, &mount.target));
        let tree = tree.map_err(runtime::Error::from)?.map_err(runtime::Error::from)?;
        Ok(GivenMount { destination: MEMORY.to_owned(), tree })
    }
}

fn not_there(id: &str) -> Error {
    Error::invalid(format!("container {}, whose namespaces it shares, does not run", &id[..12]))
}
