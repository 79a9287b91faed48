//! What a container may use.

use super::devices;
use crate::error::Result;
use crate::settings::{DiskLimit, Settings};
use spec::runtime::{BlockIo, Cpu, Memory, Pids, Resources, ThrottleDevice};

/// The usual period in which a quota of processor time counts, in microseconds.
const PERIOD: u64 = 100_000;

/// More processes than this no container needs that is not out of hand.
const PROCESSES: i64 = 4096;

/// An unprivileged user has what he asks for, and nothing that only a cgroup of his own could give.
pub(crate) fn resources(settings: &Settings, unprivileged: bool) -> Result<Resources<'static>> {
    let limits = limits(settings)?;
    if unprivileged {
        let pids = settings.limits.pids.map(|limit| Pids { limit: Some(limit) });
        return Ok(Resources { pids, ..limits });
    }
    Ok(Resources { devices: devices::rules(settings)?, ..limits })
}

/// Without the rules about devices, for an update.
pub(crate) fn limits(settings: &Settings) -> Result<Resources<'static>> {
    Ok(Resources {
        memory: memory(settings)?,
        cpu: cpu(settings)?,
        pids: Some(Pids { limit: Some(settings.limits.pids.unwrap_or(PROCESSES)) }),
        block_io: disks(settings)?,
        ..Resources::default()
    })
}

fn memory(settings: &Settings) -> Result<Option<Memory>> {
    let limits = &settings.limits;
    // As Docker: as much swap as memory where only that is said.
    let swap = limits.memory_swap.or(limits.memory.map(|memory| memory.saturating_mul(2)));
    if let (Some(memory), Some(swap)) = (limits.memory, limits.memory_swap)
        && swap != -1
        && swap < memory
    {
        return super::wrong("--memory-swap", &swap.to_string(), "is less than --memory");
    }
    let memory = Memory {
        limit: limits.memory,
        swap,
        reservation: limits.memory_reservation,
        swappiness: limits.memory_swappiness,
        disable_oom_killer: limits.oom_kill_disable.then_some(true),
        ..Memory::default()
    };
    Ok(Some(memory).filter(|memory| *memory != Memory::default()))
}

fn cpu(settings: &Settings) -> Result<Option<Cpu<'static>>> {
    let limits = &settings.limits;
    let by_count = limits.nano_cpus.map(|nano| i64::try_from(nano / 10_000).unwrap_or(i64::MAX));
    if by_count.is_some() && (limits.cpu_quota.is_some() || limits.cpu_period.is_some()) {
        return super::wrong("--cpus", "", "and --cpu-quota or --cpu-period cannot be combined");
    }
    let cpu = Cpu {
        shares: limits.cpu_shares,
        quota: limits.cpu_quota.or(by_count),
        period: limits.cpu_period.or(by_count.map(|_| PERIOD)),
        cpus: limits.cpuset_cpus.clone().into(),
        mems: limits.cpuset_mems.clone().into(),
        ..Cpu::default()
    };
    Ok(Some(cpu).filter(|cpu| *cpu != Cpu::default()))
}

fn disks(settings: &Settings) -> Result<Option<BlockIo>> {
    let limits = &settings.limits;
    let mut all = BlockIo { weight: limits.blkio_weight, ..BlockIo::default() };
    for (what, path, rate) in &limits.disks {
        let (major, minor) = devices::numbers(path)?;
        let limit = ThrottleDevice { major, minor, rate: *rate };
        match what {
            DiskLimit::ReadBytes => all.throttle_read_bps.push(limit),
            DiskLimit::WriteBytes => all.throttle_write_bps.push(limit),
            DiskLimit::ReadTimes => all.throttle_read_iops.push(limit),
            DiskLimit::WriteTimes => all.throttle_write_iops.push(limit),
        }
    }
    Ok(Some(all).filter(|all| *all != BlockIo::default()))
}
