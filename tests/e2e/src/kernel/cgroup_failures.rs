//! What must not go wrong when something else does.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use kernel::cgroup::{Cgroups, Cpu, Description, Driver, Memory, Resources};
use sys::process::exit_now;

use super::cgroup::{
    USER, become_user, create, folders, path, run, see_v1_alone, see_v2_alone, start,
};
use crate::expect_eq;
use crate::helper::bomb;
use crate::support::until;

pub(crate) fn an_occupied_group_is_refused() -> Result<()> {
    let group = create(Resources::default())?;
    start(&group.entry()?, || {})?;
    until("it is there", || group.pids().is_ok_and(|pids| pids.len() == 1))?;
    let Err(error) = create(Resources::default()) else { bail!("two containers share a group") };
    let text = error.to_string();
    let wanted = "container's cgroup is not empty: 1 process(es) found in ";
    ensure!(text.starts_with(wanted), "{text}");
    expect_eq!(group.pids()?.len(), 1, "processes of the first");
    Ok(())
}

pub(crate) fn an_empty_group_that_was_there_is_used() -> Result<()> {
    let group = create(Resources::default())?;
    // The owner of the file tells whether it is still the same group.
    let marked = folders(&*group)[0].join("cgroup.procs");
    std::os::unix::fs::chown(&marked, Some(54_321), None)?;
    let again = create(Resources { pids: Some(5), ..Resources::default() })?;
    expect_eq!(std::os::unix::fs::MetadataExt::uid(&marked.metadata()?), 54_321, "its owner");
    again.remove()?;
    Ok(())
}

pub(crate) fn a_failed_creation_leaves_nothing() -> Result<()> {
    let cgroups = Cgroups::find(&Driver::Files, false)?;
    let location = cgroups.locate(Some(&format!("{}/inner", path())), "unused")?;
    // No machine has this processor, which only the kernel can tell.
    let cpu = Cpu { cpus: Some("4000".into()), ..Cpu::default() };
    let prepared = cgroups.prepare(&location, Resources { cpu, ..Resources::default() })?;
    let made = prepared.description();
    let Err(error) = prepared.create() else { bail!("it was made") };
    let text = error.to_string();
    ensure!(text.starts_with("cpu.cpus: cannot write \"4000\" to cpuset.cpus: "), "{text}");
    for folder in made.v1.iter().map(|(_, path)| path).chain(&made.v2) {
        let outer = Path::new(folder).parent().context("a parent")?;
        ensure!(outer.ends_with(&path()[1..]), "{outer:?}");
        ensure!(!outer.exists(), "{} is left", outer.display());
    }
    Ok(())
}

pub(crate) fn what_a_killed_runtime_leaves_is_found_and_removed() -> Result<()> {
    let cgroups = Cgroups::find(&Driver::Files, false)?;
    let location = cgroups.locate(Some(&path()), "unused")?;
    let prepared = cgroups.prepare(&location, Resources::default())?;
    // As it is written down, before anything is made.
    let text = serde_json::to_string(&prepared.description())?;
    let code = run(&Default::default(), || match prepared.create() {
        Ok(group) => {
            let started = group.entry().map_err(Into::into).and_then(|entry| start(&entry, || {}));
            // No destructor runs.
            exit_now(if started.is_ok() { 7 } else { 1 })
        }
        Err(_) => 1,
    })?;
    expect_eq!(code, 7, "exit code");
    let description: Description = serde_json::from_str(&text)?;
    let group = description.open();
    until("its process is there", || group.pids().is_ok_and(|pids| pids.len() == 1))?;
    group.remove()?;
    let left = folders(&*group);
    ensure!(left.iter().all(|folder| !folder.exists()), "left: {left:?}");
    Ok(())
}

/// A fork bomb that ignores TERM: every process starts others while it is being killed.
fn kill_a_bomb() -> Result<()> {
    let limits = Resources { pids: Some(60), ..Resources::default() };
    // The v2 tree of a hybrid machine has no pids controller.
    let group = create(limits).or_else(|_| create(Resources::default()))?;
    let no_more = rustix::process::Rlimit { current: Some(300), maximum: Some(300) };
    start(&group.entry()?, || {
        let _ = rustix::process::setrlimit(rustix::process::Resource::Nproc, no_more);
        let _ = become_user();
        bomb();
    })?;
    until("the bomb has gone off", || group.pids().is_ok_and(|pids| pids.len() > 50))?;
    group.kill()?;
    expect_eq!(group.pids()?, [0; 0], "left");
    group.remove()?;
    Ok(())
}

