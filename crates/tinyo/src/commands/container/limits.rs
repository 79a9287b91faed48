//! Flags about what a container may use.

use super::parse;
use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use engine::settings::{DiskLimit, Limits};
use sys::rustix::process::{Resource, Rlimit, getrlimit};

/// With less, not even its start succeeds.
const LEAST_MEMORY: i64 = 1 << 20;

/// Limits that can be changed while a container is there.
#[derive(Args, Default, PartialEq)]
pub(super) struct ChangeableLimits {
    /// Memory
    #[arg(short, long, value_name = "BYTES", value_parser = parse::bytes, allow_hyphen_values = true)]
    memory: Option<i64>,
    /// Memory and swap together; -1: any
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Memory that it keeps when the machine has little
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes)]
    memory_reservation: Option<i64>,
    /// Processors, such as 1.5
    #[arg(long, value_name = "COUNT", value_parser = parse::cpus)]
    cpus: Option<u64>,
    /// Weight beside others, usually 1024
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<u64>,
    /// Microseconds of a period
    #[arg(long, value_name = "TIME")]
    cpu_period: Option<u64>,
    /// Microseconds of processor time in each period
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Which processors, such as 0-3,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Which memory nodes
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Processes and threads; -1: any [default of a new container: 4096]
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pids_limit: Option<i64>,
    /// Weight beside others for disks, 10 to 1000
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u16).range(10..=1000))]
    blkio_weight: Option<u16>,
}

impl ChangeableLimits {
    /// Whether something is said.
    pub(super) fn are_any(&self) -> bool {
        *self != ChangeableLimits::default()
    }

    /// What is said here, and where nothing is said what was before.
    pub(super) fn over(&self, before: &Limits) -> Limits {
        let pids = self.pids_limit.map(|limit| if limit == 0 { -1 } else { limit });
        Limits {
            memory: said(self.memory).or(before.memory),
            memory_swap: said(self.memory_swap).or(before.memory_swap),
            memory_reservation: said(self.memory_reservation).or(before.memory_reservation),
            nano_cpus: said(self.cpus).or(before.nano_cpus),
            cpu_shares: said(self.cpu_shares).or(before.cpu_shares),
            cpu_period: said(self.cpu_period).or(before.cpu_period),
            cpu_quota: said(self.cpu_quota).or(before.cpu_quota),
            cpuset_cpus: self.cpuset_cpus.as_ref().unwrap_or(&before.cpuset_cpus).clone(),
            cpuset_mems: self.cpuset_mems.as_ref().unwrap_or(&before.cpuset_mems).clone(),
            pids: pids.or(before.pids),
            blkio_weight: self.blkio_weight.or(before.blkio_weight),
            ..before.clone()
        }
    }
}

/// As with Docker and Podman, who says 0 says nothing.
fn said<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

#[derive(Args)]
pub(super) struct LimitOptions {
    #[command(flatten)]
    changeable: ChangeableLimits,
    /// How readily memory is swapped, 0 to 100
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    memory_swappiness: Option<u64>,
    /// Processes wait for memory instead of being killed (cgroup v1)
    #[arg(long)]
    oom_kill_disable: bool,
    /// How likely it is killed when the machine has no memory, -1000 to 1000
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true, value_parser = clap::value_parser!(i32).range(-1000..=1000))]
    oom_score_adj: Option<i32>,
    /// DISK:BYTES that may be read a second
    #[arg(long, value_name = "LIMIT")]
    device_read_bps: Vec<String>,
    /// DISK:BYTES that may be written a second
    #[arg(long, value_name = "LIMIT")]
    device_write_bps: Vec<String>,
    /// DISK:TIMES that may be read a second
    #[arg(long, value_name = "LIMIT")]
    device_read_iops: Vec<String>,
    /// DISK:TIMES that may be written a second
    #[arg(long, value_name = "LIMIT")]
    device_write_iops: Vec<String>,
    /// A limit of each process, NAME=SOFT[:HARD], or host for all those of the caller
    #[arg(long, value_name = "LIMIT", value_parser = ulimits)]
    ulimit: Vec<Ulimits>,
    /// A kernel parameter, NAME=VALUE
    #[arg(long, value_name = "PARAMETER", value_parser = parse::sysctl)]
    sysctl: Vec<(String, String)>,
    /// Size of /dev/shm [default: 64m]
    #[arg(long, value_name = "BYTES", value_parser = parse::size)]
    shm_size: Option<u64>,
}

/// Limits of processes: name, soft, hard.
#[derive(Clone)]
struct Ulimits(Vec<(String, u64, u64)>);

fn ulimits(text: &str) -> Result<Ulimits, String> {
    if text == "host" { Ok(own_ulimits()) } else { parse::ulimit(text).map(|it| Ulimits(vec![it])) }
}

/// Those of the caller, whoever starts the container later.
fn own_ulimits() -> Ulimits {
    let value = |value: Option<u64>| value.unwrap_or(u64::MAX);
    let limit = |(name, resource): &(&str, Resource)| {
        let Rlimit { current, maximum } = getrlimit(*resource);
        ((*name).to_owned(), value(current), value(maximum))
    };
    Ulimits(RESOURCES.iter().map(limit).collect())
}

// tidy: table
const RESOURCES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

impl LimitOptions {
    pub(super) fn settings(&self) -> Result<Limits> {
        let memory = self.changeable.memory;
        if memory.is_some_and(|memory| (1..LEAST_MEMORY).contains(&memory)) {
            bail!("--memory: no program starts with less than 1m");
        }
        Ok(Limits {
            memory_swappiness: self.memory_swappiness,
            oom_kill_disable: self.oom_kill_disable,
            oom_score_adj: self.oom_score_adj,
            disks: self.disks()?,
            ulimits: self.ulimits(),
            sysctls: self.sysctl.iter().cloned().collect(),
            shm_size: self.shm_size,
            ..self.changeable.over(&Limits::default())
        })
    }

    /// Of several of the same name, the last one counts.
    fn ulimits(&self) -> Vec<(String, u64, u64)> {
        let mut all: Vec<(String, u64, u64)> = Vec::new();
        for limit in self.ulimit.iter().flat_map(|it| &it.0) {
            all.retain(|(name, ..)| *name != limit.0);
            all.push(limit.clone());
        }
        all
    }

    fn disks(&self) -> Result<Vec<(DiskLimit, String, u64)>> {
        let mut all = Vec::new();
        for (what, flag, texts) in [
            (DiskLimit::ReadBytes, "--device-read-bps", &self.device_read_bps),
            (DiskLimit::WriteBytes, "--device-write-bps", &self.device_write_bps),
            (DiskLimit::ReadTimes, "--device-read-iops", &self.device_read_iops),
            (DiskLimit::WriteTimes, "--device-write-iops", &self.device_write_iops),
        ] {
            for text in texts {
                let (disk, rate) = text
                    .rsplit_once(':')
                    .with_context(|| format!("{flag}: {text:?} is not like /dev/sda:10m"))?;
                let rate = parse::size(rate).map_err(|why| anyhow!("{flag}: {why}"))?;
                std::fs::metadata(disk).with_context(|| format!("{flag}: {disk}"))?;
                all.push((what, disk.to_owned(), rate));
            }
        }
        Ok(all)
    }
}
