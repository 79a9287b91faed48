//! The one interface to a container's group.

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::error::{Error, Result};
use super::events::Events;
use super::resources::Resources;
use super::statistics::Statistics;
use super::systemd::Bus;

/// A container's group of processes, whatever this machine makes groups with.
pub trait Group {
    /// What a new process needs to be in the group from its first instruction on.
    ///
    /// # Errors
    /// The group is gone. One that is frozen can be entered: the process waits until it is thawed.
    fn entry(&self) -> Result<Entry>;

    /// The same for a process that was born in what there is of v2.
    ///
    /// # Errors
    /// As [`Group::entry`].
    fn late_entry(&self) -> Result<Entry> {
        self.entry()
    }

    /// Says that the container's first process has entered, so that what kept the group alive until
    /// then can go.
    ///
    /// # Errors
    /// The kernel's.
    fn first_process_entered(&self) -> Result<()>;

    /// As [`Group::entry`], for groups below that exist already (`exec --cgroup`).
    ///
    /// # Errors
    /// There is no such group.
    fn entry_below(&self, groups: &[SubGroup]) -> Result<Entry>;

    /// As [`Group::entry`], in the group below where another process of the container is now: a
    /// service manager makes groups of its own, and may leave none where it was started.
    ///
    /// # Errors
    /// The process is not in this group.
    fn entry_beside(&self, pid: i32) -> Result<Entry>;

    /// Gives a group of v2 to a user of the host, who may then make groups below it and move
    /// processes between them, but not change its limits. Groups of v1 cannot be given away safely,
    /// and are not.
    ///
    /// # Errors
    /// The kernel's.
    fn delegate(&self, user: u32) -> Result<()>;

    /// Moves a running process in. Slow, see [`Entry`]; for processes that exist already.
    ///
    /// # Errors
    /// The kernel's.
    fn add(&self, pid: i32) -> Result<()>;

    /// Changes limits; what is not in `resources` stays as it is.
    ///
    /// # Errors
    /// A value that cannot be, or that the kernel refuses; earlier ones have been set by then.
    fn update(&self, resources: &Resources) -> Result<()>;

    /// Stops all processes, and returns when they stand still.
    ///
    /// # Errors
    /// The kernel's, or some process did not stop in time; then they run again.
    fn freeze(&self) -> Result<()>;

    /// Lets them run again.
    ///
    /// # Errors
    /// The kernel's.
    fn thaw(&self) -> Result<()>;

    /// Whether they stand still, or are about to.
    ///
    /// # Errors
    /// The kernel's.
    fn is_frozen(&self) -> Result<bool>;

    /// Kills all processes, frozen ones too, and those they start meanwhile. Returns when none
    /// is left.
    ///
    /// # Errors
    /// The kernel's, or some process does not end.
    fn kill(&self) -> Result<()>;

    /// All processes, those in groups below included.
    ///
    /// # Errors
    /// The kernel's.
    fn pids(&self) -> Result<Vec<i32>>;

    /// What all processes use together, those that ended included.
    ///
    /// # Errors
    /// The kernel's.
    fn statistics(&self) -> Result<Statistics>;

    /// Lets the caller wait until memory runs out, or no process is left.
    ///
    /// # Errors
    /// The kernel's.
    fn events(&self) -> Result<Events>;

    /// Kills what is left and removes the group, those below first. Also fine when it is gone.
    ///
    /// # Errors
    /// What remains after everything else was removed.
    fn remove(&self) -> Result<()>;

    /// What another process needs to find the group again.
    fn description(&self) -> Description;
}

/// Where a group is, for the container's state: [`Description::open`] gives the group back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The folders of v1, with the controllers of each as `/proc/self/cgroup` spells them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub v1: Vec<(String, String)>,
    /// The folder of v2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v2: Option<String>,
    /// The unit, when systemd manages the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitDescription>,
    /// Whether the user had no right to some of it, so that denials are expected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rootless: bool,
}

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitDescription {
    /// As `tinyort-ID.scope`.
    pub name: String,
    /// Whose it is.
    pub bus: Bus,
}

/// A group below a container's, for `exec --cgroup [CONTROLLERS:]PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubGroup {
    /// On v1 only the hierarchies of these controllers; `None`: all.
    pub controllers: Option<String>,
    /// From the container's group.
    pub path: String,
}

impl Description {
    /// How many folders can be entered by descriptors that come in one message: SCM_MAX_FD of
    /// unix(7).
    pub const MAX_FOLDERS: usize = 253;

    /// Whether the group may be made when the process that enters it exists already, but for where that
    /// is born ([`super::Prepared::create_birthplace`]): nobody is born in a group of v1, and systemd has
    /// one made around a process.
    #[must_use]
    pub fn can_wait_for_child(&self) -> bool {
        self.unit.is_none() && (1..=Description::MAX_FOLDERS).contains(&self.v1.len())
    }
}

impl SubGroup {
    /// Takes `[CONTROLLERS:]PATH` apart.
    ///
    /// # Errors
    /// `..` in the path.
    pub fn parse(text: &str) -> Result<SubGroup> {
        let (controllers, path) = match text.split_once(':') {
            Some((controllers, path)) => (Some(controllers.to_owned()), path),
            None => (None, text),
        };
        if path.split('/').any(|name| name == "..") || path.contains('\0') {
            return Err(Error::Path(format!("{path:?} leads out of the container's group")));
        }
        let names: Vec<_> =
            path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        Ok(SubGroup { controllers, path: names.join("/") })
    }

    /// The path below a folder.
    pub(super) fn below(&self, folder: &str) -> String {
        if self.path.is_empty() { folder.to_owned() } else { format!("{folder}/{}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bus, Description, SubGroup, UnitDescription};

    #[test]
    fn nobody_is_born_in_a_group_of_v1() {
        let v1 =
            || Description { v1: vec![("pids".into(), "/x".into())], ..Description::default() };
        assert!(v1().can_wait_for_child());
        assert!(Description { v2: Some("/y".into()), ..v1() }.can_wait_for_child());
        let v2 = Description { v2: Some("/y".into()), ..Description::default() };
        assert!(!v2.can_wait_for_child());
        let unit = UnitDescription { name: "x.scope".into(), bus: Bus::System };
        assert!(!Description { unit: Some(unit), ..v1() }.can_wait_for_child());
        let many = vec![("name=x".into(), "/x".into()); Description::MAX_FOLDERS + 1];
        assert!(!Description { v1: many, ..v1() }.can_wait_for_child());
    }

    #[test]
    fn sub_groups_stay_below() {
        let parsed = SubGroup::parse("cpu,cpuacct:/a//b/.").unwrap();
        assert_eq!(parsed.controllers.as_deref(), Some("cpu,cpuacct"));
        assert_eq!(parsed.below("/x"), "/x/a/b");
        assert_eq!(SubGroup::parse("/").unwrap().below("/x"), "/x");
        assert!(SubGroup::parse("a/../../b").is_err());
    }
}
