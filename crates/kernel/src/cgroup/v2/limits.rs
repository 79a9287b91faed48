//! Limits as cgroup v2 spells them.
//!
//! The files are those of the kernel's `Documentation/admin-guide/cgroup-v2.rst`. The
//! configuration speaks of v1: where v2 means something else, it is converted here.

use super::super::checks;
use super::super::error::{Error, Result};
use super::super::resources::{BlockIo, Cpu, DeviceRate, Memory, Resources};
use super::super::write::{Controller, Write};

/// What a group that exists has now, where one file takes what two fields say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Current {
    /// `cpu.max`: quota (`max` or microseconds) and period.
    pub(in super::super) cpu_max: Option<(String, String)>,
    /// `memory.max`; -1: unlimited.
    pub(in super::super) memory: Option<i64>,
    /// `memory.swap.max`; -1: unlimited.
    pub(in super::super) swap: Option<i64>,
}

/// What one controller has to be told. `current` is empty for a new group.
pub(in super::super) fn of(
    controller: Controller,
    resources: &Resources,
    current: &Current,
) -> Result<Vec<Write>> {
    match controller {
        Controller::Cpu => cpu(&resources.cpu, current),
        Controller::CpuSet => checks::cpu_set(&resources.cpu),
        Controller::Memory => memory(&resources.memory, current),
        Controller::Pids => Ok(checks::pids(resources.pids)),
        Controller::BlockIo => block_io(&resources.block_io),
        Controller::HugeTlb => checks::huge_pages(&resources.huge_pages, ["max", "rsvd.max"]),
        Controller::Rdma => checks::rdma(&resources.rdma),
        Controller::NetworkClass if resources.network.class_id.is_some() => {
            Err(only_v1("network.classID"))
        }
        Controller::NetworkPriority if !resources.network.priorities.is_empty() => {
            Err(only_v1("network.priorities"))
        }
        Controller::NetworkClass | Controller::NetworkPriority => Ok(Vec::new()),
    }
}

fn only_v1(field: &str) -> Error {
    Error::resource(field, "cgroup v2 has no such limit")
}

fn cpu(cpu: &Cpu, current: &Current) -> Result<Vec<Write>> {
    if cpu.realtime_runtime.is_some_and(|it| it != 0) {
        return Err(only_v1("cpu.realtimeRuntime"));
    }
    if cpu.realtime_period.is_some_and(|it| it != 0) {
        return Err(only_v1("cpu.realtimePeriod"));
    }
    let mut list = Vec::new();
    let mut add = |field, file, value: Option<String>| {
        list.extend(value.map(|value| Write::new(Controller::Cpu, field, file, value)));
    };
    // The weight of an idle group cannot be set: it stops being idle first, or becomes it last.
    let idle = cpu.idle.map(|it| it.to_string());
    let (before, after) = if cpu.idle == Some(0) { (idle, None) } else { (None, idle) };
    add("cpu.idle", "cpu.idle", before);
    add(
        "cpu.shares",
        "cpu.weight",
        weight_of_shares(cpu.shares.unwrap_or(0)).map(|it| it.to_string()),
    );
    add("cpu.quota", "cpu.max", cpu_max(cpu, current));
    add("cpu.burst", "cpu.max.burst", cpu.burst.map(|it| it.to_string()));
    add("cpu.idle", "cpu.idle", after);
    Ok(list)
}

/// `QUOTA PERIOD`, what is not given being as it is, or as in a new group.
fn cpu_max(cpu: &Cpu, current: &Current) -> Option<String> {
    let quota = cpu.quota.filter(|it| *it != 0);
    let period = checks::set(cpu.period);
    if quota.is_none() && period.is_none() {
        return None;
    }
    let (old_quota, old_period) = current.cpu_max.clone().unzip();
    let quota = match quota {
        Some(quota) if quota < 0 => "max".to_owned(),
        Some(quota) => quota.to_string(),
        None => old_quota.unwrap_or_else(|| "max".to_owned()),
    };
    let period = period.or(old_period).unwrap_or_else(|| "100000".to_owned());
    Some(format!("{quota} {period}"))
}

/// A weight, 1 to 10000 with 100 in the middle, from shares, 2 to 262144 with 1024 in the middle:
/// the power of ten that is quadratic in the logarithm and meets all three. The straight line that
/// Kubernetes first used gave a group of 1024 shares much less than one without any.
pub(in super::super) fn weight_of_shares(shares: u64) -> Option<u64> {
    match shares {
        0 => None,
        1..=2 => Some(1),
        262_144.. => Some(10_000),
        _ => {
            let logarithm = (shares as f64).log2();
            let exponent = (logarithm * logarithm + 125.0 * logarithm) / 612.0 - 7.0 / 34.0;
            Some(10_f64.powf(exponent).ceil() as u64)
        }
    }
}

