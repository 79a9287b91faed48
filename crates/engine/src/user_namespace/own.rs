//! The user namespace of a user without rights, which is around those of the containers.

use super::choice::{Choice, OWNER};
use super::ranges::{self, GROUPS, Span, USERS};
use crate::error::{Error, Result};
use crate::settings::{IdRange, Ids};
use crate::small_file;

/// The ids of this process's own user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnIds {
    users: Side,
    groups: Side,
}

/// Those of users, or of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Side {
    /// Who its root is outside.
    root: u32,
    /// All that it has.
    all: Vec<Span>,
}

/// Ids that may be given to containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Available {
    pub(super) users: Vec<Span>,
    pub(super) groups: Vec<Span>,
    /// How there could be more.
    pub(super) advice: String,
}

impl Available {
    /// Those that the machine has set aside, as with Podman.
    pub(super) fn of_machine() -> Result<Available> {
        let users = ranges::of_file(USERS, OWNER)?;
        Ok(Available {
            users,
            groups: ranges::of_file(GROUPS, OWNER)?,
            advice: ranges::advice(OWNER),
        })
    }
}

impl OwnIds {
    /// What the kernel says.
    pub(crate) fn read() -> Result<OwnIds> {
        let side = |path: &str| -> Result<Side> {
            let text = small_file::read(path.as_ref()).map_err(Error::file(path))?;
            Ok(Side::parse(&text.unwrap_or_default()))
        };
        Ok(OwnIds { users: side("/proc/self/uid_map")?, groups: side("/proc/self/gid_map")? })
    }

    /// All but the user's own, who is root in it.
    pub(super) fn available(&self) -> Available {
        let advice = format!("give this user more ids in {USERS} and {GROUPS}");
        Available { users: self.users.all.clone(), groups: self.groups.all.clone(), advice }
    }

    /// Mappings that name no other ids than those there are.
    pub(super) fn checked(&self, ids: Ids) -> Result<Ids> {
        let sides = [("user", &self.users, &ids.users), ("group", &self.groups, &ids.groups)];
        for (kind, side, ranges) in sides {
            if let Some(wrong) = ranges.iter().find(|it| !side.has(it)) {
                let IdRange { inside, outside, length } = wrong;
                let last = side.rest();
                return Err(Error::Invalid(format!(
                    "--{}map {inside}:{outside}:{length}: for a user without rights, {kind} 0 is the \
                     user, and those up to {last} are the ones of {USERS} and {GROUPS}; there are \
                     no others",
                    &kind[..1].replace('u', "uid").replace('g', "gid")
                )));
            }
        }
        Ok(ids)
    }

    /// `keep-id[:uid=ID,gid=ID,size=COUNT]`: whoever has no rights here is the same there.
    pub(super) fn keep(&self, options: &str) -> Result<Choice> {
        self.check_further("keep-id")?;
        let Kept { user, group, size } = Kept::parse(options)?;
        let (user, group) = (user.unwrap_or(self.users.root), group.unwrap_or(self.groups.root));
        let ids = Ids {
            users: self.users.with_own_at(user, size),
            groups: self.groups.with_own_at(group, size),
        };
        Ok(Choice::Kept(ids, (user, group)))
    }

    /// `nomap`: the user is nobody there.
    pub(super) fn without_the_user(&self) -> Result<Choice> {
        self.check_further("nomap")?;
        let all = |side: &Side| vec![IdRange { inside: 0, outside: 1, length: side.rest() }];
        Ok(Choice::Common(Ids { users: all(&self.users), groups: all(&self.groups) }))
    }

    fn check_further(&self, mode: &str) -> Result<()> {
        if self.users.rest() > 0 && self.groups.rest() > 0 {
            return Ok(());
        }
        let text = format!("needs ids for the container's root and others: {USERS} and {GROUPS}");
        Err(Error::invalid(format!("--userns {mode} {text} have none for this user")))
    }

    /// Who the user is whose namespace it is, and the group.
    pub(super) fn root(&self) -> (u32, u32) {
        (self.users.root, self.groups.root)
    }
}

impl Side {
    /// As `/proc/PID/uid_map` has it.
    fn parse(text: &str) -> Side {
        let mut side = Side::default();
        for line in text.lines() {
            let numbers: Vec<u32> =
                line.split_whitespace().map_while(|it| it.parse().ok()).collect();
            let [inside, outside, count] = numbers[..] else { continue };
            if inside == 0 {
                side.root = outside;
            }
            match side.all.last_mut() {
                Some(last) if last.first + last.count == inside => last.count += count,
                _ => side.all.push(Span { first: inside, count }),
            }
        }
        side
    }

    /// How many follow the 0.
    fn rest(&self) -> u32 {
        let first = self.all.iter().find(|it| it.first == 0);
        first.map_or(0, |it| it.count - 1)
    }

