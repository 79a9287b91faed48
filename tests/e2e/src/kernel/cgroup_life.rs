//! A group from its creation to its removal.

use anyhow::{Result, bail, ensure};
use kernel::cgroup::{Cgroups, Cpu, Description, Driver, Memory, Resources};

use super::cgroup::{create, folders, groups_of, path, read, see_v1_alone, see_v2_alone, start};
use crate::expect_eq;
use crate::support::until;

pub(crate) fn a_process_is_in_every_group_from_the_start() -> Result<()> {
    let group = create(Resources::default())?;
    let made = folders(&*group);
    ensure!(made.iter().all(|folder| folder.is_dir()), "{made:?}");
    let pid = start(&group.entry()?, || {})?;
    until("it has moved", || group.pids().is_ok_and(|pids| pids == [pid.as_raw_nonzero().get()]))?;
    until("it is in every group", || {
        groups_of(pid).is_ok_and(|groups| groups.iter().all(|(_, group)| *group == path()))
    })?;

    // Another process finds the group by what was remembered of it.
    let again = Description::open(&group.description());
    expect_eq!(again.pids()?, [pid.as_raw_nonzero().get()], "pids");
    again.remove()?;
    ensure!(made.iter().all(|folder| !folder.exists()), "left: {made:?}");
    again.remove()?;
    expect_eq!(again.pids()?, [0; 0], "pids");
    Ok(())
}

pub(crate) fn limits_are_written_and_changed() -> Result<()> {
    let memory = |limit: i64, swap: i64| Memory {
        limit: Some(limit << 20),
        swap: Some(swap << 20),
        ..Memory::default()
    };
    let cpu = |quota, period| Cpu { quota, period, ..Cpu::default() };
    let group = create(Resources {
        memory: memory(64, 96),
        cpu: cpu(Some(20_000), Some(50_000)),
        pids: Some(40),
        ..Resources::default()
    })?;
    expect_eq!(read(&*group, "pids.max")?, "40", "pids.max");
    let sizes = || -> Result<(u64, u64)> {
        let size = |file| Ok::<u64, anyhow::Error>(read(&*group, file)?.parse()?);
        match size("memory.limit_in_bytes") {
            Ok(limit) => Ok((limit >> 20, size("memory.memsw.limit_in_bytes")? >> 20)),
            Err(_) => {
                let limit = size("memory.max")? >> 20;
                Ok((limit, limit + (size("memory.swap.max")? >> 20)))
            }
        }
    };
    expect_eq!(sizes()?, (64, 96), "memory, and with swap");
    // Up, both above what the other was, and down again: the order of writing must differ.
    for (limit, swap) in [(128, 256), (32, 48)] {
        group.update(&Resources { memory: memory(limit, swap), ..Resources::default() })?;
        expect_eq!(sizes()?, (limit as u64, swap as u64), "memory, and with swap");
    }
    group.update(&Resources { cpu: cpu(Some(5000), Some(10_000)), ..Resources::default() })?;
    let quota = read(&*group, "cpu.max").or_else(|_| {
        let (quota, period) =
            (read(&*group, "cpu.cfs_quota_us")?, read(&*group, "cpu.cfs_period_us")?);
        Ok::<_, anyhow::Error>(format!("{quota} {period}"))
    })?;
    expect_eq!(quota, "5000 10000", "quota and period");
    Ok(())
}

/// On v2 the group above says that it hands a controller down before the files of it are there.
pub(crate) fn several_first_groups_at_once() -> Result<()> {
    let cgroups = Cgroups::find(&Driver::Files, false)?;
    let make = |path: &str| -> Result<()> {
        let limits = Resources { pids: Some(40), ..Resources::default() };
        let prepared = cgroups.prepare(&cgroups.locate(Some(path), "unused")?, limits)?;
        let group = prepared.create()?;
        expect_eq!(read(&*group, "pids.max")?, "40", "pids.max");
        Ok(())
    };
    let _all = create(Resources::default())?;
    for round in 0..30 {
        let folder = format!("{}/{round}", path());
        std::thread::scope(|scope| {
            let (make, folder) = (&make, &folder);
            let makers =
                (0..4).map(|number| scope.spawn(move || make(&format!("{folder}/{number}"))));
            let makers: Vec<_> = makers.collect();
            makers.into_iter().try_for_each(|it| it.join().unwrap_or_else(|_| bail!("a panic")))
        })?;
    }
    Ok(())
}

