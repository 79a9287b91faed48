//! `update`: other limits, from a file and from flags; the flags count where both name one.

use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result};
use spec::runtime::{Cpu, Memory, Pids, Resources};
use std::io::Read;
use std::path::Path;
use tinyort::flag::Flag;
use tinyort::flags::{self, *};
use tinyort::parse::Flags;
use tinyort::quantity;

pub(crate) fn update(context: &Context<'_>) -> Result<ExitCode> {
    let flags = context.flags;
    let text = flags.path(&RESOURCES).map(read).transpose()?;
    let mut resources = match &text {
        Some(text) => spec::json::parse(text).or_fail("--resources")?,
        None => Resources::default(),
    };
    change(&mut resources, flags)?;
    if flags.has(&KERNEL_MEMORY) {
        let _: Option<i64> = size(flags, &KERNEL_MEMORY)?;
        context.log.warn("--kernel-memory has no effect: the kernel has no such limit any more");
    }
    let schemata = [&flags::L3_CACHE_SCHEMA, &flags::MEM_BW_SCHEMA];
    let schemata: Vec<_> = schemata.into_iter().filter_map(|flag| flags.text(flag)).collect();
    runtime::update(&context.root, &context.id()?, &resources, &schemata)?;
    Ok(ExitCode::SUCCESS)
}

/// `-` is standard input.
fn read(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() != "-" {
        return std::fs::read(path).or_fail(path.display());
    }
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text).or_fail("standard input")?;
    Ok(text)
}

fn change<'a>(resources: &mut Resources<'a>, flags: &'a Flags) -> Result<()> {
    if let Some(weight) = flags.number(&BLKIO_WEIGHT)? {
        resources.block_io.get_or_insert_default().weight = Some(weight);
    }
    if let Some(limit) = flags.number(&PIDS_LIMIT)? {
        resources.pids = Some(Pids { limit: Some(limit) });
    }
    let mut cpu = resources.cpu.take().unwrap_or_default();
    change_cpu(&mut cpu, flags)?;
    resources.cpu = Some(cpu).filter(|cpu| *cpu != Cpu::default());
    let mut memory = resources.memory.take().unwrap_or_default();
    change_memory(&mut memory, flags)?;
    resources.memory = Some(memory).filter(|memory| *memory != Memory::default());
    Ok(())
}

fn change_cpu<'a>(cpu: &mut Cpu<'a>, flags: &'a Flags) -> Result<()> {
    cpu.period = flags.number(&CPU_PERIOD)?.or(cpu.period);
    cpu.quota = flags.number(&CPU_QUOTA)?.or(cpu.quota);
    cpu.burst = flags.number(&CPU_BURST)?.or(cpu.burst);
    cpu.shares = flags.number(&CPU_SHARE)?.or(cpu.shares);
    cpu.realtime_period = flags.number(&CPU_RT_PERIOD)?.or(cpu.realtime_period);
    cpu.realtime_runtime = flags.number(&CPU_RT_RUNTIME)?.or(cpu.realtime_runtime);
    cpu.idle = flags.number(&CPU_IDLE)?.or(cpu.idle);
    if let Some(list) = flags.text(&CPUSET_CPUS) {
        cpu.cpus = list.into();
    }
    if let Some(list) = flags.text(&CPUSET_MEMS) {
        cpu.mems = list.into();
    }
    Ok(())
}

fn change_memory(memory: &mut Memory, flags: &Flags) -> Result<()> {
    memory.limit = size(flags, &MEMORY)?.or(memory.limit);
    memory.reservation = size(flags, &MEMORY_RESERVATION)?.or(memory.reservation);
    memory.swap = size(flags, &MEMORY_SWAP)?.or(memory.swap);
    memory.kernel_tcp = size(flags, &KERNEL_MEMORY_TCP)?.or(memory.kernel_tcp);
    Ok(())
}

/// A number of bytes, or -1.
fn size(flags: &Flags, flag: &Flag) -> Result<Option<i64>> {
    let Some(text) = flags.text(flag) else { return Ok(None) };
    let wrong =
        || format!("--{}: {text:?} is no size: give 512m, 2g, or -1 for no limit", flag.long);
    quantity::bytes(text).map(Some).or_fail(wrong())
}
