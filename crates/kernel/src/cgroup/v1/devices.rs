//! The list of devices as the operations that `devices.allow` and `devices.deny` understand.
//!
//! A group of v1 allows everything but exceptions, or nothing but exceptions. An operation adds an
//! exception, or removes one that is spelled alike; it cannot take a device out of an exception
//! for many. So the list is brought to that form first, and what has no such form is an error:
//! the kernel would pass over it in silence.

use std::collections::BTreeMap;

use sys::process::Spent;
use sys::rustix::fs::OFlags;

#[cfg(any(test, fuzzing))]
use super::super::devices::model::Question;
use super::super::devices::{self, Devices};
use super::super::error::{Error, Result};
use super::super::folder::{self, Folder};
use super::super::resources::{DeviceAccess, DeviceKind, DeviceRule};

/// What a group's list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Whether everything is allowed but the exceptions.
    allow: bool,
    exceptions: BTreeMap<Devices, DeviceAccess>,
}

impl State {
    /// Of a complete list, later entries winning.
    fn of(rules: &[DeviceRule]) -> Result<State> {
        let mut state = State::default();
        for (index, rule) in rules.iter().enumerate() {
            if rule.access == DeviceAccess::NONE {
                continue;
            }
            let everything =
                rule.kind == DeviceKind::All && rule.major.is_none() && rule.minor.is_none();
            if everything && rule.access == DeviceAccess::ALL {
                state = State { allow: rule.allow, exceptions: BTreeMap::new() };
                continue;
            }
            let kinds: &[DeviceKind] = match rule.kind {
                DeviceKind::All => &[DeviceKind::Block, DeviceKind::Character],
                DeviceKind::Block => &[DeviceKind::Block],
                DeviceKind::Character => &[DeviceKind::Character],
            };
            for kind in kinds {
                let devices = (*kind, rule.major, rule.minor);
                if rule.allow == state.allow {
                    state.remove(devices, rule.access, index)?;
                } else {
                    state.add(devices, rule.access);
                }
            }
        }
        if !state.allow {
            state.join_reads_and_writes();
        }
        Ok(state)
    }

    /// The kernel allows an `open` for both only if one exception has both. Where they come from
    /// two, the devices that both are about get one of their own.
    fn join_reads_and_writes(&mut self) {
        let both = DeviceAccess { read: true, write: true, mknod: false };
        let all: Vec<_> =
            self.exceptions.iter().map(|(devices, access)| (*devices, *access)).collect();
        let of = |has: fn(&DeviceAccess) -> bool| all.iter().filter(move |(_, access)| has(access));
        for (reading, _) in of(|access| access.read && !access.write) {
            for (writing, _) in of(|access| access.write && !access.read) {
                let has_both = |(devices, access): (&Devices, &DeviceAccess)| {
                    access.read && access.write && covers(*devices, common(*reading, *writing))
                };
                if overlap(*reading, *writing) && !self.exceptions.iter().any(has_both) {
                    self.add(common(*reading, *writing), both);
                }
            }
        }
    }

    fn add(&mut self, devices: Devices, access: DeviceAccess) {
        let old = self.exceptions.entry(devices).or_default();
        *old = DeviceAccess::union(*old, access);
    }

    /// Takes the devices out of all exceptions, `index` being the place in the list.
    fn remove(&mut self, devices: Devices, access: DeviceAccess, index: usize) -> Result<()> {
        for (exception, of_exception) in &mut self.exceptions {
            let left = DeviceAccess::difference(*of_exception, access);
            if left == *of_exception || !overlap(devices, *exception) {
                continue;
            }
            if !covers(devices, *exception) {
                let reason = format!(
                    "cgroup v1 cannot except {} from {}",
                    spell(devices, access),
                    spell(*exception, *of_exception)
                );
                return Err(Error::resource(format!("devices[{index}]"), reason));
            }
            *of_exception = left;
        }
        self.exceptions.retain(|_, access| *access != DeviceAccess::NONE);
        Ok(())
    }

    /// From the text of `devices.list`. The kernel does not tell the exceptions of a group that
    /// allows everything: `None`.
    fn parse(text: &str) -> Option<State> {
        let mut state = State::default();
        for line in text.lines() {
            let mut words = line.split([' ', ':']);
            let kind = match words.next()? {
                "b" => DeviceKind::Block,
                "c" => DeviceKind::Character,
                _ => return None,
            };
            let mut number = || match words.next()? {
                "*" => Some(None),
                number => number.parse().ok().map(Some),
            };
            let devices = (kind, number()?, number()?);
            let letters = words.next()?;
            let (read, write, mknod) =
                (letters.contains('r'), letters.contains('w'), letters.contains('m'));
            state.add(devices, DeviceAccess { read, write, mknod });
        }
        Some(state)
    }
}

