//! How a process is scheduled on processors and disks, and where its memory comes from.

use sys::OrError;
use sys::rustix::process::{Pid, getpid};
use sys::rustix::thread::{
    CoreSchedulingScope, CpuSet, create_core_scheduling_cookie, pull_core_scheduling_cookie,
    sched_setaffinity,
};
use sys::schedule::{self, SchedulerAttributes};

/// What is to be changed; the rest stays as the process has inherited it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// Policy and parameters.
    pub scheduler: Option<SchedulerAttributes>,
    /// Class and level of I/O.
    pub io_priority: Option<(u16, u16)>,
    /// Where memory is taken from.
    pub memory_policy: Option<MemoryPolicy>,
    /// The execution domain.
    pub personality: Option<u64>,
}

/// The arguments of set_mempolicy(2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// The mode, with its flags.
    pub mode: i32,
    /// The nodes, as bits.
    pub nodes: Vec<u64>,
}

impl Scheduling {
    /// Applies it to the calling thread.
    ///
    /// # Errors
    /// EPERM for what needs CAP_SYS_NICE or CAP_SYS_ADMIN, EINVAL for what the kernel does not take.
    pub fn apply(&self) -> Result<(), sys::Error> {
        if let Some(attributes) = &self.scheduler {
            schedule::sched_setattr(attributes)
                .or_error("sched_setattr", || format!("{attributes:?}"))?;
        }
        if let Some((class, level)) = self.io_priority {
            schedule::ioprio_set(class, level)
                .or_error("ioprio_set", || format!("class {class}, level {level}"))?;
        }
        if let Some(MemoryPolicy { mode, nodes }) = &self.memory_policy {
            schedule::set_mempolicy(*mode, nodes)
                .or_error("set_mempolicy", || format!("{mode:#x}, {nodes:x?}"))?;
        }
        if let Some(domain) = self.personality {
            schedule::personality(domain).or_error("personality", || format!("{domain:#x}"))?;
        }
        Ok(())
    }
}

/// Has the calling process share a processor core, while it runs on one of its threads, with none
/// but those that have its cookie: its children, and who takes it by [`join_core_group`].
/// `PR_SCHED_CORE`, prctl(2), Linux 5.14.
///
/// # Errors
/// ENODEV where no core has several threads, EINVAL for a kernel without core scheduling.
pub fn make_core_group() -> Result<(), sys::Error> {
    create_core_scheduling_cookie(getpid(), CoreSchedulingScope::ThreadGroup)
        .or_error("prctl", || "PR_SCHED_CORE, PR_SCHED_CORE_CREATE")
}

/// Takes the cookie of another process, see [`make_core_group`].
///
/// # Errors
/// As [`make_core_group`]; EPERM without the right to trace that process.
pub fn join_core_group(process: Pid) -> Result<(), sys::Error> {
    pull_core_scheduling_cookie(process, CoreSchedulingScope::Thread)
        .or_error("prctl", || format!("PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM, {process}"))
}

/// Lets the calling thread run on all processors of its cgroup. Since Linux 6.2 it would otherwise
/// stay on those that whoever started the runtime was confined to. Where that is forbidden it does.
pub fn reset_affinity() {
    let _ = schedule::use_all_processors();
}

/// Lets the calling thread run on these processors only (bits, see [`super::parse_list`]).
///
/// # Errors
/// EINVAL if none of them may be used.
pub fn set_affinity(processors: &[u64]) -> Result<(), sys::Error> {
    let mut set = CpuSet::new();
    for number in 0..CpuSet::MAX_CPU {
        if processors.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1) {
            set.set(number);
        }
    }
    sched_setaffinity(None, &set).or_error("sched_setaffinity", || format!("{processors:x?}"))
}
