//! cgroup v1: a hierarchy, and so a folder, for each controller.

pub(super) mod devices;
pub(super) mod limits;
mod statistics;

use std::os::fd::OwnedFd;

use sys::process::Spent;
use sys::rustix::fs::OFlags;

use super::creation::{Creation, Made};
use super::entry::Entry;
use super::error::{Error, Result};
use super::events::Events;
use super::files::Files;
use super::folder::{Folder, is_gone};
use super::group::{Description, Group, SubGroup};
use super::processes::{self, Deadline};
use super::resources::Resources;
use super::statistics::Statistics;
use super::write::{self, Controller, Write};

/// The group's folders.
#[derive(Debug)]
pub(super) struct V1 {
    /// With the controllers as `/proc/self/cgroup` spells them.
    folders: Vec<(String, Folder)>,
    /// Whether denials are expected.
    rootless: bool,
}

impl V1 {
    /// The group at these folders, which need not exist.
    pub(super) fn at(folders: &[(String, String)], rootless: bool) -> V1 {
        let open = |(names, path): &(String, String)| (names.clone(), Folder::at(path.as_str()));
        V1 { folders: folders.iter().map(open).collect(), rootless }
    }

    /// Makes the folders; without rights, those that may be made.
    pub(super) fn make(&mut self, creation: &mut Creation) -> Result<()> {
        let mut made = Vec::with_capacity(self.folders.len());
        for (names, folder) in std::mem::take(&mut self.folders) {
            let how = creation.make(&folder)?;
            if how == Made::Denied {
                continue;
            }
            if has(&names, "cpuset") {
                inherit_cpu_set(&folder, how == Made::New, &mut creation.spent)?;
            }
            made.push((names, folder));
        }
        self.folders = made;
        Ok(())
    }

    /// The folder of a controller.
    pub(super) fn folder(&self, controller: &str) -> Option<&Folder> {
        self.folders.iter().find(|(names, _)| has(names, controller)).map(|(_, folder)| folder)
    }

    /// What to write for the controllers that `takes` names.
    pub(super) fn limits(
        resources: &Resources,
        takes: impl Fn(Controller) -> bool,
    ) -> Result<Vec<Write>> {
        let mut writes = Vec::new();
        for controller in Controller::ALL.into_iter().filter(|controller| takes(*controller)) {
            writes.extend(limits::of(controller, resources)?);
        }
        Ok(writes)
    }

    /// Writes them.
    pub(super) fn apply(&self, writes: &[Write]) -> Result<()> {
        let folder =
            |write: &Write| write.controller.and_then(|controller| self.folder(controller.name()));
        let possible = writes.iter().filter(|it| !it.is_optional() || folder(it).is_some());
        write::perform(possible, |write| folder(write).ok_or_else(|| write.no_controller()))
    }

    /// Sets the list of devices; without rights nobody can.
    pub(super) fn apply_devices(
        &self,
        resources: &Resources,
        is_new: bool,
        spent: &mut Spent,
    ) -> Result<()> {
        match &resources.devices {
            Some(rules) if !self.rootless => {
                devices::apply(self.folder("devices"), rules, is_new, spent)
            }
            _ => Ok(()),
        }
    }

    /// Opens what a process writes into to move itself, in each hierarchy.
    pub(super) fn tasks(&self, below: &[SubGroup]) -> Result<Vec<OwnedFd>> {
        let named = below.iter().filter_map(|it| it.controllers.as_deref());
        let is_unknown = |one: &&str| !self.folders.iter().any(|(names, _)| has(names, one));
        if let Some(unknown) = named.flat_map(|it| it.split(',')).find(is_unknown) {
            return Err(Error::NoHierarchy(unknown.to_owned()));
        }
        let open = |(names, folder): &(String, Folder)| {
            let wanted = below.iter().rev().find(|it| {
                let controllers = it.controllers.as_deref();
                controllers.is_none_or(|wanted| wanted.split(',').all(|one| has(names, one)))
            });
            Ok(match wanted {
                Some(group) => {
                    Folder::at(group.below(folder.path())).open("tasks", OFlags::WRONLY)?
                }
                None => folder.open("tasks", OFlags::WRONLY)?,
            })
        };
        self.folders.iter().map(open).collect()
    }