pub(crate) fn freezing_and_killing_reach_groups_below() -> Result<()> {
    let group = create(Resources::default())?;
    for folder in folders(&*group) {
        std::fs::create_dir(folder.join("below"))?;
    }
    let below = [kernel::cgroup::SubGroup::parse("below")?];
    // A cpuset of v1 below needs its processors before anyone can enter.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        for folder in folders(&*group)
            .iter()
            .filter(|folder| folder.join("cpuset.sched_load_balance").exists())
        {
            std::fs::copy(folder.join(file), folder.join("below").join(file))?;
        }
    }
    start(&group.entry()?, || {})?;
    start(&group.entry_below(&below)?, || {})?;
    until("both are there", || group.pids().is_ok_and(|pids| pids.len() == 2))?;
    group.freeze()?;
    ensure!(group.is_frozen()?, "not frozen");
    group.entry()?;
    group.thaw()?;
    ensure!(!group.is_frozen()?, "still frozen");
    group.freeze()?;
    group.kill()?;
    expect_eq!(group.pids()?, [0; 0], "pids");
    Ok(())
}

pub(crate) fn a_process_is_in_its_group_from_the_start_on_v2() -> Result<()> {
    see_v2_alone()?;
    let group = create(Resources::default())?;
    let pid = start(&group.entry()?, || {})?;
    // No waiting: the process was born there.
    expect_eq!(group.pids()?, [pid.as_raw_nonzero().get()], "pids");
    let found = groups_of(pid)?;
    let own = found.iter().find(|(controllers, _)| controllers.is_empty());
    expect_eq!(own.map(|(_, path)| path.as_str()), Some(path().as_str()), "group");
    let again = Description::open(&group.description());
    again.remove()?;
    ensure!(folders(&*group).iter().all(|folder| !folder.exists()), "a folder is left");
    Ok(())
}

pub(crate) fn freezing_and_killing_reach_groups_below_on_v2() -> Result<()> {
    see_v2_alone()?;
    freezing_and_killing_reach_groups_below()
}

/// Carries out a trial that has other reasons to exist without the tree of v2.
fn on_v1(trial: fn() -> Result<()>) -> Result<()> {
    if see_v1_alone()? { trial() } else { harness::skip("no cgroup v1 here") }
}

pub(crate) fn a_process_is_in_every_group_from_the_start_on_v1() -> Result<()> {
    on_v1(|| {
        let group = create(Resources::default())?;
        ensure!(group.description().v2.is_none(), "{:?}", group.description());
        let pid = start(&group.entry()?, || {})?;
        until("it is in every group", || {
            let all = |groups: Vec<(String, String)>| {
                groups.iter().filter(|it| !it.0.is_empty()).all(|(_, group)| *group == path())
            };
            groups_of(pid).is_ok_and(all)
        })
    })
}

pub(crate) fn freezing_and_killing_reach_groups_below_on_v1() -> Result<()> {
    on_v1(freezing_and_killing_reach_groups_below)
}

pub(crate) fn what_somebody_else_froze_is_seen_and_killed() -> Result<()> {
    let group = create(Resources::default())?;
    let Some(freezer) = folders(&*group).into_iter().find(|it| it.join("freezer.state").exists())
    else {
        return harness::skip("no freezer of cgroup v1 here");
    };
    start(&group.entry()?, || {})?;
    until("it is there", || group.pids().is_ok_and(|pids| pids.len() == 1))?;
    std::fs::write(freezer.join("freezer.state"), "FROZEN")?;
    ensure!(group.is_frozen()?, "not frozen");
    group.remove()?;
    ensure!(!freezer.exists(), "the folder is left");
    Ok(())
}
