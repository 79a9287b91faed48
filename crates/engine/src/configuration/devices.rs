//! Device files, and which may be used.

use crate::error::{Error, Result};
use crate::settings::Settings;
use spec::json::Text;
use spec::runtime::{Device, DeviceKind, DeviceRule, DeviceRuleKind};
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use sys::rustix::fs::{major, minor};

/// null, zero, full, random, urandom, tty, and terminals.
const USUAL: [(i64, Option<i64>); 8] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(2)),
    (136, None),
];

/// Those beyond the usual ones: what the user says, or with all rights those of the machine.
pub(super) fn devices(settings: &Settings) -> Result<Vec<Device<'static>>> {
    if settings.security.privileged {
        return Ok(of_the_machine());
    }
    let found = settings.devices.iter().map(|device| found(&device.source, &device.target));
    Ok(found.collect::<Result<Vec<_>>>()?.concat())
}

/// A device, or all that are in a folder.
fn found(source: &str, target: &str) -> Result<Vec<Device<'static>>> {
    let status = match fs::metadata(source) {
        Ok(status) => status,
        Err(error) => return super::wrong("--device", source, &format!("is none: {error}")),
    };
    if target.trim_end_matches('/').is_empty() {
        return super::wrong("--device", target, "is no place for a device");
    }
    let mut all = Vec::new();
    if status.is_dir() {
        below(source, target, &mut all).map_err(Error::file(source))?;
    } else {
        all.extend(describe(&status, target.to_owned()));
    }
    if all.is_empty() {
        return super::wrong("--device", source, "is no device, and no folder with one");
    }
    Ok(all)
}

fn below(source: &str, target: &str, all: &mut Vec<Device<'static>>) -> std::io::Result<()> {
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (source, target) = (format!("{source}/{name}"), format!("{target}/{name}"));
        // Not what a link leads to.
        let status = entry.metadata()?;
        if status.is_dir() {
            below(&source, &target, all)?;
        }
        all.extend(describe(&status, target));
    }
    Ok(())
}

fn describe(status: &Metadata, path: String) -> Option<Device<'static>> {
    let kind = match status.file_type() {
        kind if kind.is_char_device() => DeviceKind::Character,
        kind if kind.is_block_device() => DeviceKind::Block,
        _ => return None,
    };
    Some(Device {
        path: path.into(),
        kind,
        major: i64::from(major(status.rdev())),
        minor: i64::from(minor(status.rdev())),
        file_mode: Some(status.permissions().mode() & 0o777),
        uid: Some(status.uid()),
        gid: Some(status.gid()),
    })
}

/// What is directly in `/dev`, but for what every container has of its own.
fn of_the_machine() -> Vec<Device<'static>> {
    let own = ["console", "ptmx", "null", "zero", "full", "random", "urandom", "tty"];
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let device = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let is_own = own.contains(&name.as_str());
        let status = entry.metadata().ok().filter(|_| !is_own)?;
        describe(&status, format!("/dev/{name}"))
    };
    entries.filter_map(device).collect()
}

/// Nothing but the usual ones and what the user says. Files may be made of any: they cannot be
/// opened.
pub(super) fn rules(settings: &Settings) -> Result<Vec<DeviceRule<'static>>> {
    let allow = |kind, major, minor, access: &str| DeviceRule {
        allow: true,
        kind,
        major,
        minor,
        access: access.to_owned().into(),
    };
    if settings.security.privileged {
        return Ok(vec![allow(Some(DeviceRuleKind::All), None, None, "rwm")]);
    }
    let deny = DeviceRule { access: Text::from("rwm"), ..DeviceRule::default() };
    let mut all = vec![deny];
    for kind in [DeviceRuleKind::Character, DeviceRuleKind::Block] {
        all.push(allow(Some(kind), None, None, "m"));
    }
    for (major, minor) in USUAL {
        all.push(allow(Some(DeviceRuleKind::Character), Some(major), minor, "rwm"));
    }
    for device in &settings.devices {
        for found in found(&device.source, &device.target)? {
            let kind = match found.kind {
                DeviceKind::Block => DeviceRuleKind::Block,
                _ => DeviceRuleKind::Character,
            };
            all.push(allow(Some(kind), Some(found.major), Some(found.minor), &device.access));
        }
    }
    for rule in &settings.device_rules {
        all.push(parse_rule(rule)?);
    }
    Ok(all)
}

/// `c 1:3 rwm`, with `*` for any number.
fn parse_rule(text: &str) -> Result<DeviceRule<'static>> {
    let wrong = || Error::invalid(format!("--device-cgroup-rule: {text:?} is not like c 1:3 rwm"));
    let [kind, numbers, access] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err(wrong());
    };
    let kind = match kind {
        "a" => DeviceRuleKind::All,
        "c" => DeviceRuleKind::Character,
        "b" => DeviceRuleKind::Block,
        _ => return Err(wrong()),
    };
    let number = |text: &str| match text {
        "*" => Ok(None),
        _ => text.parse::<u32>().map(|number| Some(i64::from(number))).map_err(|_| wrong()),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(wrong)?;
    if access.is_empty() || !access.bytes().all(|byte| b"rwm".contains(&byte)) {
        return Err(wrong());
    }
    let (major, minor) = (number(major)?, number(minor)?);
    Ok(DeviceRule { allow: true, kind: Some(kind), major, minor, access: access.to_owned().into() })
}

/// The numbers of a disk.
pub(super) fn numbers(path: &str) -> Result<(i64, i64)> {
    let status = fs::metadata(path).map_err(Error::file(path))?;
    if !status.file_type().is_block_device() {
        return super::wrong("--device-read-bps and its like", path, "is no block device");
    }
    Ok((i64::from(major(status.rdev())), i64::from(minor(status.rdev()))))
}

#[cfg(test)]
mod tests {
    use super::parse_rule;

    #[test]
    fn rules_as_docker_writes_them() {
        let rule = parse_rule("c 10:* rw").unwrap();
        assert_eq!((rule.major, rule.minor, &*rule.access), (Some(10), None, "rw"));
        for text in ["", "c 10 rw", "x 1:2 r", "c 1:2 x", "c a:b r", "c -1:2 r", "c 1:2 r w"] {
            assert!(parse_rule(text).is_err(), "{text}");
        }
    }
}
