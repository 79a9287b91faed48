//! Limits as cgroup v1 spells them.
//!
//! The files are those of the kernel's `Documentation/admin-guide/cgroup-v1`.

use super::super::checks;
use super::super::error::Result;
use super::super::resources::{BlockIo, Cpu, DeviceRate, Memory, Resources};
use super::super::write::{Controller, Write};

/// What one controller has to be told, in the order for a new group.
pub(in super::super) fn of(controller: Controller, resources: &Resources) -> Result<Vec<Write>> {
    Ok(match controller {
        Controller::Cpu => cpu(&resources.cpu),
        Controller::CpuSet => checks::cpu_set(&resources.cpu)?,
        Controller::Memory => memory(&resources.memory)?,
        Controller::Pids => checks::pids(resources.pids),
        Controller::BlockIo => block_io(&resources.block_io)?,
        Controller::HugeTlb => {
            checks::huge_pages(&resources.huge_pages, ["limit_in_bytes", "rsvd.limit_in_bytes"])?
        }
        Controller::Rdma => checks::rdma(&resources.rdma)?,
        Controller::NetworkClass => network_class(resources.network.class_id),
        Controller::NetworkPriority => network_priorities(&resources.network.priorities)?,
    })
}

fn cpu(cpu: &Cpu) -> Vec<Write> {
    let mut list = Vec::new();
    let mut add = |field, file, value: Option<String>| {
        list.extend(value.map(|value| Write::new(Controller::Cpu, field, file, value)));
    };
    // The kernel takes what is outside 2 to 262144 for the nearer end.
    add("cpu.shares", "cpu.shares", checks::set(cpu.shares));
    // A group that is to be real-time must have its period before a longer runtime.
    add("cpu.realtimePeriod", "cpu.rt_period_us", checks::set(cpu.realtime_period));
    add("cpu.realtimeRuntime", "cpu.rt_runtime_us", cpu.realtime_runtime.map(|it| it.to_string()));
    add("cpu.period", "cpu.cfs_period_us", checks::set(cpu.period));
    add("cpu.quota", "cpu.cfs_quota_us", checks::set(cpu.quota.map(|it| it.max(-1))));
    add("cpu.burst", "cpu.cfs_burst_us", cpu.burst.map(|it| it.to_string()));
    add("cpu.idle", "cpu.idle", cpu.idle.map(|it| it.to_string()));
    list
}

fn memory(memory: &Memory) -> Result<Vec<Write>> {
    checks::memory(memory)?;
    let mut list = Vec::new();
    let mut add = |field, file, value: Option<String>| {
        list.extend(value.map(|value| Write::new(Controller::Memory, field, file, value)));
    };
    // Before any process or group could make it too late.
    add(
        "memory.useHierarchy",
        "memory.use_hierarchy",
        memory.use_hierarchy.and_then(|on| on.then(|| "1".to_owned())),
    );
    add("memory.limit", "memory.limit_in_bytes", checks::set(memory.limit));
    add("memory.reservation", "memory.soft_limit_in_bytes", checks::set(memory.reservation));
    add("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", checks::set(memory.kernel_tcp));
    add("memory.swappiness", "memory.swappiness", memory.swappiness.map(|it| it.to_string()));
    add(
        "memory.disableOOMKiller",
        "memory.oom_control",
        memory.disable_oom_killer.map(|on| u8::from(on).to_string()),
    );
    let swap = checks::set(checks::total_with_swap(memory));
    list.extend(swap.map(|value| {
        let unlimited = value == "-1";
        let write =
            Write::new(Controller::Memory, "memory.swap", "memory.memsw.limit_in_bytes", value);
        // Where swap is not counted, it is not limited either.
        if unlimited { write.or_skip() } else { write }
    }));
    Ok(list)
}

fn block_io(block_io: &BlockIo) -> Result<Vec<Write>> {
    checks::weights(block_io)?;
    let new = |field: &'static str, file: &'static str, value: &str| {
        Write::new(Controller::BlockIo, field, file, value)
    };
    let mut list = Vec::new();
    // Before 5.0 the CFQ scheduler had weights, now BFQ has.
    if let Some(weight) = checks::set(block_io.weight) {
        list.push(
            new("blockIO.weight", "blkio.weight", &weight).or_to("blkio.bfq.weight", &weight),
        );
    }
    if let Some(weight) = checks::set(block_io.leaf_weight) {
        list.push(new("blockIO.leafWeight", "blkio.leaf_weight", &weight));
    }
    for device in &block_io.weight_device {
        let line = |weight: u16| format!("{}:{} {weight}", device.major, device.minor);
        if let Some(value) = device.weight.map(line) {
            let write = new("blockIO.weightDevice", "blkio.weight_device", &value);
            list.push(write.or_to("blkio.bfq.weight_device", &value));
        }
        if let Some(value) = device.leaf_weight.map(line) {
            list.push(new("blockIO.weightDevice", "blkio.leaf_weight_device", &value));
        }
    }
    let mut throttle = |field: &'static str, file: &'static str, rates: &[DeviceRate]| {
        let line =
            |it: &DeviceRate| new(field, file, &format!("{}:{} {}", it.major, it.minor, it.rate));
        list.extend(rates.iter().map(line));
    };
    throttle("blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", &block_io.read_bps);
    throttle(
        "blockIO.throttleWriteBpsDevice",
        "blkio.throttle.write_bps_device",
        &block_io.write_bps,
    );
    throttle(
        "blockIO.throttleReadIOPSDevice",
        "blkio.throttle.read_iops_device",
        &block_io.read_iops,
    );
    throttle(
        "blockIO.throttleWriteIOPSDevice",
        "blkio.throttle.write_iops_device",
        &block_io.write_iops,
    );
    Ok(list)
}

fn network_class(class_id: Option<u32>) -> Vec<Write> {
    let value = class_id.map(|id| id.to_string());
    let write =
        |value| Write::new(Controller::NetworkClass, "network.classID", "net_cls.classid", value);
    value.map(write).into_iter().collect()
}

fn network_priorities(priorities: &[(String, u32)]) -> Result<Vec<Write>> {
    let line = |(name, priority): &(String, u32)| {
        checks::word("network.priorities", name)?;
        let value = format!("{name} {priority}");
        Ok(Write::new(
            Controller::NetworkPriority,
            "network.priorities",
            "net_prio.ifpriomap",
            value,
        ))
    };
    priorities.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