    fn has(&self, range: &IdRange) -> bool {
        let fits = |it: &&Span| {
            range.outside >= it.first
                && range.outside - it.first < it.count
                && range.length <= it.count - (range.outside - it.first)
        };
        self.all.iter().any(|it| fits(&it))
    }

    /// The 0 is `own` in the container, and all others are around it in their order: of these, only
    /// those below `size` if that is said.
    fn with_own_at(&self, own: u32, size: Option<u32>) -> Vec<IdRange> {
        let rest = self.rest();
        let most = size.unwrap_or(u32::MAX);
        let below = own.min(rest).min(most);
        let mut ranges = vec![IdRange { inside: own, outside: 0, length: 1 }];
        if below > 0 {
            ranges.insert(0, IdRange { inside: 0, outside: 1, length: below });
        }
        let after = rest.min(most.saturating_sub(1)).saturating_sub(own);
        if after > 0 {
            ranges.push(IdRange { inside: own + 1, outside: own + 1, length: after });
        }
        ranges
    }
}

/// The options of `keep-id`.
#[derive(Default)]
struct Kept {
    user: Option<u32>,
    group: Option<u32>,
    size: Option<u32>,
}

impl Kept {
    fn parse(text: &str) -> Result<Kept> {
        let mut kept = Kept::default();
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let wrong = || {
                let text = "is not uid=ID, gid=ID or size=COUNT";
                Error::invalid(format!("--userns keep-id: {option:?} {text}"))
            };
            let (name, number) = option.split_once('=').ok_or_else(wrong)?;
            // The last number is no id.
            let number: u32 =
                number.parse().ok().filter(|it| *it < u32::MAX - 1).ok_or_else(wrong)?;
            match name {
                "uid" => kept.user = Some(number),
                "gid" => kept.group = Some(number),
                "size" if number > 0 => kept.size = Some(number),
                _ => return Err(wrong()),
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::{OwnIds, Side, Span};
    use crate::settings::{IdRange, Ids};
    use crate::user_namespace::Choice;

    fn own(text: &str) -> OwnIds {
        OwnIds { users: Side::parse(text), groups: Side::parse(text) }
    }

    const USUAL: &str = "         0       1000          1\n         1     100000      65536\n";

    fn ranges(all: &[(u32, u32, u32)]) -> Vec<IdRange> {
        let range =
            |&(inside, outside, length): &(u32, u32, u32)| IdRange { inside, outside, length };
        all.iter().map(range).collect()
    }

    #[test]
    fn what_the_kernel_says() {
        let OwnIds { users, .. } = own(USUAL);
        assert_eq!(users, Side { root: 1000, all: vec![Span { first: 0, count: 65_537 }] });
        assert_eq!(users.rest(), 65_536);
        assert_eq!(own("0 1000 1\n").users.rest(), 0);
        assert_eq!(own("5 1000 1\n").users.rest(), 0);
    }

    #[test]
    fn the_user_keeps_his_id() {
        let kept = |options: &str| match own(USUAL).keep(options) {
            Ok(Choice::Kept(ids, owner)) => Ok((ids.users, ids.groups, owner)),
            other => Err(format!("{other:?}")),
        };
        let usual = ranges(&[(0, 1, 1000), (1000, 0, 1), (1001, 1001, 64_536)]);
        assert_eq!(kept(""), Ok((usual.clone(), usual.clone(), (1000, 1000))));
        let (users, groups, owner) = kept("uid=5,gid=0").unwrap();
        assert_eq!(users, ranges(&[(0, 1, 5), (5, 0, 1), (6, 6, 65_531)]));
        assert_eq!(groups, ranges(&[(0, 0, 1), (1, 1, 65_536)]));
        assert_eq!(owner, (5, 0));
        assert_eq!(
            kept("size=2000").unwrap().0,
            ranges(&[(0, 1, 1000), (1000, 0, 1), (1001, 1001, 999)])
        );
        assert_eq!(kept("size=10").unwrap().0, ranges(&[(0, 1, 10), (1000, 0, 1)]));
        let far = ranges(&[(0, 1, 65_536), (500_000, 0, 1)]);
        assert_eq!(kept("uid=500000").unwrap().0, far);
        for wrong in ["uid", "uid=", "uid=-1", "uid=4294967295", "size=0", "user=1", "uid=x"] {
            assert!(kept(wrong).is_err(), "{wrong}");
        }
        assert!(own("0 1000 1\n").keep("").is_err());
    }

    #[test]
    fn no_other_ids_than_there_are() {
        let checked = |users: &[(u32, u32, u32)]| {
            let ids = Ids { users: ranges(users), groups: ranges(&[(0, 1, 5)]) };
            own(USUAL).checked(ids).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(checked(&[(0, 1, 65_536), (70_000, 0, 1)]), Ok(()));
        assert!(checked(&[(0, 65_536, 2)]).unwrap_err().contains("up to 65536"));
        assert!(checked(&[(0, 100_000, 1)]).is_err());
    }
}
