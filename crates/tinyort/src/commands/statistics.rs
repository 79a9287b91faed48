//! What a container uses, as runc writes it in JSON.
//!
//! Numbers that are zero are left out where runc leaves them out. `network_interfaces` and `rdma`
//! have what runc does not tell.

use runtime::groups::{BlockIoUse, CpuSetUse, CpuUse, DeviceUse, MemoryUse, RdmaUse, Usage};
use runtime::groups::{Pressure as Stalls, Stall};
use runtime::resctrl::Shares;
use runtime::{InterfaceUse, Use};
use serde::Serialize;
use std::collections::BTreeMap;

/// The whole of it.
#[derive(Serialize)]
pub(super) struct Statistics<'a> {
    cpu: Cpu<'a>,
    cpuset: CpuSet<'a>,
    memory: Memory<'a>,
    pids: Pids,
    blkio: Blkio<'a>,
    hugetlb: BTreeMap<&'a str, Limited>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rdma: BTreeMap<&'a str, Rdma>,
    intel_rdt: IntelRdt<'a>,
    network_interfaces: Option<Vec<Interface<'a>>>,
}

impl<'a> Statistics<'a> {
    pub(super) fn new(all: &'a Use) -> Statistics<'a> {
        let group = &all.group;
        let interfaces = || all.interfaces.iter().map(Interface::new).collect();
        Statistics {
            cpu: Cpu::new(&group.cpu),
            cpuset: CpuSet::new(&group.cpu_set),
            memory: Memory::new(&group.memory),
            pids: Pids { current: group.pids.usage, limit: group.pids.limit.unwrap_or(0) },
            blkio: Blkio::new(&group.block_io),
            hugetlb: group
                .huge_pages
                .iter()
                .map(|(size, it)| (&**size, Limited::new(it)))
                .collect(),
            rdma: group.rdma.iter().map(|(name, it)| (&**name, Rdma::new(it))).collect(),
            intel_rdt: all.shares.as_ref().map(IntelRdt::new).unwrap_or_default(),
            network_interfaces: (!all.interfaces.is_empty()).then(interfaces),
        }
    }
}

fn zero(number: &u64) -> bool {
    *number == 0
}

fn no_numbers(list: &&[u64]) -> bool {
    list.is_empty()
}

#[derive(Serialize)]
struct Cpu<'a> {
    usage: CpuTime<'a>,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
struct CpuTime<'a> {
    #[serde(skip_serializing_if = "zero")]
    total: u64,
    #[serde(skip_serializing_if = "no_numbers")]
    percpu: &'a [u64],
    #[serde(skip_serializing_if = "no_numbers")]
    percpu_kernel: &'a [u64],
    #[serde(skip_serializing_if = "no_numbers")]
    percpu_user: &'a [u64],
    kernel: u64,
    user: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    #[serde(skip_serializing_if = "zero")]
    periods: u64,
    #[serde(skip_serializing_if = "zero")]
    throttled_periods: u64,
    #[serde(skip_serializing_if = "zero")]
    throttled_time: u64,
}

impl<'a> Cpu<'a> {
    fn new(cpu: &'a CpuUse) -> Cpu<'a> {
        Cpu {
            usage: CpuTime {
                total: cpu.total,
                percpu: &cpu.per_cpu,
                percpu_kernel: &cpu.per_cpu_kernel,
                percpu_user: &cpu.per_cpu_user,
                kernel: cpu.kernel,
                user: cpu.user,
            },
            throttling: Throttling {
                periods: cpu.periods,
                throttled_periods: cpu.throttled_periods,
                throttled_time: cpu.throttled_time,
            },
            psi: cpu.pressure.as_ref().map(Pressure::new),
        }
    }
}

#[derive(Serialize)]
struct CpuSet<'a> {
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    cpus: &'a [u16],
    cpu_exclusive: u64,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    mems: &'a [u16],
    mem_hardwall: u64,
    mem_exclusive: u64,
    memory_migrate: u64,
    memory_spread_page: u64,
    memory_spread_slab: u64,
    memory_pressure: u64,
    sched_load_balance: u64,
    sched_relax_domain_level: i64,
}