pub(crate) fn a_fork_bomb_is_killed() -> Result<()> {
    kill_a_bomb()
}

pub(crate) fn a_fork_bomb_is_killed_on_v1() -> Result<()> {
    if !see_v1_alone()? {
        return harness::skip("no cgroup v1 here");
    }
    kill_a_bomb()
}

pub(crate) fn without_rights_a_container_has_no_group_and_no_limits() -> Result<()> {
    let code = run(&Default::default(), || {
        let tried = become_user().and_then(|()| try_without_rights());
        tried.map_or_else(
            |error| {
                println!("{error:#}");
                1
            },
            |()| 0,
        )
    })?;
    expect_eq!(code, 0, "exit code");
    Ok(())
}

fn try_without_rights() -> Result<()> {
    let cgroups = Cgroups::find(&Driver::Files, true)?;
    let location = cgroups.locate(Some(&path()), "unused")?;
    let group = cgroups.prepare(&location, Resources::default())?.create()?;
    expect_eq!(group.description(), Description::default(), "what was made");
    let entry = group.entry()?;
    ensure!(entry.clone_into().is_none(), "an entry");
    entry.enter()?;
    group.remove()?;

    let limits = Resources { pids: Some(9), ..Resources::default() };
    let Err(error) = cgroups.prepare(&location, limits)?.create() else { bail!("it was made") };
    let text = error.to_string();
    ensure!(text.starts_with("cannot limit resources: no cgroup can be made: mkdir("), "{text}");
    ensure!(text.contains("Permission denied"), "{text}");
    Ok(())
}

pub(crate) fn a_user_makes_groups_below_one_of_theirs() -> Result<()> {
    see_v2_alone()?;
    let group = create(Resources::default())?;
    group.delegate(USER)?;
    // Processes are in leaves: the user's own shell is in one, and the container gets another.
    let own = folders(&*group)[0].join("shell");
    std::fs::create_dir(&own)?;
    for file in ["", "cgroup.procs"] {
        std::os::unix::fs::chown(own.join(file), Some(USER), None)?;
    }
    let entry = group.entry_below(&[kernel::cgroup::SubGroup::parse("shell")?])?;
    let controllers = std::fs::read_to_string(folders(&*group)[0].join("cgroup.controllers"))?;
    let limits = controllers.contains("pids");
    let code = run(&entry, || {
        let tried = become_user().and_then(|()| try_below(limits));
        tried.map_or_else(
            |error| {
                println!("{error:#}");
                1
            },
            |()| 0,
        )
    })?;
    expect_eq!(code, 0, "exit code");
    Ok(())
}

fn try_below(limits: bool) -> Result<()> {
    let cgroups = Cgroups::find(&Driver::Files, true)?;
    let memory = Memory { limit: Some(64 << 20), ..Memory::default() };
    let limited = Resources { pids: Some(9), memory, ..Resources::default() };
    let resources = if limits { limited } else { Resources::default() };
    let group = cgroups.prepare(&cgroups.locate(None, "box")?, resources)?.create()?;
    let folder = group.description().v2.context("a group")?;
    ensure!(folder.ends_with("/box") && !folder.contains("/shell/"), "{folder}");
    if limits {
        let read = |file| std::fs::read_to_string(Path::new(&folder).join(file));
        expect_eq!(read("pids.max")?.trim_end(), "9", "pids.max");
        expect_eq!(read("memory.max")?.trim_end(), "67108864", "memory.max");
    }
    let pid = start(&group.entry()?, || {})?;
    expect_eq!(group.pids()?, [pid.as_raw_nonzero().get()], "processes");
    group.freeze()?;
    group.remove()?;
    ensure!(!Path::new(&folder).exists(), "{folder} is left");
    Ok(())
}

pub(crate) fn a_process_joins_where_another_has_gone() -> Result<()> {
    see_v2_alone()?;
    let group = create(Resources::default())?;
    let first = start(&group.entry()?, || {})?.as_raw_nonzero().get();
    let folder = &folders(&*group)[0];
    std::fs::create_dir(folder.join("moved"))?;
    std::fs::write(folder.join("moved/cgroup.procs"), first.to_string())?;
    let second = start(&group.entry_beside(first)?, || {})?.as_raw_nonzero().get();
    let text = std::fs::read_to_string(folder.join("moved/cgroup.procs"))?;
    expect_eq!(text, format!("{first}\n{second}\n"), "processes of the group below");
    let stranger = i32::try_from(std::process::id())?;
    ensure!(group.entry_beside(stranger).is_err(), "joined a process outside");
    Ok(())
}
