//! Limits, which cgroups enforce.

use super::{DeviceRule, out_of_range};
use crate::json::{Map, Problem, Text, object};

object! {
    /// The section `linux.resources`; also what `update` reads.
    #[derive(Default)]
    pub struct Resources<'a> {
        /// Rules about devices.
        optional devices: Vec<DeviceRule<'a>> = "devices",
        /// Memory.
        optional memory: Option<Memory> = "memory",
        /// Processors.
        optional cpu: Option<Cpu<'a>> = "cpu",
        /// Processes.
        optional pids: Option<Pids> = "pids",
        /// Disks.
        optional block_io: Option<BlockIo> = "blockIO",
        /// Huge pages, each size at most once.
        optional hugepage_limits: Vec<HugepageLimit<'a>> = "hugepageLimits",
        /// Marks on packets.
        optional network: Option<NetworkClass<'a>> = "network",
        /// RDMA, by device.
        optional rdma: Map<'a, Rdma> = "rdma",
        /// Files of the unified hierarchy, with what is written to them.
        optional unified: Map<'a, Text<'a>> = "unified",
    }
}

object! {
    /// Limits in bytes; -1 for none.
    #[derive(Copy, Default)]
    pub struct Memory, check check_memory {
        /// The most that may be used.
        optional limit: Option<i64> = "limit",
        /// What is left to the container when memory is short.
        optional reservation: Option<i64> = "reservation",
        /// The most of memory and swap together.
        optional swap: Option<i64> = "swap",
        /// The most of the kernel's memory; kernels since 5.16 ignore it.
        optional kernel: Option<i64> = "kernel",
        /// The most of buffers for TCP.
        optional kernel_tcp: Option<i64> = "kernelTCP",
        /// How readily memory is swapped; 0 to 100.
        optional swappiness: Option<u64> = "swappiness",
        /// Whether processes wait instead of being killed when memory is short.
        optional disable_oom_killer: Option<bool> = "disableOOMKiller",
        /// Whether the cgroups below are counted, too; v2 always does.
        optional use_hierarchy: Option<bool> = "useHierarchy",
        /// Whether `update` refuses a limit below what is used.
        optional check_before_update: Option<bool> = "checkBeforeUpdate",
    }
}

fn check_memory(memory: &Memory) -> Result<(), Problem> {
    let limits = [
        ("limit", memory.limit),
        ("reservation", memory.reservation),
        ("swap", memory.swap),
        ("kernel", memory.kernel),
        ("kernelTCP", memory.kernel_tcp),
    ];
    for (field, limit) in limits {
        if let Some(limit) = limit.filter(|limit| *limit < -1) {
            let what = format_args!("{limit} is neither a number of bytes nor -1 for no limit");
            return Err(Problem::at(field, what));
        }
    }
    match memory.swappiness {
        Some(swappiness) if swappiness > 100 => Err(out_of_range("swappiness", swappiness, 0, 100)),
        _ => Ok(()),
    }
}

object! {
    /// Processors. Times are in microseconds.
    #[derive(Default)]
    pub struct Cpu<'a>, check check_cpu {
        /// The weight beside others; 2 to 262144, usually 1024.
        optional shares: Option<u64> = "shares",
        /// The time in each period; -1 for no limit.
        optional quota: Option<i64> = "quota",
        /// The time that may be saved up and used beyond the quota.
        optional burst: Option<u64> = "burst",
        /// The period.
        optional period: Option<u64> = "period",
        /// The time in each period for real-time processes.
        optional realtime_runtime: Option<i64> = "realtimeRuntime",
        /// The period for real-time processes.
        optional realtime_period: Option<u64> = "realtimePeriod",
        /// A list of processors such as `0-3,7`.
        optional cpus: Text<'a> = "cpus",
        /// A list of memory nodes such as `0-3,7`.
        optional mems: Text<'a> = "mems",
        /// 1 if it runs only when there is nothing else to do; else 0.
        optional idle: Option<i64> = "idle",
    }
}

