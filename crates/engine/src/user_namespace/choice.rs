//! What `--userns` and its companions mean, as Podman spells them.

use super::ids::{check, parse_mapping, parse_mappings};
use super::own::{Available, OwnIds};
use super::ranges::{self, Span};
use crate::error::{Error, Result};
use crate::settings::{IdRange, Ids, Namespaces};

/// Where ids come from that belong to nobody else, as with Podman.
pub(super) const OWNER: &str = "containers";

/// Where a container's ids come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// They are the machine's, or those of the user's own user namespace.
    Host,
    /// These.
    Fixed(Ids),
    /// These, which other containers may have as well.
    Common(Ids),
    /// The same, where a user without rights is this user and group.
    Kept(Ids, (u32, u32)),
    /// Some of these that no other container has.
    Auto(Auto, Available),
    /// Those of another container, by its name or id: both are in one user namespace.
    Shared(String),
}

/// Ids that are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Auto {
    /// How many; `None`: as many as the image needs.
    pub(crate) size: Option<u32>,
    /// Some of them, chosen by the user.
    pub(crate) users: Vec<IdRange>,
    pub(crate) groups: Vec<IdRange>,
}

impl Choice {
    /// Finds out what is wanted. `own`: everything is in a user namespace already, with these ids.
    pub(crate) fn new(wanted: &Namespaces, own: Option<&OwnIds>) -> Result<Choice> {
        let (mode, value) = wanted.user.split_once(':').unwrap_or((&wanted.user, ""));
        let plain = Namespaces { user: String::new(), ..wanted.clone() };
        let has_maps = plain.wants_own_ids();
        if has_maps && !matches!(mode, "" | "private") {
            let text = "not together with --uidmap, --gidmap, --subuidname or --subgidname";
            return Err(Error::invalid(format!("--userns {mode}: {text}")));
        }
        match (mode, value, own) {
            ("", "", _) if !has_maps => Ok(Choice::Host),
            ("host", "", _) => Ok(Choice::Host),
            ("" | "private", "", None) => fixed(wanted).map(Choice::Fixed),
            ("" | "private", "", Some(own)) => own.checked(fixed(wanted)?).map(Choice::Fixed),
            ("auto", _, None) => Ok(Choice::Auto(auto(value)?, Available::of_machine()?)),
            ("auto", _, Some(own)) => Ok(Choice::Auto(auto(value)?, own.available())),
            ("container", name, _) if !name.is_empty() => Ok(Choice::Shared(name.to_owned())),
            ("keep-id", _, Some(own)) => own.keep(value),
            ("nomap", "", Some(own)) => own.without_the_user(),
            ("keep-id" | "nomap", _, None) => {
                let text = "is for users without rights; root's containers have --userns auto, or \
                            --uidmap and --gidmap";
                Err(Error::invalid(format!("--userns {mode} {text}")))
            }
            ("ns", _, _) => {
                let text = "--userns ns: the ids of a namespace cannot be asked for; share that of a \
                            container, --userns container:NAME";
                Err(Error::invalid(text))
            }
            _ => {
                let text = "is not host, auto[:size=COUNT,uidmapping=..,gidmapping=..], \
                            keep-id[:uid=ID,gid=ID,size=COUNT], nomap, private (with --uidmap) or \
                            container:NAME";
                Err(Error::invalid(format!("--userns: {:?} {text}", wanted.user)))
            }
        }
    }
}

/// Mappings, or all ids of somebody. If there is something about users alone, it is so for groups.
fn fixed(wanted: &Namespaces) -> Result<Ids> {
    let one =
        |flag: &str, maps: &[String], name_flag: &str, name: &str, file: &str| match (maps, name) {
            ([], "") => Ok(None),
            (_, "") => parse_mappings(flag, maps).map(Some),
            ([], name) => in_a_row(name_flag, name, &ranges::of_file(file, name)?, file).map(Some),
            _ => Err(Error::invalid(format!("{flag}: not together with {name_flag}"))),
        };
    let (users, groups) =
        ((&wanted.uid_maps, &wanted.subuid_name), (&wanted.gid_maps, &wanted.subgid_name));
    // The subordinate ids of a name are in both files.
    let (user_flag, group_flag) = ("--subuidname", "--subgidname");
    let is_silent = |it: (&Vec<String>, &String)| it.0.is_empty() && it.1.is_empty();
    // What was said is blamed.
    let of_users = if is_silent(users) { (group_flag, groups.1) } else { (user_flag, users.1) };
    let of_groups = if is_silent(groups) { (user_flag, users.1) } else { (group_flag, groups.1) };
    let found_users = one("--uidmap", users.0, of_users.0, of_users.1, ranges::USERS)?;
    let found_groups = one("--gidmap", groups.0, of_groups.0, of_groups.1, ranges::GROUPS)?;
    let ids = match (found_users, found_groups) {
        (Some(users), Some(groups)) => Ids { users, groups },
        (Some(both), None) | (None, Some(both)) => Ids { users: both.clone(), groups: both },
        (None, None) => {
            let text = "--userns private: which ids? Give --uidmap and --gidmap, or --userns auto";
            return Err(Error::invalid(text));
        }
    };
    if ids.outside(0, 0).is_none() {
        let text = "--uidmap, --gidmap: nobody is 0, and the container needs a root";
        return Err(Error::invalid(text));
    }
    Ok(ids)
}

