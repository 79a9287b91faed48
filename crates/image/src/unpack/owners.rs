//! Whose the files become.

use serde::{Deserialize, Serialize};
use sys::rustix::process::{getegid, geteuid};

/// Whose the files become.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owners {
    /// Whom the layer says, as numbers of the namespace that this process is in.
    #[default]
    Keep,
    /// Whoever unpacks them: for who has only one number.
    Own,
    /// Whom the layer says, moved by these ranges: for a container in a user namespace where
    /// mounts cannot be mapped.
    Map {
        /// For users.
        users: Vec<IdRange>,
        /// For groups.
        groups: Vec<IdRange>,
    },
}

/// Some numbers in a container and what they are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first one in the container.
    pub inside: u32,
    /// The first one outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// A number that no range has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {what} {number} is in no range of the map")]
pub struct Unmapped {
    what: &'static str,
    number: u32,
}

impl Owners {
    /// As a row has it: the same ranges in the same order are the same text.
    pub(crate) fn as_text(&self) -> String {
        // Numbers and names alone: there is nothing in it that JSON lacks.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The user and group outside.
    pub(crate) fn outside(&self, user: u32, group: u32) -> Result<(u32, u32), Unmapped> {
        match self {
            Owners::Keep => Ok((user, group)),
            Owners::Own => Ok((geteuid().as_raw(), getegid().as_raw())),
            Owners::Map { users, groups } => {
                Ok((shift(users, user, "user")?, shift(groups, group, "group")?))
            }
        }
    }
}

fn shift(ranges: &[IdRange], number: u32, what: &'static str) -> Result<u32, Unmapped> {
    let shifted = ranges.iter().find_map(|range| {
        let offset = number.checked_sub(range.inside).filter(|offset| *offset < range.count)?;
        range.outside.checked_add(offset)
    });
    // The last number means "leave it" to chown(2).
    shifted.filter(|number| *number != u32::MAX).ok_or(Unmapped { what, number })
}

#[cfg(test)]
mod tests {
    use super::{IdRange, Owners};

    #[test]
    fn ranges_move_numbers_and_nothing_falls_between() {
        let users = vec![
            IdRange { inside: 0, outside: 1000, count: 1 },
            IdRange { inside: 1, outside: 100_000, count: 10 },
            IdRange { inside: 50, outside: u32::MAX - 1, count: 100 },
        ];
        let groups = vec![IdRange { inside: 0, outside: 5, count: u32::MAX }];
        let owners = Owners::Map { users, groups };
        assert_eq!(owners.outside(0, 0), Ok((1000, 5)));
        assert_eq!(owners.outside(10, 1), Ok((100_009, 6)));
        assert_eq!(owners.outside(50, 0), Ok((u32::MAX - 1, 5)));
        for user in [11, 51, 52, u32::MAX] {
            assert!(owners.outside(user, 0).is_err(), "{user}");
        }
        assert_eq!(Owners::Keep.outside(7, 8), Ok((7, 8)));
    }
}
