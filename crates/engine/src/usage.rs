//! Which processes a container has, and what it uses.

use crate::database::Container;
use crate::engine::{Engine, runtime_id};
use crate::error::Result;
use kernel::cgroup::Statistics;
use runtime::Watch;

/// What a container uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nanoseconds of processor time since it was started.
    pub cpu: u64,
    /// Bytes of memory, without files that can be read again.
    pub memory: u64,
    /// How many it may have, if that is limited.
    pub memory_limit: Option<u64>,
    /// Bytes that came in and went out over the network.
    pub network: (u64, u64),
    /// Bytes read from disks and written to them.
    pub disks: (u64, u64),
    /// Processes and threads.
    pub tasks: u64,
}

impl Engine {
    /// The ids of all its processes on the machine.
    ///
    /// # Errors
    /// It does not run.
    pub fn processes(&self, container: &Container) -> Result<Vec<i32>> {
        self.running(container, "list the processes of")?;
        let id = runtime_id(&container.id)?;
        Ok(runtime::processes(&self.folders.runtime(), &id)?)
    }

    /// What it uses now. Nothing if it does not run.
    ///
    /// # Errors
    /// Its cgroup cannot be read.
    pub fn usage(&self, container: &Container) -> Result<Option<Usage>> {
        if !self.look(container)?.status.is_running() {
            return Ok(None);
        }
        let id = runtime_id(&container.id)?;
        let watch = match Watch::begin(&self.folders.runtime(), &id) {
            Err(runtime::Error::NotFound(_) | runtime::Error::NotRunning(_)) => return Ok(None),
            watch => watch?,
        };
        let Some(found) = watch.statistics()? else { return Ok(None) };
        let network =
            |pick: fn(&runtime::InterfaceUse) -> u64| found.interfaces.iter().map(pick).sum();
        Ok(Some(Usage {
            network: (network(|it| it.received[0]), network(|it| it.sent[0])),
            ..Usage::of_group(&found.group)
        }))
    }
}

impl Usage {
    /// What a cgroup counts; it knows nothing of networks.
    pub(crate) fn of_group(group: &Statistics) -> Usage {
        let inactive = ["total_inactive_file", "inactive_file"];
        let inactive =
            inactive.iter().find_map(|name| group.memory.raw.get(*name)).copied().unwrap_or(0);
        let bytes = |operation: &str| {
            let uses = group.block_io.bytes.iter();
            let uses = uses.filter(|it| it.operation.eq_ignore_ascii_case(operation));
            uses.map(|it| it.value).sum()
        };
        Usage {
            cpu: group.cpu.total,
            memory: group.memory.memory.usage.saturating_sub(inactive),
            memory_limit: group.memory.memory.limit,
            network: (0, 0),
            disks: (bytes("read"), bytes("write")),
            tasks: group.pids.usage,
        }
    }
}
