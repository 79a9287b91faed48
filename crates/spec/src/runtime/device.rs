//! Devices: files, rules about their use, and network devices.

use crate::json::{Problem, Text, names, object};

object! {
    /// A device file that the container gets.
    pub struct Device<'a>, check check_device {
        /// Where, in the container.
        required path: Text<'a> = "path",
        /// The kind.
        required kind: DeviceKind = "type",
        /// The major number; not for a FIFO.
        optional major: i64 = "major",
        /// The minor number; not for a FIFO.
        optional minor: i64 = "minor",
        /// The permissions. Bits for the file's type may be there and mean nothing.
        optional file_mode: Option<u32> = "fileMode",
        /// The owner.
        optional uid: Option<u32> = "uid",
        /// The group.
        optional gid: Option<u32> = "gid",
    }
}

fn check_device(device: &Device<'_>) -> Result<(), Problem> {
    if !device.path.starts_with('/') {
        return Err(Problem::at("path", format_args!("{:?} is not absolute", device.path)));
    }
    // What has more bits would be another device.
    for (field, number, bits) in [("major", device.major, 12), ("minor", device.minor, 20)] {
        let high = (1 << bits) - 1;
        if !(0..=high).contains(&number) {
            return Err(super::out_of_range(field, number, 0, high));
        }
    }
    for (field, id) in [("uid", device.uid), ("gid", device.gid)] {
        id.map_or(Ok(()), |id| super::check_id(field, id))?;
    }
    Ok(())
}

/// Linux has 12 bits for major numbers and 20 for minor ones; the interfaces for rules have 32.
fn check_number(field: &str, number: i64, low: i64) -> Result<(), Problem> {
    if (low..=i64::from(u32::MAX)).contains(&number) {
        Ok(())
    } else {
        Err(super::out_of_range(field, number, low, i64::from(u32::MAX)))
    }
}

names! {
    /// Kinds of device files.
    pub enum DeviceKind {
        /// A character device.
        Character = "c",
        /// A block device.
        Block = "b",
        /// A character device, in the words of mknod(1).
        Unbuffered = "u",
        /// A FIFO.
        Fifo = "p",
    }
}

object! {
    /// Whether some devices may be used. A later rule goes before an earlier one.
    #[derive(Default)]
    pub struct DeviceRule<'a>, check check_device_rule {
        /// Whether they may.
        always allow: bool = "allow",
        /// The kind; all without one.
        optional kind: Option<DeviceRuleKind> = "type",
        /// The major number; all without one, or with -1.
        optional major: Option<i64> = "major",
        /// The minor number; all without one, or with -1.
        optional minor: Option<i64> = "minor",
        /// What may be done: any of `r`, `w` and `m` (mknod).
        optional access: Text<'a> = "access",
    }
}

fn check_device_rule(rule: &DeviceRule<'_>) -> Result<(), Problem> {
    if let Some(major) = rule.major {
        check_number("major", major, -1)?;
    }
    if let Some(minor) = rule.minor {
        check_number("minor", minor, -1)?;
    }
    if rule.access.bytes().all(|access| b"rwm".contains(&access)) {
        Ok(())
    } else {
        Err(Problem::at("access", format_args!("{:?} has other letters than rwm", rule.access)))
    }
}

names! {
    /// The devices that a rule is about.
    pub enum DeviceRuleKind {
        /// Any.
        All = "a",
        /// Character devices.
        Character = "c",
        /// Block devices.
        Block = "b",
    }
}

object! {
    /// A network device that moves into the container.
    #[derive(Default)]
    pub struct NetDevice<'a> {
        /// Its name there; without one, the name it has.
        optional name: Text<'a> = "name",
    }
}
