//! cgroup v2: one folder, and events to wait for.

mod controllers;
pub(super) mod devices;
pub(super) mod limits;
mod statistics;

use sys::rustix::event::{PollFd, PollFlags};
use sys::rustix::fs::OFlags;
use sys::rustix::io::Errno;

use std::os::fd::{AsFd as _, OwnedFd};

use super::creation::{Creation, Made};
use super::entry::Entry;
use super::error::{Error, Result};
use super::events::Events;
use super::files::Files;
use super::folder::{Folder, is_gone, reread};
use super::group::{Description, Group, SubGroup};
use super::layout::Membership;
use super::processes::{self, Deadline, poll_until};
use super::resources::{Memory, Resources};
use super::statistics::Statistics;
use super::write::{self, Controller, Write};

pub(super) use limits::Current;

/// The group's folder.
#[derive(Debug)]
pub(super) struct V2 {
    folder: Folder,
    /// Whether denials are expected.
    rootless: bool,
}

impl V2 {
    /// The group at this folder, which need not exist.
    pub(super) fn at(path: &str, rootless: bool) -> V2 {
        V2 { folder: Folder::at(path), rootless }
    }

    /// Makes the folder; false when that is not allowed.
    pub(super) fn make(&self, creation: &mut Creation) -> Result<bool> {
        Ok(creation.make(&self.folder)? != Made::Denied)
    }

    /// What to write for the controllers that `takes` names, and the user's own files.
    pub(super) fn limits(
        resources: &Resources,
        current: &Current,
        takes: impl Fn(Controller) -> bool,
    ) -> Result<Vec<Write>> {
        let mut writes = Vec::new();
        for controller in Controller::ALL.into_iter().filter(|controller| takes(*controller)) {
            writes.extend(limits::of(controller, resources, current)?);
        }
        writes.extend(limits::unified(&resources.unified)?);
        Ok(writes)
    }

    /// Writes, after the controllers it takes were handed down to the group. Those of `wanted` are
    /// handed down too where that is possible: statistics need them.
    pub(super) fn apply(&self, writes: &[Write], wanted: &[&'static str]) -> Result<()> {
        let mut names: Vec<&str> = wanted.to_vec();
        for name in writes.iter().filter_map(controllers::needed) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return write::perform(writes, |_| Ok(&self.folder));
        }
        let failed = controllers::hand_down(&self.folder.parent(), &names);
        for write in writes.iter().filter(|write| !write.is_optional()) {
            let needed = controllers::needed(write);
            let cause = failed.iter().find(|(name, _)| Some(*name) == needed);
            if let Some((name, cause)) = cause {
                return Err(controllers::error(write, name, cause));
            }
        }
        let perform = || write::perform(writes, |_| Ok(&self.folder));
        match perform() {
            // Others hand the same down at this moment: the group above says so before the files are
            // there. To be told again, it has to wait for them.
            Err(Error::Write { source, .. }) if source.errno == Errno::NOENT => {
                let _ = controllers::add(&self.folder.parent(), &names);
                perform()
            }
            result => result,
        }
    }

    /// Sets the list of devices; without rights nobody can.
    pub(super) fn apply_devices(&self, resources: &Resources) -> Result<()> {
        match &resources.devices {
            Some(rules) if !self.rootless => {
                Ok(devices::apply(self.folder.open_itself()?.as_fd(), rules)?)
            }
            _ => Ok(()),
        }
    }

    /// What the group's files say now, as far as the update must know.
    pub(super) fn current(&self, resources: &Resources) -> Result<Current> {
        let mut current = Current::default();
        let Resources { cpu, memory, .. } = resources;
        if cpu.quota.is_some() != cpu.period.is_some()
            && let Some(text) = self.folder.read_if_there("cpu.max")?
        {
            current.cpu_max = text.trim_end().split_once(' ').map(|(a, b)| (a.into(), b.into()));
        }
        if memory.limit.is_some() != memory.swap.is_some() {
            current.memory = self.size("memory.max")?;
            current.swap = self.size("memory.swap.max")?;
        }
        Ok(current)
    }