/// All of these, from 0 on.
fn in_a_row(flag: &str, name: &str, spans: &[Span], file: &str) -> Result<Vec<IdRange>> {
    let mut next = 0_u32;
    let mut all = Vec::new();
    for span in spans {
        let Some(after) = next.checked_add(span.count) else { break };
        all.push(IdRange { inside: next, outside: span.first, length: span.count });
        next = after;
    }
    if all.is_empty() {
        let text = format!("{flag}: {file} has no line for {name}: {}", ranges::advice(name));
        return Err(Error::Invalid(text));
    }
    check(flag, &all)?;
    Ok(all)
}

fn auto(text: &str) -> Result<Auto> {
    let mut wanted = Auto::default();
    for option in text.split(',').filter(|option| !option.is_empty()) {
        let flag = "--userns auto";
        match option.split_once('=') {
            Some(("size", size)) => {
                let size = size.parse().ok().filter(|size| *size > 0);
                let wrong = || Error::invalid(format!("{flag}: {option:?} is no number of ids"));
                wanted.size = Some(size.ok_or_else(wrong)?);
            }
            Some(("uidmapping", map)) => wanted.users.push(parse_mapping(flag, map, ':')?),
            Some(("gidmapping", map)) => wanted.groups.push(parse_mapping(flag, map, ':')?),
            _ => {
                let text = "is not size=COUNT, uidmapping=.. or gidmapping=..";
                return Err(Error::invalid(format!("{flag}: {option:?} {text}")));
            }
        }
    }
    for all in [&wanted.users, &wanted.groups] {
        check("--userns auto", all)?;
        if all.iter().any(|range| range.outside == 0) {
            let text =
                "--userns auto: the machine's 0 is its root; --uidmap and --gidmap can say so";
            return Err(Error::invalid(text));
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::Choice;
    use crate::settings::{IdRange, Ids, Namespaces};

    fn of(user: &str, uid_maps: &[&str], gid_maps: &[&str]) -> Result<Choice, String> {
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect();
        let wanted = Namespaces {
            user: user.to_owned(),
            uid_maps: texts(uid_maps),
            gid_maps: texts(gid_maps),
            ..Namespaces::default()
        };
        Choice::new(&wanted, None).map_err(|error| error.to_string())
    }

    #[test]
    fn modes() {
        assert_eq!(of("", &[], &[]), Ok(Choice::Host));
        assert_eq!(of("host", &[], &[]), Ok(Choice::Host));
        assert_eq!(of("container:a", &[], &[]), Ok(Choice::Shared("a".to_owned())));
        for wrong in ["keep-id", "nomap", "private", "ns:/proc/1/ns/user", "container:", "hosts"] {
            assert!(of(wrong, &[], &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_said_of_users_holds_for_groups() {
        let range = |outside| vec![IdRange { inside: 0, outside, length: 9 }];
        let ids =
            |users, groups| Ok(Choice::Fixed(Ids { users: range(users), groups: range(groups) }));
        assert_eq!(of("", &["0:70:9"], &[]), ids(70, 70));
        assert_eq!(of("private", &[], &["0:70:9"]), ids(70, 70));
        assert_eq!(of("", &["0:70:9"], &["0:80:9"]), ids(70, 80));
        assert!(of("auto", &["0:70:9"], &[]).unwrap_err().contains("not together"));
        assert!(of("host", &["0:70:9"], &[]).is_err());
    }

    #[test]
    fn options_of_auto() {
        let Ok(Choice::Auto(auto, _)) = of("auto:size=70,uidmapping=5:600:2", &[], &[]) else {
            panic!("not auto");
        };
        assert_eq!(auto.size, Some(70));
        assert_eq!(auto.users, [IdRange { inside: 5, outside: 600, length: 2 }]);
        for wrong in ["size=0", "size=x", "sizes=1", "uidmapping=0:0:1", "gidmapping=1", "size"] {
            assert!(of(&format!("auto:{wrong}"), &[], &[]).is_err(), "{wrong}");
        }
    }
}