    /// Removes all folders. False when some still had a process; the others are gone then.
    pub(super) fn try_remove(&self) -> Result<bool> {
        let mut all = true;
        let mut first_error = None;
        for (_, folder) in &self.folders {
            match folder.remove() {
                Ok(removed) => all &= removed,
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        first_error.map_or(Ok(all), |error| Err(error.into()))
    }

    pub(super) fn describe(&self) -> Vec<(String, String)> {
        let describe =
            |(names, folder): &(String, Folder)| (names.clone(), folder.path().to_owned());
        self.folders.iter().map(describe).collect()
    }

    /// Adds what tells that memory has run out.
    pub(super) fn watch_memory(&self, events: &mut Events) -> Result<()> {
        self.folder("memory").map_or(Ok(()), |folder| events.watch_oom_control(folder))
    }

    fn freezer(&self) -> Result<&Folder> {
        self.folder("freezer").ok_or(Error::NoGroup("freezing without a freezer controller"))
    }

    fn first(&self) -> Result<&Folder> {
        // The freezer's if there is one: it has no rules of its own about who may be in it.
        let (_, any) = self.folders.first().ok_or(Error::NoGroup("looking for its processes"))?;
        Ok(self.folder("freezer").unwrap_or(any))
    }

    /// Thaws what may be frozen; fine when there is nothing.
    pub(super) fn thaw_if_possible(&self) -> Result<()> {
        match self.folder("freezer").map(|freezer| freezer.write("freezer.state", "THAWED")) {
            Some(Err(error)) if !is_gone(error.errno) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Files for V1 {
    fn writes(&self, resources: &Resources, _: bool) -> Result<Vec<Write>> {
        if let Some((file, _)) = resources.unified.first() {
            return Err(Error::resource(format!("unified.{file}"), "this needs cgroup v2"));
        }
        V1::limits(resources, |_| true)
    }

    fn check_devices(&self, resources: &Resources) -> Result<()> {
        match (&resources.devices, self.folder("devices")) {
            (Some(rules), Some(_)) => devices::check(rules),
            _ => Ok(()),
        }
    }

    fn has_v1_devices(&self) -> bool {
        self.folder("devices").is_some()
    }

    fn create(
        mut self: Box<Self>,
        resources: &Resources,
        creation: &mut Creation,
    ) -> Result<Option<Box<dyn Files>>> {
        self.make(creation)?;
        if self.folders.is_empty() {
            return Ok(None);
        }
        self.apply(&self.writes(resources, false)?)?;
        self.apply_devices(resources, true, &mut creation.spent)?;
        Ok(Some(self))
    }
}

impl Group for V1 {
    fn entry(&self) -> Result<Entry> {
        self.entry_below(&[])
    }

    fn first_process_entered(&self) -> Result<()> {
        Ok(())
    }

    fn entry_below(&self, groups: &[SubGroup]) -> Result<Entry> {
        Ok(Entry::new(None, self.tasks(groups)?))
    }

    fn entry_beside(&self, _: i32) -> Result<Entry> {
        self.entry()
    }

    fn delegate(&self, _: u32) -> Result<()> {
        Ok(())
    }

    fn add(&self, pid: i32) -> Result<()> {
        for (_, folder) in &self.folders {
            folder.write("cgroup.procs", &pid.to_string())?;
        }
        Ok(())
    }

    fn update(&self, resources: &Resources) -> Result<()> {
        self.apply(&self.writes(resources, false)?)?;
        self.apply_devices(resources, false, &mut Spent::default())
    }

    fn freeze(&self) -> Result<()> {
        let freezer = self.freezer()?;
        let mut deadline = Deadline::new("freezing");
        loop {
            // Written each time: a process that forks just then needs to be told again.
            freezer.write("freezer.state", "FROZEN")?;
            if freezer.read("freezer.state")?.trim_end() == "FROZEN" {
                return Ok(());
            }
            if let Err(error) = deadline.pause() {
                self.thaw()?;
                return Err(error);
            }
        }
    }

    fn thaw(&self) -> Result<()> {
        Ok(self.freezer()?.write("freezer.state", "THAWED")?)
    }

    fn is_frozen(&self) -> Result<bool> {
        let Some(freezer) = self.folder("freezer") else { return Ok(false) };
        Ok(freezer.read("freezer.state")?.trim_end() != "THAWED")
    }

    /// Frozen first, so that none can fork or end while the list is read: a process id then
    /// cannot come to mean another process either.
    fn kill(&self) -> Result<()> {
        let mut deadline = Deadline::new("killing all processes of the cgroup");
        loop {
            let pids = self.pids()?;
            if pids.is_empty() {
                return Ok(());
            }
            let killed = match self.folder("freezer") {
                Some(_) => {
                    self.freeze()?;
                    let killed = self.pids().and_then(|pids| processes::kill(&pids));
                    self.thaw()?;
                    killed?
                }
                None => processes::kill(&pids)?,
            };
            processes::wait(&killed, &deadline)?;
            if !self.pids()?.is_empty() {
                deadline.pause()?;
            }
        }
    }

    fn pids(&self) -> Result<Vec<i32>> {
        Ok(self.first()?.pids_or_none()?)
    }

    fn statistics(&self) -> Result<Statistics> {
        let mut all = Statistics::default();
        self.add_statistics(&mut all)?;
        Ok(all)
    }

    fn events(&self) -> Result<Events> {
        let mut events = Events::new()?;
        self.watch_memory(&mut events)?;
        Ok(events)
    }

    fn remove(&self) -> Result<()> {
        if self.try_remove()? {
            return Ok(());
        }
        self.kill()?;
        // Nothing tells when the kernel has let go of the dead.
        let mut deadline = Deadline::new("removing the cgroup");
        while !self.try_remove()? {
            deadline.pause()?;
        }
        Ok(())
    }

    fn description(&self) -> Description {
        Description { v1: self.describe(), v2: None, unit: None, rootless: self.rootless }
    }
}

/// Whether a list as `cpu,cpuacct` has this name.
fn has(names: &str, controller: &str) -> bool {
    names.split(',').any(|name| name == controller)
}

/// A cpuset is born without processors and memory, and then no process can enter it: it gets those
/// of the group above, which may have to get its own first.
fn inherit_cpu_set(folder: &Folder, is_new: bool, spent: &mut Spent) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if is_new {
            inherit_from_above(folder, file, spent)?;
        } else {
            inherit(folder, file, spent)?;
        }
    }
    Ok(())
}

fn inherit(folder: &Folder, file: &str, spent: &mut Spent) -> Result<String> {
    let (own, descriptor) = folder.read_line(file)?;
    spent.add([descriptor]);
    if own.trim_end().is_empty() { inherit_from_above(folder, file, spent) } else { Ok(own) }
}

fn inherit_from_above(folder: &Folder, file: &str, spent: &mut Spent) -> Result<String> {
    let above = inherit(&folder.parent(), file, spent)?;
    spent.add([folder.write_open(file, above.trim_end())?]);
    Ok(above)
}
