//! How much a container uses, as plain data.

use std::collections::BTreeMap;

/// What all processes of a group use together. What the machine does not count stays zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Time on the processors.
    pub cpu: CpuUse,
    /// Which of them.
    pub cpu_set: CpuSetUse,
    /// Memory and swap.
    pub memory: MemoryUse,
    /// Processes and threads: how many, and how many there may be.
    pub pids: Usage,
    /// Block devices.
    pub block_io: BlockIoUse,
    /// Bytes of huge pages by size, as `2MB`.
    pub huge_pages: BTreeMap<String, Usage>,
    /// RDMA devices by name.
    pub rdma: BTreeMap<String, RdmaUse>,
}

/// A number that has a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Now.
    pub usage: u64,
    /// The most it has been; 0 where the kernel does not remember.
    pub peak: u64,
    /// What it may be; `None`: anything.
    pub limit: Option<u64>,
    /// How often the limit was met.
    pub failures: u64,
}

/// Processor time in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuUse {
    /// All.
    pub total: u64,
    /// In user mode.
    pub user: u64,
    /// In the kernel.
    pub kernel: u64,
    /// Of each processor (v1).
    pub per_cpu: Vec<u64>,
    /// Of each processor in user mode (v1).
    pub per_cpu_user: Vec<u64>,
    /// Of each processor in the kernel (v1).
    pub per_cpu_kernel: Vec<u64>,
    /// Periods with a quota that have passed.
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled_periods: u64,
    /// How long the group had to wait for the next period, in nanoseconds.
    pub throttled_time: u64,
    /// Tasks that waited for a processor.
    pub pressure: Option<Pressure>,
}

/// Processors and memory nodes, and on v1 the flags of the cpuset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuSetUse {
    /// Numbers of processors.
    pub cpus: Vec<u16>,
    /// Numbers of memory nodes.
    pub mems: Vec<u16>,
    /// `cpuset.cpu_exclusive`
    pub cpu_exclusive: u64,
    /// `cpuset.mem_exclusive`
    pub mem_exclusive: u64,
    /// `cpuset.mem_hardwall`
    pub mem_hardwall: u64,
    /// `cpuset.memory_migrate`
    pub memory_migrate: u64,
    /// `cpuset.memory_spread_page`
    pub memory_spread_page: u64,
    /// `cpuset.memory_spread_slab`
    pub memory_spread_slab: u64,
    /// `cpuset.memory_pressure`
    pub memory_pressure: u64,
    /// `cpuset.sched_load_balance`
    pub sched_load_balance: u64,
    /// `cpuset.sched_relax_domain_level`
    pub sched_relax_domain_level: i64,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryUse {
    /// Memory.
    pub memory: Usage,
    /// Memory and swap together.
    pub with_swap: Usage,
    /// The kernel's own for these processes.
    pub kernel: Usage,
    /// Buffers of TCP (v1).
    pub kernel_tcp: Usage,
    /// Pages that hold files.
    pub cache: u64,
    /// How often a process was killed because there was no memory left.
    pub killed: u64,
    /// All lines of `memory.stat`, which differ between v1 and v2.
    pub raw: BTreeMap<String, u64>,
    /// Tasks that waited for memory.
    pub pressure: Option<Pressure>,
}

/// Block devices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockIoUse {
    /// Bytes.
    pub bytes: Vec<DeviceUse>,
    /// Operations.
    pub operations: Vec<DeviceUse>,
    /// Tasks that waited for a device.
    pub pressure: Option<Pressure>,
}

/// What was done with one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceUse {
    /// Major number.
    pub major: u64,
    /// Minor number.
    pub minor: u64,
    /// `Read`, `Write`, `Discard`, and on v1 also `Sync`, `Async`, `Total`.
    pub operation: String,
    /// How much.
    pub value: u64,
}

/// Handles and objects of one RDMA device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RdmaUse {
    /// Handles.
    pub hca_handles: Usage,
    /// Objects.
    pub hca_objects: Usage,
}

/// How long tasks could not go on (pressure stall information, Linux 4.20).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// When at least one had to wait.
    pub some: Stall,
    /// When none could go on.
    pub full: Stall,
}

/// Shares of the last seconds in percent, and the sum in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// Of the last 10 s.
    pub average_10: f64,
    /// Of the last 60 s.
    pub average_60: f64,
    /// Of the last 300 s.
    pub average_300: f64,
    /// Ever.
    pub total: u64,
}