fn memory(memory: &Memory, current: &Current) -> Result<Vec<Write>> {
    checks::memory(memory)?;
    if memory.swappiness.is_some() {
        return Err(only_v1("memory.swappiness"));
    }
    if memory.disable_oom_killer == Some(true) {
        return Err(only_v1("memory.disableOOMKiller"));
    }
    if memory.kernel_tcp.is_some_and(|limit| limit > 0) {
        return Err(only_v1("memory.kernelTCP"));
    }
    let mut list = Vec::new();
    let mut add = |field, file, value: Option<i64>| {
        let value = value.filter(|it| *it != 0).map(max_or);
        list.extend(value.map(|value| Write::new(Controller::Memory, field, file, value)));
    };
    add("memory.limit", "memory.max", memory.limit);
    add("memory.reservation", "memory.low", memory.reservation);
    if let Some(swap) = swap(memory, current)? {
        let write = Write::new(Controller::Memory, "memory.swap", "memory.swap.max", max_or(swap));
        // Where swap is not counted, there is either none, or no limit to it.
        list.push(if swap <= 0 { write.or_skip() } else { write });
    }
    Ok(list)
}

/// Swap alone, from memory and swap together, either of which may be as it is.
fn swap(memory: &Memory, current: &Current) -> Result<Option<i64>> {
    let given = checks::total_with_swap(memory).filter(|it| *it != 0);
    let limit = memory.limit.filter(|it| *it != 0);
    let total = match (given, current.memory, current.swap) {
        (Some(-1), ..) => return Ok(Some(-1)),
        (Some(total), ..) => total,
        // The memory changes, and the total stays as it is.
        (None, Some(old), Some(swap)) if limit.is_some() && old >= 0 && swap >= 0 => old + swap,
        (None, ..) => return Ok(None),
    };
    match limit.or(current.memory) {
        Some(limit) if limit > total => {
            let reason = format!("{limit} is above {total}, the limit of memory and swap together");
            Err(Error::resource("memory.limit", reason))
        }
        Some(limit) if limit >= 0 => Ok(Some(total - limit)),
        _ => Err(Error::resource(
            "memory.swap",
            format!("{total} needs a memory.limit, of which it is a part"),
        )),
    }
}

fn max_or(size: i64) -> String {
    if size < 0 { "max".to_owned() } else { size.to_string() }
}

fn block_io(block_io: &BlockIo) -> Result<Vec<Write>> {
    checks::weights(block_io)?;
    let new = |field: &'static str, file: &'static str, value: String| {
        Write::new(Controller::BlockIo, field, file, value)
    };
    let mut list = Vec::new();
    // BFQ has the weights of the configuration; the cost model has 1 to 10000.
    if let Some(weight) = block_io.weight.filter(|it| *it != 0) {
        let write = new("blockIO.weight", "io.bfq.weight", weight.to_string());
        list.push(write.or_to("io.weight", cost_weight(weight).to_string()));
    }
    if block_io.leaf_weight.is_some_and(|it| it != 0) {
        return Err(only_v1("blockIO.leafWeight"));
    }
    for device in &block_io.weight_device {
        if device.leaf_weight.is_some_and(|it| it != 0) {
            return Err(only_v1("blockIO.weightDevice.leafWeight"));
        }
        if let Some(weight) = device.weight.filter(|it| *it != 0) {
            let line = |weight: u16| format!("{}:{} {weight}", device.major, device.minor);
            let write = new("blockIO.weightDevice", "io.bfq.weight", line(weight));
            list.push(write.or_to("io.weight", line(cost_weight(weight))));
        }
    }
    let mut throttle = |field: &'static str, key: &str, rates: &[DeviceRate]| {
        for DeviceRate { major, minor, rate } in rates {
            let rate = if *rate == 0 { "max".to_owned() } else { rate.to_string() };
            list.push(new(field, "io.max", format!("{major}:{minor} {key}={rate}")));
        }
    };
    throttle("blockIO.throttleReadBpsDevice", "rbps", &block_io.read_bps);
    throttle("blockIO.throttleWriteBpsDevice", "wbps", &block_io.write_bps);
    throttle("blockIO.throttleReadIOPSDevice", "riops", &block_io.read_iops);
    throttle("blockIO.throttleWriteIOPSDevice", "wiops", &block_io.write_iops);
    Ok(list)
}

/// 10 to 1000 stretched to 1 to 10000.
fn cost_weight(weight: u16) -> u16 {
    let weight = 1 + (u32::from(weight) - 10) * 9999 / 990;
    u16::try_from(weight).unwrap_or(10_000)
}

/// Files of v2 that the user names, and what to write there.
pub(in super::super) fn unified(files: &[(String, String)]) -> Result<Vec<Write>> {
    let mut list = Vec::new();
    for (file, value) in files {
        let field = format!("unified.{file}");
        if file.contains(['/', '\0']) || !file.contains('.') || file.starts_with('.') {
            return Err(Error::resource(field, "this is not the name of a file of cgroup v2"));
        }
        let mut write = Write::new(Controller::Cpu, field, file.clone(), value);
        write.controller = None;
        list.push(write);
    }
    Ok(list)
}

#[cfg(test)]
mod tests;
