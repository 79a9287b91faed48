//! The runtime specification, version 1.3: what `config.json` holds, and the documents that a
//! runtime writes. Sections for other systems than Linux count as unknown fields.

mod default_seccomp;
mod device;
mod features;
mod hooks;
mod linux;
mod mount;
mod process;
mod resources;
mod schedule;
mod seccomp;
mod state;
mod template;

pub use default_seccomp::default_seccomp;
pub use device::{Device, DeviceKind, DeviceRule, DeviceRuleKind, NetDevice};
pub use features::*;
pub use hooks::{Hook, Hooks};
pub use linux::*;
pub use mount::{Mount, Propagation, Root};
pub use process::{Capabilities, ConsoleSize, Process, Rlimit, User};
pub use resources::*;
pub use schedule::*;
pub use seccomp::*;
pub use state::{ContainerProcessState, Details, SECCOMP_FD_NAME, State, Status};
pub use template::{TEMPLATE, rootless_template};

use crate::json::{Map, Problem, Text, object};

/// The version of the specification that these types follow.
pub const VERSION: &str = "1.3.0";

object! {
    /// `config.json`.
    pub struct Spec<'a>, check check_spec {
        /// The version of the specification that the file follows: `1.x.y`.
        required oci_version: Text<'a> = "ociVersion",
        /// What runs in the container. A container cannot be started without one.
        optional process: Option<Process<'a>> = "process",
        /// The container's root file system.
        required root: Root<'a> = "root",
        /// The name in the container's UTS namespace.
        optional hostname: Text<'a> = "hostname",
        /// The NIS domain name in the container's UTS namespace.
        optional domainname: Text<'a> = "domainname",
        /// File systems, in the order in which they are mounted.
        optional mounts: Vec<Mount<'a>> = "mounts",
        /// Programs that run at certain points of the container's life.
        optional hooks: Hooks<'a> = "hooks",
        /// Anything the caller likes.
        optional annotations: Map<'a, Text<'a>> = "annotations",
        /// All that only Linux has.
        optional linux: Linux<'a> = "linux",
    }
}

impl Spec<'_> {
    /// Whether a limit of 0 processes is one: version 1.3 says so. Before it could not be told from
    /// none, and Podman says it for that.
    pub fn has_pids_zero(&self) -> bool {
        let minor = self.oci_version.split('.').nth(1).and_then(|it| it.parse::<u64>().ok());
        minor.is_some_and(|minor| minor >= 3)
    }
}

/// The kernel's `__NEW_UTS_LEN`.
const UTS_NAME_LENGTH: usize = 64;

fn check_spec(spec: &Spec<'_>) -> Result<(), Problem> {
    check_version(&spec.oci_version)?;
    for (field, name) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        if name.len() > UTS_NAME_LENGTH {
            let what = format_args!("{name:?} is longer than {UTS_NAME_LENGTH} bytes");
            return Err(Problem::at(field, what));
        }
    }
    if spec.annotations.get("").is_some() {
        return Err(Problem::at("annotations", "a key is empty"));
    }
    Ok(())
}

/// Any 1.x.y will do: a later version only adds fields. What follows it (`-rc1`, `+dev`) tells us
/// nothing.
fn check_version(version: &str) -> Result<(), Problem> {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    let parts: Vec<&str> = numbers.split('.').collect();
    match parts[..] {
        ["1", minor, patch] if is_number(minor) && is_number(patch) => Ok(()),
        _ => Err(Problem::at("ociVersion", format_args!("{version:?} is not a version 1.x.y"))),
    }
}

/// The first value that is there twice, with the index of the second.
fn repeated<T: PartialEq>(values: impl Iterator<Item = T>) -> Option<(usize, T)> {
    let mut seen = Vec::new();
    for (index, value) in values.enumerate() {
        if seen.contains(&value) {
            return Some((index, value));
        }
        seen.push(value);
    }
    None
}

/// The largest number is no id: to the kernel it means "no change", and who asks for it would stay
/// root.
fn check_id(field: impl std::fmt::Display, id: u32) -> Result<(), Problem> {
    if id < u32::MAX { Ok(()) } else { Err(out_of_range(field, id, 0, u32::MAX - 1)) }
}

/// The problem of a number that is not in the range of its field.
fn out_of_range<T: std::fmt::Display>(
    field: impl std::fmt::Display,
    value: T,
    low: T,
    high: T,
) -> Problem {
    Problem::at(field, format_args!("{value} is not from {low} to {high}"))
}

#[cfg(test)]
mod tests;
