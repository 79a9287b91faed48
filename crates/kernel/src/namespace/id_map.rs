//! The maps of a user namespace, user_namespaces(7).

use std::process::{Command, Stdio};
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::process::{Pid, getegid, geteuid};

/// A range of ids: `length` ids from `inside` on are those from `outside` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMap {
    /// The first id in the namespace.
    pub inside: u32,
    /// The first id in the namespace of whoever writes the map.
    pub outside: u32,
    /// How many, at least 1.
    pub length: u32,
}

/// Why the maps of a user namespace could not be written.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A system call failed.
    #[error("{0}")]
    Call(#[from] sys::Error),
    /// The namespace cannot be opened.
    #[error("{0}")]
    Namespace(#[from] super::Error),
    /// `newuidmap` or `newgidmap` could not be started.
    #[error("cannot start {program}, which maps ids for users other than root: {error}")]
    NotStarted {
        /// Which of them.
        program: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// `newuidmap` or `newgidmap` refused.
    #[error("{program} refused the map; /etc/sub{kind}id must give this user the range: {message}")]
    Refused {
        /// Which of them.
        program: &'static str,
        /// `u` or `g`.
        kind: char,
        /// What it printed.
        message: String,
    },
}

/// Writes the maps of the user namespace that this process has made and nobody has mapped yet.
///
/// Root writes them itself; so does whoever maps only its own ids, and then setgroups(2) is denied
/// in the namespace, as the kernel demands. Else it is done by `newuidmap` and `newgidmap`.
///
/// # Errors
/// EPERM for ids that the caller may not map, EINVAL for ranges that overlap, more than 340
/// ranges, or none.
pub fn write_id_maps(process: Pid, users: &[IdMap], groups: &[IdMap]) -> Result<(), MapError> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        write(process, "uid_map", &text(users))?;
        write(process, "gid_map", &text(groups))?;
        return Ok(());
    }
    let only =
        |maps: &[IdMap], own: u32| maps.len() == 1 && maps[0].length == 1 && maps[0].outside == own;
    if only(users, user.as_raw()) {
        write(process, "uid_map", &text(users))?;
    } else {
        ask("newuidmap", 'u', process, users)?;
    }
    if only(groups, group.as_raw()) {
        write(process, "setgroups", "deny")?;
        write(process, "gid_map", &text(groups))?;
    } else {
        ask("newgidmap", 'g', process, groups)?;
    }
    Ok(())
}

fn text(maps: &[IdMap]) -> String {
    let line = |map: &IdMap| format!("{} {} {}\n", map.inside, map.outside, map.length);
    maps.iter().map(line).collect()
}

fn write(process: Pid, file: &str, text: &str) -> Result<(), sys::Error> {
    write_file(&format!("/proc/{process}/{file}"), text)
}

fn ask(program: &'static str, kind: char, process: Pid, maps: &[IdMap]) -> Result<(), MapError> {
    let numbers = maps.iter().flat_map(|map| [map.inside, map.outside, map.length]);
    let output = Command::new(program)
        .arg(process.to_string())
        .args(numbers.map(|number| number.to_string()))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| MapError::NotStarted { program, error })?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(MapError::Refused { program, kind, message })
}

/// Writes a file of `/proc/PID` in one call, as these files demand.
pub(super) fn write_file(path: &str, text: &str) -> Result<(), sys::Error> {
    let file = openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .or_error("openat", || format!("AT_FDCWD, {path:?}, O_WRONLY"))?;
    sys::rustix::io::write(&file, text.as_bytes())
        .or_error("write", || format!("{path:?}, {text:?}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{IdMap, text};

    #[test]
    fn a_line_for_each_range() {
        let maps = [
            IdMap { inside: 0, outside: 1000, length: 1 },
            IdMap { inside: 1, outside: 100_000, length: 65_536 },
        ];
        assert_eq!(text(&maps), "0 1000 1\n1 100000 65536\n");
    }
}
