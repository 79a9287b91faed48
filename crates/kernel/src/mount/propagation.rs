//! Which other namespaces see what is mounted below a mount.

use super::{Error, Step};
use std::ffi::CStr;
use std::fmt::Display;
use std::os::fd::{AsRawFd, BorrowedFd};
use sys::OrError;
use sys::mount::{Change, mount_setattr};
use sys::rustix::io::Errno;
use sys::rustix::mount::{MountPropagationFlags, mount_change};

/// See mount_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropagationKind {
    /// Both ways.
    Shared,
    /// From the machine to the container alone.
    Slave,
    /// Neither way.
    Private,
    /// Neither way, and it cannot be bind mounted.
    Unbindable,
}

/// A kind, for a mount or for all below it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// Which.
    pub kind: PropagationKind,
    /// Whether for all mounts below too.
    pub recursive: bool,
}

impl Propagation {
    /// What a container has unless told otherwise: `rslave`.
    pub const DEFAULT: Propagation = Propagation { kind: PropagationKind::Slave, recursive: true };

    /// Reads one of `private`, `shared`, `slave`, `unbindable`, or the same with an `r` in front.
    #[must_use]
    pub fn parse(word: &str) -> Option<Propagation> {
        match super::Options::parse([word]).propagation.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Whether nothing mounted there is seen elsewhere.
    pub(super) fn is_closed(self) -> bool {
        self.kind != PropagationKind::Shared
    }

    fn flags(self) -> MountPropagationFlags {
        let kind = match self.kind {
            PropagationKind::Shared => MountPropagationFlags::SHARED,
            PropagationKind::Slave => MountPropagationFlags::DOWNSTREAM,
            PropagationKind::Private => MountPropagationFlags::PRIVATE,
            PropagationKind::Unbindable => MountPropagationFlags::UNBINDABLE,
        };
        if self.recursive { kind | MountPropagationFlags::REC } else { kind }
    }

    /// Of the mount at a path of the machine.
    pub(super) fn apply_to_path(self, path: &CStr) -> Result<(), sys::Error> {
        let flags = self.flags();
        mount_change(path, flags).or_error("mount", || format!("{path:?}, {flags:?}"))
    }

    /// Of a mount that is attached, by its descriptor.
    ///
    /// Without mount_setattr(2), it goes through `/proc/self/fd`.
    pub(super) fn apply(self, mount: BorrowedFd<'_>, path: &impl Display) -> Result<(), Error> {
        let kind = self.flags() & !MountPropagationFlags::REC;
        let change = Change { propagation: kind.bits().into(), ..Change::default() };
        match mount_setattr(mount, c"", self.recursive, &change) {
            Err(Errno::NOSYS) => {
                let place = format!("/proc/self/fd/{}", mount.as_raw_fd());
                mount_change(place.as_str(), self.flags())
                    .or_error("mount", || format!("{place:?}, {:?}", self.flags()))
            }
            result => result.or_error("mount_setattr", || {
                format!("{}, AT_EMPTY_PATH, {:?}", mount.as_raw_fd(), self.flags())
            }),
        }
        .map_err(Error::at(Step::Propagation, path))
    }
}

#[cfg(test)]
mod tests {
    use super::{Propagation, PropagationKind};

    #[test]
    fn has_eight_names() {
        let private = Propagation { kind: PropagationKind::Private, recursive: false };
        assert_eq!(Propagation::parse("private"), Some(private));
        assert_eq!(Propagation::parse("rslave"), Some(Propagation::DEFAULT));
        assert_eq!(Propagation::parse("ro"), None);
        assert_eq!(Propagation::parse("rprivate,shared"), None);
    }
}