    /// A size in bytes; -1 stands for `max`.
    fn size(&self, file: &str) -> Result<Option<i64>> {
        let Some(text) = self.folder.read_if_there(file)? else { return Ok(None) };
        match text.trim_end() {
            "max" => Ok(Some(-1)),
            number => match number.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Error::Unexpected { file: file.to_owned(), text }),
            },
        }
    }

    /// Opens the group, or one below, for `CLONE_INTO_CGROUP`.
    pub(super) fn open(&self, below: &[SubGroup]) -> Result<OwnedFd> {
        let folder = match below.last() {
            Some(group) => Folder::at(group.below(self.folder.path())),
            None => Folder::at(self.folder.path()),
        };
        Ok(folder.open_itself()?)
    }

    /// Removes the folder and those below. False when some still has a process.
    pub(super) fn try_remove(&self) -> Result<bool> {
        Ok(self.folder.remove()?)
    }

    /// Adds what tells that no process is left.
    pub(super) fn watch_end(&self, events: &mut Events) -> Result<()> {
        events.watch_cgroup_events(&self.folder)
    }

    /// The kernel would make room for a lower limit by killing; the user may want it to refuse.
    fn check_memory(&self, memory: &Memory) -> Result<()> {
        // With swap or without, what is in memory must fit.
        let limits = [memory.limit, memory.swap].into_iter().flatten();
        let lowest = limits.filter(|limit| *limit > 0).min();
        let Some(limit) = lowest.filter(|_| memory.check_before_update == Some(true)) else {
            return Ok(());
        };
        match self.size("memory.current")? {
            Some(usage) if usage > limit => Err(Error::MemoryInUse { limit, usage }),
            _ => Ok(()),
        }
    }

    /// Kills all at once, or on kernels before 5.14 one by one.
    pub(super) fn send_kill(&self) -> Result<()> {
        match self.folder.write("cgroup.kill", "1") {
            Err(error) if is_gone(error.errno) => {}
            other => return Ok(other?),
        }
        // There is no such file, or no group any more, which systemd may have removed just now.
        if self.pids()?.is_empty() {
            return Ok(());
        }
        // Frozen, none can fork or end; a killed process leaves a frozen v2 group by itself.
        self.freeze()?;
        let killed = self.pids().and_then(|pids| processes::kill(&pids));
        self.thaw()?;
        killed.map(drop)
    }

    /// Waits until no process is left.
    pub(super) fn wait_until_empty(&self) -> Result<()> {
        self.wait_for("populated 0", &Deadline::new("killing all processes of the cgroup"))
    }

    /// Waits until `cgroup.events` has this line. The kernel announces every change of the file.
    fn wait_for(&self, line: &str, deadline: &Deadline) -> Result<()> {
        let file = match self.folder.open("cgroup.events", OFlags::RDONLY) {
            Err(error) if is_gone(error.errno) => return Ok(()),
            other => other?,
        };
        loop {
            let Some(text) = reread(&file)? else { return Ok(()) };
            if text.lines().any(|found| found == line) {
                return Ok(());
            }
            poll_until(PollFd::new(&file, PollFlags::PRI), deadline)?;
        }
    }
}

impl Files for V2 {
    fn writes(&self, resources: &Resources, exists: bool) -> Result<Vec<Write>> {
        let current = if exists { self.current(resources)? } else { Current::default() };
        V2::limits(resources, &current, |_| true)
    }

    fn check_devices(&self, _: &Resources) -> Result<()> {
        Ok(())
    }

    fn has_v1_devices(&self) -> bool {
        false
    }

    fn create(
        self: Box<Self>,
        resources: &Resources,
        creation: &mut Creation,
    ) -> Result<Option<Box<dyn Files>>> {
        if !self.make(creation)? {
            return Ok(None);
        }
        self.apply(&self.writes(resources, false)?, &controllers::FOR_STATISTICS)?;
        self.apply_devices(resources)?;
        Ok(Some(self))
    }
}

impl Group for V2 {
    fn entry(&self) -> Result<Entry> {
        self.entry_below(&[])
    }