impl<'a> CpuSet<'a> {
    fn new(set: &'a CpuSetUse) -> CpuSet<'a> {
        CpuSet {
            cpus: &set.cpus,
            cpu_exclusive: set.cpu_exclusive,
            mems: &set.mems,
            mem_hardwall: set.mem_hardwall,
            mem_exclusive: set.mem_exclusive,
            memory_migrate: set.memory_migrate,
            memory_spread_page: set.memory_spread_page,
            memory_spread_slab: set.memory_spread_slab,
            memory_pressure: set.memory_pressure,
            sched_load_balance: set.sched_load_balance,
            sched_relax_domain_level: set.sched_relax_domain_level,
        }
    }
}

#[derive(Serialize)]
struct Memory<'a> {
    #[serde(skip_serializing_if = "zero")]
    cache: u64,
    usage: MemoryEntry,
    swap: MemoryEntry,
    kernel: MemoryEntry,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: MemoryEntry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

/// Without a limit it is the largest number.
#[derive(Serialize)]
struct MemoryEntry {
    limit: u64,
    #[serde(flatten)]
    rest: Limited,
}

#[derive(Serialize)]
struct Limited {
    #[serde(skip_serializing_if = "zero")]
    usage: u64,
    #[serde(skip_serializing_if = "zero")]
    max: u64,
    failcnt: u64,
}

impl Limited {
    fn new(usage: &Usage) -> Limited {
        Limited { usage: usage.usage, max: usage.peak, failcnt: usage.failures }
    }
}

impl<'a> Memory<'a> {
    fn new(memory: &'a MemoryUse) -> Memory<'a> {
        let entry = |usage: &Usage| MemoryEntry {
            limit: usage.limit.unwrap_or(u64::MAX),
            rest: Limited::new(usage),
        };
        Memory {
            cache: memory.cache,
            usage: entry(&memory.memory),
            swap: entry(&memory.with_swap),
            kernel: entry(&memory.kernel),
            kernel_tcp: entry(&memory.kernel_tcp),
            raw: &memory.raw,
            psi: memory.pressure.as_ref().map(Pressure::new),
        }
    }
}

#[derive(Serialize)]
struct Pids {
    #[serde(skip_serializing_if = "zero")]
    current: u64,
    #[serde(skip_serializing_if = "zero")]
    limit: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blkio<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
struct BlkioEntry<'a> {
    #[serde(skip_serializing_if = "zero")]
    major: u64,
    #[serde(skip_serializing_if = "zero")]
    minor: u64,
    op: &'a str,
    #[serde(skip_serializing_if = "zero")]
    value: u64,
}

impl<'a> Blkio<'a> {
    fn new(block_io: &'a BlockIoUse) -> Blkio<'a> {
        let entry = |it: &'a DeviceUse| BlkioEntry {
            major: it.major,
            minor: it.minor,
            op: &it.operation,
            value: it.value,
        };
        Blkio {
            io_service_bytes_recursive: block_io.bytes.iter().map(entry).collect(),
            io_serviced_recursive: block_io.operations.iter().map(entry).collect(),
            psi: block_io.pressure.as_ref().map(Pressure::new),
        }
    }
}

#[derive(Serialize)]
struct Rdma {
    hca_handles: u64,
    hca_objects: u64,
}

impl Rdma {
    fn new(it: &RdmaUse) -> Rdma {
        Rdma { hca_handles: it.hca_handles.usage, hca_objects: it.hca_objects.usage }
    }
}

/// Pressure stall information: shares of the last seconds in percent, and microseconds.
#[derive(Serialize)]
struct Pressure {
    some: Stalled,
    full: Stalled,
}

#[derive(Serialize)]
struct Stalled {
    avg10: f64,
    avg60: f64,
    avg300: f64,
    total: u64,
}

impl Pressure {
    fn new(stalls: &Stalls) -> Pressure {
        let stalled = |it: &Stall| Stalled {
            avg10: it.average_10,
            avg60: it.average_60,
            avg300: it.average_300,
            total: it.total,
        };
        Pressure { some: stalled(&stalls.some), full: stalled(&stalls.full) }
    }
}

#[derive(Default, Serialize)]
struct IntelRdt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    l3_cache_info: Option<CacheInfo<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    l3_cache_schema_root: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    l3_cache_schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_bw_info: Option<BandwidthInfo>,
    #[serde(skip_serializing_if = "str::is_empty")]
    mem_bw_schema_root: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    mem_bw_schema: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mbm_stats: Vec<Traffic>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmt_stats: Vec<Occupancy>,
}

#[derive(Serialize)]
struct CacheInfo<'a> {
    cbm_mask: &'a str,
    min_cbm_bits: u64,
    num_closids: u64,
}

#[derive(Serialize)]
struct BandwidthInfo {
    bandwidth_gran: u64,
    delay_linear: u64,
    min_bandwidth: u64,
    num_closids: u64,
}

#[derive(Serialize)]
struct Traffic {
    mbm_total_bytes: u64,
    mbm_local_bytes: u64,
}

#[derive(Serialize)]
struct Occupancy {
    llc_occupancy: u64,
}

impl<'a> IntelRdt<'a> {
    fn new(shares: &'a Shares) -> IntelRdt<'a> {
        let cache = shares.cache.as_ref().map(|(mask, least, classes)| CacheInfo {
            cbm_mask: mask,
            min_cbm_bits: *least,
            num_closids: *classes,
        });
        let bandwidth = shares.bandwidth.map(|[step, linear, least, classes]| BandwidthInfo {
            bandwidth_gran: step,
            delay_linear: linear,
            min_bandwidth: least,
            num_closids: classes,
        });
        let domains = shares.domains.iter();
        IntelRdt {
            l3_cache_info: cache,
            l3_cache_schema_root: &shares.root.l3,
            l3_cache_schema: &shares.class.l3,
            mem_bw_info: bandwidth,
            mem_bw_schema_root: &shares.root.bandwidth,
            mem_bw_schema: &shares.class.bandwidth,
            mbm_stats: domains
                .clone()
                .map(|it| Traffic { mbm_total_bytes: it.total, mbm_local_bytes: it.local })
                .collect(),
            cmt_stats: domains.map(|it| Occupancy { llc_occupancy: it.occupancy }).collect(),
        }
    }
}

/// Go's names: runc gives these fields none of their own.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Interface<'a> {
    name: &'a str,
    rx_bytes: u64,
    rx_packets: u64,
    rx_errors: u64,
    rx_dropped: u64,
    tx_bytes: u64,
    tx_packets: u64,
    tx_errors: u64,
    tx_dropped: u64,
}

impl Interface<'_> {
    fn new(it: &InterfaceUse) -> Interface<'_> {
        let [rx_bytes, rx_packets, rx_errors, rx_dropped] = it.received;
        let [tx_bytes, tx_packets, tx_errors, tx_dropped] = it.sent;
        Interface {
            name: &it.name,
            rx_bytes,
            rx_packets,
            rx_errors,
            rx_dropped,
            tx_bytes,
            tx_packets,
            tx_errors,
            tx_dropped,
        }
    }
}