fn check_cpu(cpu: &Cpu<'_>) -> Result<(), Problem> {
    match cpu.idle {
        Some(idle) if !(0..=1).contains(&idle) => Err(out_of_range("idle", idle, 0, 1)),
        _ => Ok(()),
    }
}

object! {
    /// Processes.
    #[derive(Copy, Default)]
    pub struct Pids {
        /// How many tasks there may be; -1 for no limit.
        optional limit: Option<i64> = "limit",
    }
}

object! {
    /// Disks.
    #[derive(Default)]
    pub struct BlockIo {
        /// The weight beside others; 10 to 1000.
        optional weight: Option<u16> = "weight",
        /// The weight beside cgroups below; version 1 only.
        optional leaf_weight: Option<u16> = "leafWeight",
        /// Weights for some disks.
        optional weight_device: Vec<WeightDevice> = "weightDevice",
        /// Bytes a second that may be read.
        optional throttle_read_bps: Vec<ThrottleDevice> = "throttleReadBpsDevice",
        /// Bytes a second that may be written.
        optional throttle_write_bps: Vec<ThrottleDevice> = "throttleWriteBpsDevice",
        /// How often a second may be read.
        optional throttle_read_iops: Vec<ThrottleDevice> = "throttleReadIOPSDevice",
        /// How often a second may be written.
        optional throttle_write_iops: Vec<ThrottleDevice> = "throttleWriteIOPSDevice",
    }
}

object! {
    /// The weight of one disk.
    #[derive(Copy, Default)]
    pub struct WeightDevice, check check_weight_device {
        /// The major number.
        required major: i64 = "major",
        /// The minor number.
        required minor: i64 = "minor",
        /// The weight beside others; 10 to 1000.
        optional weight: Option<u16> = "weight",
        /// The weight beside cgroups below; version 1 only.
        optional leaf_weight: Option<u16> = "leafWeight",
    }
}

fn check_weight_device(device: &WeightDevice) -> Result<(), Problem> {
    match (device.weight, device.leaf_weight) {
        (None, None) => Err(Problem::at("weight", "missing, and so is leafWeight")),
        _ => Ok(()),
    }
}

object! {
    /// A limit for one disk.
    #[derive(Copy, Default)]
    pub struct ThrottleDevice {
        /// The major number.
        required major: i64 = "major",
        /// The minor number.
        required minor: i64 = "minor",
        /// The most in each second.
        required rate: u64 = "rate",
    }
}

object! {
    /// Huge pages of one size.
    #[derive(Default)]
    pub struct HugepageLimit<'a> {
        /// The size: `2MB`, `1GB`.
        required page_size: Text<'a> = "pageSize",
        /// The most bytes.
        required limit: u64 = "limit",
    }
}

object! {
    /// Marks on packets; version 1 only.
    #[derive(Default)]
    pub struct NetworkClass<'a> {
        /// For traffic control, `0xAAAABBBB`.
        optional class_id: Option<u32> = "classID",
        /// Priorities of packets, by interface.
        optional priorities: Vec<InterfacePriority<'a>> = "priorities",
    }
}

object! {
    /// The priority of packets that leave by one interface.
    #[derive(Default)]
    pub struct InterfacePriority<'a> {
        /// The interface.
        required name: Text<'a> = "name",
        /// The priority.
        required priority: u32 = "priority",
    }
}

object! {
    /// Limits for one RDMA device.
    #[derive(Copy, Default)]
    pub struct Rdma, check check_rdma {
        /// The most handles.
        optional hca_handles: Option<u32> = "hcaHandles",
        /// The most objects.
        optional hca_objects: Option<u32> = "hcaObjects",
    }
}

fn check_rdma(limits: &Rdma) -> Result<(), Problem> {
    match (limits.hca_handles, limits.hca_objects) {
        (None, None) => Err(Problem::at("hcaHandles", "missing, and so is hcaObjects")),
        _ => Ok(()),
    }
}
