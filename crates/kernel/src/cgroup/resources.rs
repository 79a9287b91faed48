//! The limits a container may have, as plain data.

/// All limits. What is `None` or empty is left as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// Time on the processors, and which of them.
    pub cpu: Cpu,
    /// Memory and swap.
    pub memory: Memory,
    /// How many processes and threads; negative: any number.
    pub pids: Option<i64>,
    /// Reads and writes of disks.
    pub block_io: BlockIo,
    /// Huge pages, by size.
    pub huge_pages: Vec<HugePages>,
    /// Class and priority of packets, on cgroup v1 only.
    pub network: Network,
    /// RDMA devices.
    pub rdma: Vec<Rdma>,
    /// Which devices may be used. `None`: leave them as they are.
    pub devices: Option<Vec<DeviceRule>>,
    /// Files of cgroup v2 and what to write there, last of all and unchanged.
    pub unified: Vec<(String, String)>,
}

impl Resources {
    /// Whether no limit is asked for. Rules for devices are not counted: every container has some,
    /// and one that may not have a cgroup may not make device nodes either.
    pub fn limit_nothing(&self) -> bool {
        let without_devices = Resources { devices: None, ..self.clone() };
        without_devices == Resources::default()
    }
}

/// Processor time. Zero means the same as `None` for `shares`, `quota` and `period`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cpu {
    /// Relative weight, 2 to 262144; 1024 is usual.
    pub shares: Option<u64>,
    /// Microseconds in each period; negative: any.
    pub quota: Option<i64>,
    /// Unused microseconds of earlier periods that may be used in one.
    pub burst: Option<u64>,
    /// Length of a period in microseconds.
    pub period: Option<u64>,
    /// Microseconds in each period for real-time scheduling (v1).
    pub realtime_runtime: Option<i64>,
    /// Length of a period for real-time scheduling in microseconds (v1).
    pub realtime_period: Option<u64>,
    /// The processors that may be used: `0-3,7`.
    pub cpus: Option<String>,
    /// The memory nodes that may be used: `0-1`.
    pub mems: Option<String>,
    /// 1: runs only when nobody else wants to; 0: not so.
    pub idle: Option<i64>,
}

/// Memory in bytes; -1 means unlimited, 0 the same as `None`. The specification's `kernel` is not
/// here: no kernel since 5.16 has such a limit, and the specification lets runtimes ignore it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The most there may be.
    pub limit: Option<i64>,
    /// What is left to the group when memory is short.
    pub reservation: Option<i64>,
    /// The most that memory and swap may be together.
    pub swap: Option<i64>,
    /// The most that buffers of TCP may be (v1).
    pub kernel_tcp: Option<i64>,
    /// How eagerly to swap, 0 to 100 (v1).
    pub swappiness: Option<u64>,
    /// Processes wait instead of being killed when there is no memory (v1).
    pub disable_oom_killer: Option<bool>,
    /// Groups below are counted too (v1; always so since 5.11).
    pub use_hierarchy: Option<bool>,
    /// Refuse a limit below what is in use.
    pub check_before_update: Option<bool>,
}

/// Block devices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockIo {
    /// Relative weight, 10 to 1000.
    pub weight: Option<u16>,
    /// Weight against the groups below (v1, before 5.0).
    pub leaf_weight: Option<u16>,
    /// Weights for single devices.
    pub weight_device: Vec<DeviceWeight>,
    /// Bytes each second.
    pub read_bps: Vec<DeviceRate>,
    /// Bytes each second.
    pub write_bps: Vec<DeviceRate>,
    /// Operations each second.
    pub read_iops: Vec<DeviceRate>,
    /// Operations each second.
    pub write_iops: Vec<DeviceRate>,
}

/// The weight for one block device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceWeight {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// Relative weight, 10 to 1000.
    pub weight: Option<u16>,
    /// Weight against the groups below (v1, before 5.0).
    pub leaf_weight: Option<u16>,
}

/// The rate of one block device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceRate {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// Bytes or operations each second; 0: any number.
    pub rate: u64,
}

/// The limit for huge pages of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct HugePages {
    /// As in the file's name: `2MB`, `1GB`, `64KB`.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// Marks of packets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// For traffic control.
    pub class_id: Option<u32>,
    /// Name of a network interface, and priority there.
    pub priorities: Vec<(String, u32)>,
}

/// The limit for one RDMA device.
#[derive(Clone, Debug, PartialEq)]
pub struct Rdma {
    /// Its name, as `mlx5_0`.
    pub device: String,
    /// Handles.
    pub hca_handles: Option<u32>,
    /// Objects.
    pub hca_objects: Option<u32>,
}

/// The kind of device node a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceKind {
    /// Both.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Character,
}

/// What may be done with a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceAccess {
    /// Open for reading.
    pub read: bool,
    /// Open for writing.
    pub write: bool,
    /// Make a node.
    pub mknod: bool,
}

impl DeviceAccess {
    /// Everything.
    pub const ALL: DeviceAccess = DeviceAccess { read: true, write: true, mknod: true };
    /// Nothing.
    pub const NONE: DeviceAccess = DeviceAccess { read: false, write: false, mknod: false };
    /// Making nodes only.
    pub const MKNOD: DeviceAccess = DeviceAccess { read: false, write: false, mknod: true };
}

/// One entry of the list of devices. The list begins with nothing allowed, and the last entry
/// that matches decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// Which kind.
    pub kind: DeviceKind,
    /// Major number; `None`: any.
    pub major: Option<u32>,
    /// Minor number; `None`: any.
    pub minor: Option<u32>,
    /// What is allowed or denied.
    pub access: DeviceAccess,
}
