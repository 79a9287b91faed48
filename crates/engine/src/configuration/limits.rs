//! What a container may use.

use super::devices;
use crate::error::{Error, Result};
use crate::settings::{self, DiskLimit, Settings};
use spec::runtime::{BlockIo, Cpu, Memory, Pids, Resources, ThrottleDevice};

/// The usual period in which a quota of processor time counts, in microseconds.
const PERIOD: u64 = 100_000;

/// More processes than this no container needs that is not out of hand.
const PROCESSES: i64 = 4096;

/// The most that the kernel takes, in microseconds.
const LONGEST: i64 = (1 << 44) - 1;

/// As many processes as Linux can have.
const MOST_PROCESSES: i64 = 4 << 20;

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
    let processes = settings.limits.pids.unwrap_or(PROCESSES);
    if processes > MOST_PROCESSES {
        let what = format!("is more than the {MOST_PROCESSES} that there can be; -1 is any");
        return super::wrong("--pids-limit", &processes.to_string(), &what);
    }
    let unified = settings.limits.unified.iter();
    Ok(Resources {
        memory: memory(settings)?,
        cpu: cpu(settings)?,
        pids: Some(Pids { limit: Some(processes) }),
        block_io: disks(settings)?,
        unified: unified.map(|(name, value)| (name.clone(), value.clone().into())).collect(),
        ..Resources::default()
    })
}

impl settings::Limits {
    /// Bytes of memory and swap together; -1: any. As Docker: as much swap as memory where only that
    /// is said.
    pub fn swap(&self) -> Option<i64> {
        let twice = |memory: i64| if memory < 0 { -1 } else { memory.saturating_mul(2) };
        self.memory_swap.or(self.memory.map(twice))
    }
}

fn memory(settings: &Settings) -> Result<Option<Memory>> {
    let limits = &settings.limits;
    let swap = limits.swap();
    if let (Some(swap @ 0..), None | Some(..0)) = (limits.memory_swap, limits.memory) {
        let what = "is of memory and swap together, and needs --memory";
        return super::wrong("--memory-swap", &swap.to_string(), what);
    }
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
        let text = "--cpus and --cpu-quota or --cpu-period cannot be combined";
        return Err(Error::invalid(text));
    }
    if let Some(period) = limits.cpu_period.filter(|it| !(1000..=1_000_000).contains(it)) {
        let what = "is no period of 1000 to 1000000 microseconds";
        return super::wrong("--cpu-period", &period.to_string(), what);
    }
    if let Some(quota) = limits.cpu_quota.filter(|it| *it != -1 && !(1000..=LONGEST).contains(it)) {
        let what = format!("is neither -1 for any nor 1000 to {LONGEST} microseconds");
        return super::wrong("--cpu-quota", &quota.to_string(), &what);
    }
    check_set("--cpuset-cpus", &limits.cpuset_cpus, "cpu")?;
    check_set("--cpuset-mems", &limits.cpuset_mems, "node")?;
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

/// Whether it is a list of processors or memory nodes, all of which the machine has.
fn check_set(flag: &str, list: &str, kind: &str) -> Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    let wrong = |error| Error::invalid(format!("{flag}: {error}"));
    kernel::credentials::parse_list(list).map_err(wrong)?;
    let path = format!("/sys/devices/system/{kind}/online");
    let Ok(online) = std::fs::read_to_string(path) else { return Ok(()) };
    let has = |number: u32| ranges(&online).any(|(first, last)| (first..=last).contains(&number));
    let mut wanted = ranges(list).flat_map(|(first, last)| first..=last);
    match wanted.find(|number| !has(*number)) {
        Some(number) => {
            let what = format!("has {number}, and this machine has {}", online.trim_end());
            super::wrong(flag, list, &what)
        }
        None => Ok(()),
    }
}

fn ranges(list: &str) -> impl Iterator<Item = (u32, u32)> {
    list.trim_end().split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    })
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
