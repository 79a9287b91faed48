//! What a group uses, and what happens to it.

use std::os::fd::AsFd as _;

use anyhow::{Result, ensure};
use kernel::cgroup::{Event, Events, Memory, Resources};
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};

use sys::rustix::process::{WaitOptions, waitpid};

use super::cgroup::{create, start};
use crate::expect_eq;
use crate::support::until;

fn limited() -> Resources {
    let limit = Some(32 << 20);
    let memory = Memory { limit, swap: limit, ..Memory::default() };
    Resources { memory, pids: Some(50), ..Resources::default() }
}

/// The next things that happen, or an error when nothing does.
fn wait(events: &mut Events) -> Result<Vec<Event>> {
    let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
    loop {
        let ready = poll(&mut [PollFd::new(&events.as_fd(), PollFlags::IN)], Some(&limit))?;
        ensure!(ready == 1, "nothing happens");
        let happened = events.take()?;
        if !happened.is_empty() {
            return Ok(happened);
        }
    }
}

pub(crate) fn use_is_counted() -> Result<()> {
    let group = create(limited())?;
    start(&group.entry()?, || {
        let memory = vec![1_u8; 8 << 20];
        let mut sum = 0_u64;
        loop {
            sum = memory.iter().fold(sum, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
            std::hint::black_box(sum);
        }
    })?;
    until("it has used something", || {
        let found = group.statistics();
        found.is_ok_and(|all| all.cpu.user > 1_000_000 && all.memory.memory.usage > 8 << 20)
    })?;
    let all = group.statistics()?;
    expect_eq!(all.memory.memory.limit, Some(32 << 20), "memory");
    expect_eq!(all.memory.with_swap.limit, Some(32 << 20), "memory and swap");
    expect_eq!((all.pids.usage, all.pids.limit), (1, Some(50)), "pids");
    // Time in user mode is counted by ticks, and so may be ahead by one of each processor.
    let ticks = 10_000_000 * all.cpu.per_cpu.len().max(1) as u64;
    ensure!(all.cpu.user <= all.cpu.total + ticks && all.cpu.total < 1 << 40, "{:?}", all.cpu);
    ensure!(all.memory.memory.usage < 32 << 20, "{:?}", all.memory.memory);
    ensure!(all.memory.raw.len() > 10, "{:?}", all.memory.raw);
    ensure!(!all.cpu_set.cpus.is_empty() && all.cpu_set.mems.contains(&0), "{:?}", all.cpu_set);
    Ok(())
}

pub(crate) fn a_lack_of_memory_and_the_end_are_told() -> Result<()> {
    let group = create(limited())?;
    let mut events = group.events()?;
    expect_eq!(events.take()?, [], "nothing has happened");
    let pid = start(&group.entry()?, || {
        let mut memory = vec![0_u8; 128 << 20];
        memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        std::hint::black_box(memory);
    })?;
    // On cgroup v1 they come by ways of their own, and the end may be told first.
    let mut happened = wait(&mut events)?;
    while !(happened.contains(&Event::OutOfMemory) && happened.contains(&Event::Ended)) {
        happened.extend(wait(&mut events)?);
    }
    let (_, status) =
        waitpid(Some(pid), WaitOptions::empty())?.ok_or_else(|| anyhow::anyhow!("no child"))?;
    expect_eq!(status.terminating_signal(), Some(libc::SIGKILL), "its end");
    expect_eq!(group.statistics()?.memory.killed, 1, "killed");
    Ok(())
}

pub(crate) fn the_removal_of_a_group_is_told() -> Result<()> {
    let group = create(limited())?;
    let mut events = group.events()?;
    start(&group.entry()?, || {})?;
    until("it is there", || group.pids().is_ok_and(|pids| pids.len() == 1))?;
    group.remove()?;
    expect_eq!(wait(&mut events)?, [Event::Ended], "only the end");
    Ok(())
}