fn overlap((kind, major, minor): Devices, (other_kind, other_major, other_minor): Devices) -> bool {
    let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
    kind == other_kind && meet(major, other_major) && meet(minor, other_minor)
}

/// The devices that are in both, which overlap.
fn common((kind, major, minor): Devices, (_, other_major, other_minor): Devices) -> Devices {
    (kind, major.or(other_major), minor.or(other_minor))
}

fn covers((kind, major, minor): Devices, (other_kind, other_major, other_minor): Devices) -> bool {
    let covers = |a: Option<u32>, b: Option<u32>| a.is_none() || a == b;
    kind == other_kind && covers(major, other_major) && covers(minor, other_minor)
}

fn spell((kind, major, minor): Devices, access: DeviceAccess) -> String {
    let kind = match kind {
        DeviceKind::All => 'a',
        DeviceKind::Block => 'b',
        DeviceKind::Character => 'c',
    };
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
    format!("{kind} {}:{} {}", number(major), number(minor), access.letters())
}

/// An operation: true for `devices.allow`, and what to write.
type Operation = (bool, String);

/// From one list to another, allowing less before allowing more. Without knowing the old one, it
/// begins with nothing (or everything) allowed.
fn operations(old: Option<&State>, new: &State) -> Vec<Operation> {
    let old = old.filter(|old| old.allow == new.allow && !new.allow);
    let Some(old) = old else {
        let everything = (new.allow, "a".to_owned());
        let exceptions =
            new.exceptions.iter().map(|(devices, access)| (!new.allow, spell(*devices, *access)));
        return [everything].into_iter().chain(exceptions).collect();
    };
    let changes = |from: &State, to: &State, allow: bool| {
        let mut list = Vec::new();
        for (devices, access) in &to.exceptions {
            let had = from.exceptions.get(devices).copied().unwrap_or_default();
            let change = DeviceAccess::difference(*access, had);
            if change != DeviceAccess::NONE {
                list.push((allow, spell(*devices, change)));
            }
        }
        list
    };
    let mut list = changes(new, old, false);
    list.extend(changes(old, new, true));
    list
}

/// What is allowed besides nothing; `None` when everything is but some.
pub(in super::super) fn allowed(
    rules: &[DeviceRule],
) -> Result<Option<Vec<(Devices, DeviceAccess)>>> {
    let State { allow, exceptions } = State::of(&devices::complete(rules))?;
    Ok((!allow).then(|| exceptions.into_iter().collect()))
}

/// Finds what has no form on v1.
pub(super) fn check(rules: &[DeviceRule]) -> Result<()> {
    State::of(&devices::complete(rules)).map(drop)
}

/// Sets the list of a group; a new one has that of the group above.
pub(super) fn apply(
    folder: Option<&Folder>,
    rules: &[DeviceRule],
    is_new: bool,
    spent: &mut Spent,
) -> Result<()> {
    let missing = || Error::resource("devices", "there is no devices controller here");
    let folder = folder.ok_or_else(missing)?;
    let new = State::of(&devices::complete(rules))?;
    let old = if is_new { None } else { State::parse(&folder.read("devices.list")?) };
    perform(folder, &operations(old.as_ref(), &new), spent)
}

fn perform(folder: &Folder, operations: &[Operation], spent: &mut Spent) -> Result<()> {
    let mut files = [("devices.deny", None), ("devices.allow", None)];
    for (allow, value) in operations {
        let (file, open) = &mut files[usize::from(*allow)];
        if open.is_none() {
            *open = Some(folder.open(file, OFlags::WRONLY)?);
        }
        let Some(descriptor) = open else { continue };
        folder::write(descriptor, value).map_err(|source| Error::Write {
            field: "devices".to_owned(),
            file: (*file).to_owned(),
            value: value.clone(),
            source,
        })?;
    }
    spent.add(files.into_iter().filter_map(|(_, open)| open));
    Ok(())
}

/// What the kernel answers after the operations: an exception decides on everything that is wanted
/// at once. `None` when the list has no form on v1.
#[cfg(any(test, fuzzing))]
pub(in super::super) fn would_allow(rules: &[DeviceRule], question: Question) -> Option<bool> {
    let Question { kind, major, minor, access } = question;
    let state = State::of(rules).ok()?;
    let one = (kind, Some(major), Some(minor));
    let mut about = state.exceptions.iter().filter(|(devices, _)| covers(**devices, one));
    Some(if state.allow {
        about.all(|(_, denied)| DeviceAccess::difference(access, *denied) == access)
    } else {
        about.any(|(_, allowed)| DeviceAccess::difference(access, *allowed) == DeviceAccess::NONE)
    })
}

#[cfg(test)]
mod tests;
