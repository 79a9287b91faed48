//! Groups that systemd makes: a scope for each container.
//!
//! systemd makes the group and knows of its limits; everything else is done in the folders, as
//! without it. It is asked to hand the scope over (`Delegate`), so that both do not collide.

mod bus;
mod manager;
mod message;
mod placeholder;
mod properties;
mod unit;

use std::cell::RefCell;

use super::creation::Creation;
use super::entry::Entry;
use super::error::{Error, Result};
use super::events::Events;
use super::files::Files;
use super::folder::Folder;
use super::group::{Description, Group, SubGroup, UnitDescription};
use super::resources::Resources;
use super::statistics::Statistics;
use super::v1;
use super::write::Write;
use manager::Manager;
use message::Value;
use placeholder::Placeholder;
use properties::Property;

pub use unit::Bus;
pub(super) use unit::Unit;

/// The group of the systemd behind `bus`, below which it makes its units.
pub(super) fn root(bus: &Bus) -> Result<String> {
    match bus {
        // That of the machine uses the root itself, unless it is the init of a container, which
        // then sees its own group as the root.
        Bus::System => Ok(String::new()),
        Bus::User { .. } => Manager::open(bus)?.control_group(),
    }
}

/// Takes a message apart as far as any is.
#[cfg(any(fuzzing, test))]
pub(super) fn read_message(bytes: &[u8]) {
    if let Some(message) = message::Message::parse(bytes) {
        let _ = (message.text(), message.job_removed());
    }
}

/// A group with its unit.
pub(super) struct Systemd {
    files: Box<dyn Files>,
    bus: Bus,
    unit: Unit,
    /// Until the container's own first process is in the scope.
    held: RefCell<Option<Held>>,
}

/// A scope without a container.
struct Held {
    placeholder: Placeholder,
    /// The limit of processes that is to be, where it has no room for the placeholder.
    tight: Option<(Folder, i64)>,
}

impl Systemd {
    /// The unit whose group is in these folders, none of which need exist.
    pub(super) fn new(files: Box<dyn Files>, unit: Unit, bus: Bus) -> Systemd {
        Systemd { files, bus, unit, held: RefCell::new(None) }
    }

    /// A unit that exists.
    pub(super) fn at(files: Box<dyn Files>, unit: &UnitDescription) -> Systemd {
        let UnitDescription { name, bus } = unit.clone();
        let unit = Unit { slice: String::new(), name, properties: Vec::new() };
        Systemd::new(files, unit, bus)
    }

    /// What systemd must know of the limits.
    fn limits(&self, resources: &Resources, exists: bool) -> Result<Vec<Property>> {
        let mut properties = properties::of_limits(&self.files.writes(resources, exists)?);
        if let Some(rules) = resources.devices.as_deref().filter(|_| self.files.has_v1_devices()) {
            let allowed = v1::devices::allowed(rules)?;
            properties.extend(properties::of_devices(allowed.as_deref()));
        }
        Ok(properties)
    }

    /// What a new scope is to be.
    fn description_of_scope(&self, pid: u32) -> Vec<(String, Value)> {
        let text = |text: &str| Value::Text(text.to_owned());
        let accounting =
            if self.files.has_v1_devices() { "BlockIOAccounting" } else { "IOAccounting" };
        let fixed = [
            ("Description", Value::Text(format!("container {}", self.unit.name))),
            ("Slice", text(&self.unit.slice)),
            ("Delegate", Value::Bool(true)),
            // It must not be stopped before, or ordered after, anything at shutdown by default.
            ("DefaultDependencies", Value::Bool(false)),
            // systemd forgets it also when it has failed, so that its name is free again.
            ("CollectMode", text("inactive-or-failed")),
            ("CPUAccounting", Value::Bool(true)),
            ("MemoryAccounting", Value::Bool(true)),
            ("TasksAccounting", Value::Bool(true)),
            (accounting, Value::Bool(true)),
            ("PIDs", Value::U32s(vec![pid])),
        ];
        fixed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn start(&self, resources: &Resources, pid: i32) -> Result<()> {
        let mut manager = Manager::open(&self.bus)?;
        let mut properties = self.description_of_scope(pid.unsigned_abs());
        properties.extend(known(&mut manager, self.limits(resources, false)?)?);
        properties.extend(self.unit.properties.iter().cloned());
        manager.start(&self.unit.name, properties)
    }
}

/// Leaves out what systemd is too old to know. Its version is asked for only if that matters.
fn known(manager: &mut Manager, properties: Vec<Property>) -> Result<Vec<(String, Value)>> {
    let newest = properties.iter().map(|property| property.since).max().unwrap_or(0);
    let version = if newest > 0 { manager.version()? } else { 0 };
    let known = properties.into_iter().filter(|property| property.since <= version);
    Ok(known.map(|property| (property.name.to_owned(), property.value)).collect())
}

impl Files for Systemd {
    fn writes(&self, resources: &Resources, exists: bool) -> Result<Vec<Write>> {
        self.files.writes(resources, exists)
    }