    fn first_process_entered(&self) -> Result<()> {
        Ok(())
    }

    fn entry_below(&self, groups: &[SubGroup]) -> Result<Entry> {
        Ok(Entry::new(Some(self.open(groups)?), Vec::new()))
    }

    fn entry_beside(&self, pid: i32) -> Result<Entry> {
        let groups = Membership::of(pid)?;
        let below = below(self.folder.path(), groups.v2().unwrap_or("/"));
        let folder = below.ok_or(Error::NoGroup("joining a process that is in none"))?;
        Ok(Entry::new(Some(Folder::at(folder).open_itself()?), Vec::new()))
    }

    fn delegate(&self, user: u32) -> Result<()> {
        // Linux 4.15 tells which files are for the owner of a group; until then it was these.
        let usual = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
        let files = Folder::at("/sys/kernel/cgroup").read_if_there("delegate")?;
        self.folder.give_to(user, files.as_deref().unwrap_or(usual).lines())?;
        Ok(())
    }

    fn add(&self, pid: i32) -> Result<()> {
        Ok(self.folder.write("cgroup.procs", &pid.to_string())?)
    }

    fn update(&self, resources: &Resources) -> Result<()> {
        self.check_memory(&resources.memory)?;
        self.apply(&self.writes(resources, true)?, &[])?;
        self.apply_devices(resources)
    }

    fn freeze(&self) -> Result<()> {
        self.folder.write("cgroup.freeze", "1")?;
        let frozen = self.wait_for("frozen 1", &Deadline::new("freezing"));
        if frozen.is_err() {
            self.thaw()?;
        }
        frozen
    }

    fn thaw(&self) -> Result<()> {
        // Not waited for: below a group that is frozen they stay so.
        Ok(self.folder.write("cgroup.freeze", "0")?)
    }

    fn is_frozen(&self) -> Result<bool> {
        let state = self.folder.read_if_there("cgroup.freeze")?;
        Ok(state.is_some_and(|state| state.trim_end() == "1"))
    }

    fn kill(&self) -> Result<()> {
        self.send_kill()?;
        self.wait_until_empty()
    }

    fn pids(&self) -> Result<Vec<i32>> {
        Ok(self.folder.pids_or_none()?)
    }

    fn statistics(&self) -> Result<Statistics> {
        self.read_statistics()
    }

    fn events(&self) -> Result<Events> {
        let mut events = Events::new()?;
        events.watch_memory_events(&self.folder)?;
        self.watch_end(&mut events)?;
        Ok(events)
    }

    fn remove(&self) -> Result<()> {
        if self.try_remove()? {
            return Ok(());
        }
        self.kill()?;
        // Nothing but a process that has just entered is in the way now.
        let mut deadline = Deadline::new("removing the cgroup");
        while !self.try_remove()? {
            deadline.pause()?;
        }
        Ok(())
    }

    fn description(&self) -> Description {
        let v2 = Some(self.folder.path().to_owned());
        Description { v1: Vec::new(), v2, unit: None, rootless: self.rootless }
    }
}

/// The folder of a process's group, which is that of `folder` or one below; `group` is the path from
/// the root of the hierarchy, which is a part of the folder's path.
fn below(folder: &str, group: &str) -> Option<String> {
    let starts = folder.match_indices('/').map(|(index, _)| &folder[index..]);
    let rest = starts.filter_map(|own| group.strip_prefix(own)).find(|rest| {
        rest.is_empty() || rest.starts_with('/') && !rest.split('/').any(|name| name == "..")
    });
    rest.map(|rest| format!("{folder}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn groups_below_are_found_from_the_root_of_the_hierarchy() {
        let folder = "/sys/fs/cgroup/a/b";
        let found = |group| below(folder, group);
        assert_eq!(found("/a/b").as_deref(), Some(folder));
        assert_eq!(found("/a/b/init.scope").as_deref(), Some("/sys/fs/cgroup/a/b/init.scope"));
        for other in ["/", "/a", "/a/bc", "/a/b/../c", "/x/a/b"] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
