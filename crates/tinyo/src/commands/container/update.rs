//! `tinyo update`.

use super::parse;
use crate::commands::fail;
use crate::context::Context;
use crate::show::print_line;
use anyhow::Result;
use clap::Args;
use engine::settings::{Limits, Restart};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Memory
    #[arg(short, long, value_name = "BYTES", value_parser = parse::bytes)]
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
    /// Processes and threads; -1: any
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Weight beside others for disks, 10 to 1000
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u16).range(10..=1000))]
    blkio_weight: Option<u16>,
    /// When it is started again: no, on-failure[:TIMES], always, unless-stopped
    #[arg(long, value_name = "POLICY", value_parser = parse::restart)]
    restart: Option<Restart>,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Arguments {
    fn limits(&self, before: &Limits) -> Limits {
        Limits {
            memory: self.memory.or(before.memory),
            memory_swap: self.memory_swap.or(before.memory_swap),
            memory_reservation: self.memory_reservation.or(before.memory_reservation),
            nano_cpus: self.cpus.or(before.nano_cpus),
            cpu_shares: self.cpu_shares.or(before.cpu_shares),
            cpu_period: self.cpu_period.or(before.cpu_period),
            cpu_quota: self.cpu_quota.or(before.cpu_quota),
            cpuset_cpus: self.cpuset_cpus.as_ref().unwrap_or(&before.cpuset_cpus).clone(),
            cpuset_mems: self.cpuset_mems.as_ref().unwrap_or(&before.cpuset_mems).clone(),
            pids: self.pids_limit.or(before.pids),
            blkio_weight: self.blkio_weight.or(before.blkio_weight),
            ..before.clone()
        }
    }
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let mut failures = Vec::new();
    for name in &arguments.containers {
        let updated = engine.find(name).and_then(|container| {
            let limits = arguments.limits(&container.settings.limits);
            engine.update(&container, limits, arguments.restart.clone())
        });
        match updated {
            Ok(()) => print_line(name)?,
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}