    fn check_devices(&self, resources: &Resources) -> Result<()> {
        self.files.check_devices(resources)
    }

    fn has_v1_devices(&self) -> bool {
        self.files.has_v1_devices()
    }

    fn create(
        self: Box<Self>,
        resources: &Resources,
        creation: &mut Creation,
    ) -> Result<Option<Box<dyn Files>>> {
        let placeholder = Placeholder::start()?;
        self.start(resources, placeholder.pid())?;
        creation.expect(placeholder.pid());
        let Systemd { files, bus, unit, .. } = *self;
        let (roomy, tight) = make_room(resources, &files.description());
        let held = Held { placeholder, tight };
        match files.create(&roomy, creation) {
            Ok(Some(files)) => {
                let held = RefCell::new(Some(held));
                Ok(Some(Box::new(Systemd { files, bus, unit, held })))
            }
            other => {
                drop(held);
                let stopped = Manager::open(&bus).and_then(|mut it| it.stop(&unit.name));
                other.and_then(|none| stopped.map(|()| none))
            }
        }
    }
}

/// A container that may have one process is born beside the placeholder all the same; on v1 it
/// comes from outside, where the limit is not asked.
fn make_room(resources: &Resources, folders: &Description) -> (Resources, Option<(Folder, i64)>) {
    let mut roomy = resources.clone();
    let tight = resources.pids.filter(|limit| matches!(limit, 0 | 1));
    let Some(folder) = folders.v2.as_ref().filter(|_| tight.is_some() && folders.v1.is_empty())
    else {
        return (roomy, None);
    };
    roomy.pids = Some(2);
    (roomy, Some((Folder::at(folder.as_str()), 1)))
}

impl Group for Systemd {
    fn entry(&self) -> Result<Entry> {
        self.files.entry()
    }

    fn late_entry(&self) -> Result<Entry> {
        self.files.late_entry()
    }

    fn first_process_entered(&self) -> Result<()> {
        let Some(Held { placeholder, tight }) = self.held.borrow_mut().take() else {
            return Ok(());
        };
        drop(placeholder);
        if let Some((folder, limit)) = tight {
            folder.write("pids.max", &limit.to_string())?;
        }
        Ok(())
    }

    fn entry_below(&self, groups: &[SubGroup]) -> Result<Entry> {
        self.files.entry_below(groups)
    }

    fn entry_beside(&self, pid: i32) -> Result<Entry> {
        self.files.entry_beside(pid)
    }

    fn delegate(&self, user: u32) -> Result<()> {
        self.files.delegate(user)
    }

    /// A user may not move processes into a group from one that is not the user's; systemd can.
    fn add(&self, pid: i32) -> Result<()> {
        match self.bus {
            Bus::System => self.files.add(pid),
            Bus::User { .. } => {
                Manager::open(&self.bus)?.attach(&self.unit.name, pid.unsigned_abs())
            }
        }
    }

    fn update(&self, resources: &Resources) -> Result<()> {
        let mut manager = Manager::open(&self.bus)?;
        let properties = known(&mut manager, self.limits(resources, true)?)?;
        if !properties.is_empty() {
            // On v1 systemd forbids all devices before it allows those of the new list.
            let freeze =
                resources.devices.is_some() && self.has_v1_devices() && !self.is_frozen()?;
            if freeze {
                self.freeze()?;
            }
            let set = manager.set(&self.unit.name, properties);
            if freeze {
                self.thaw()?;
            }
            set?;
        }
        self.files.update(resources)
    }

    fn freeze(&self) -> Result<()> {
        self.files.freeze()
    }

    fn thaw(&self) -> Result<()> {
        self.files.thaw()
    }

    fn is_frozen(&self) -> Result<bool> {
        self.files.is_frozen()
    }

    fn kill(&self) -> Result<()> {
        self.files.kill()
    }

    fn pids(&self) -> Result<Vec<i32>> {
        let placeholder = self.held.borrow().as_ref().map(|held| held.placeholder.pid());
        let mut pids = self.files.pids()?;
        pids.retain(|pid| Some(*pid) != placeholder);
        Ok(pids)
    }

    fn statistics(&self) -> Result<Statistics> {
        self.files.statistics()
    }

    fn events(&self) -> Result<Events> {
        self.files.events()
    }

    /// systemd stops what has no process any more at once; it would otherwise ask them to end, and
    /// wait. The folders it did not make remain for us.
    fn remove(&self) -> Result<()> {
        self.held.borrow_mut().take();
        let killed = match self.files.kill() {
            Err(Error::NoGroup(_)) => Ok(()),
            other => other,
        };
        let stopped =
            Manager::open(&self.bus).and_then(|mut manager| manager.stop(&self.unit.name));
        self.files.remove()?;
        killed.and(stopped)
    }

    fn description(&self) -> Description {
        let unit = UnitDescription { name: self.unit.name.clone(), bus: self.bus.clone() };
        Description { unit: Some(unit), ..self.files.description() }
    }
}
