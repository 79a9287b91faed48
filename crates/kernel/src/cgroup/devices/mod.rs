//! Which devices a container may use.

#[cfg(any(test, fuzzing))]
pub(super) mod model;

use super::resources::{DeviceAccess, DeviceKind, DeviceRule};

const fn allow(major: u32, minor: Option<u32>, access: DeviceAccess) -> DeviceRule {
    DeviceRule { allow: true, kind: DeviceKind::Character, major: Some(major), minor, access }
}

const fn allow_nodes(kind: DeviceKind) -> DeviceRule {
    DeviceRule { allow: true, kind, major: None, minor: None, access: DeviceAccess::MKNOD }
}

/// What every container may do, whatever its configuration says: make nodes, and use those that
/// cannot do harm, which the specification makes in every container.
// tidy: table
pub(super) const ALWAYS: [DeviceRule; 10] = [
    allow_nodes(DeviceKind::Character),
    allow_nodes(DeviceKind::Block),
    // /dev/null, zero, full, random, urandom
    allow(1, Some(3), DeviceAccess::ALL),
    allow(1, Some(5), DeviceAccess::ALL),
    allow(1, Some(7), DeviceAccess::ALL),
    allow(1, Some(8), DeviceAccess::ALL),
    allow(1, Some(9), DeviceAccess::ALL),
    // /dev/tty, ptmx, pts/*
    allow(5, Some(0), DeviceAccess::ALL),
    allow(5, Some(2), DeviceAccess::ALL),
    allow(136, None, DeviceAccess::ALL),
];

/// The configuration's list, and [`ALWAYS`] after it.
pub(super) fn complete(rules: &[DeviceRule]) -> Vec<DeviceRule> {
    rules.iter().copied().chain(ALWAYS).collect()
}

/// Which of them one device is: `(kind, major, minor)`, `None` standing for any.
pub(super) type Devices = (DeviceKind, Option<u32>, Option<u32>);

impl DeviceAccess {
    /// In `a` or in `b`.
    pub(super) const fn union(a: DeviceAccess, b: DeviceAccess) -> DeviceAccess {
        DeviceAccess { read: a.read | b.read, write: a.write | b.write, mknod: a.mknod | b.mknod }
    }

    /// In `a`, but not in `b`.
    pub(super) const fn difference(a: DeviceAccess, b: DeviceAccess) -> DeviceAccess {
        DeviceAccess {
            read: a.read & !b.read,
            write: a.write & !b.write,
            mknod: a.mknod & !b.mknod,
        }
    }

    /// As the kernel spells it: some of `r`, `w` and `m`.
    pub(super) fn letters(self) -> String {
        let letters = [('r', self.read), ('w', self.write), ('m', self.mknod)];
        letters.into_iter().filter_map(|(letter, on)| on.then_some(letter)).collect()
    }
}
