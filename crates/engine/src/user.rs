//! Who a program is: names of the container's own users and groups.

use crate::error::{Error, Result};
use spec::runtime::User;

/// The files of the container that say who there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// `/etc/passwd`, passwd(5).
    pub(crate) users: String,
    /// `/etc/group`, group(5).
    pub(crate) groups: String,
}

impl Names {
    /// `USER[:GROUP]`, and more groups.
    pub(crate) fn find(&self, text: &str, more: &[String]) -> Result<User> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let mut found = self.user(if user.is_empty() { "0" } else { user })?;
        if let Some(group) = group {
            // Whoever names a group is in no other.
            found.additional_gids.clear();
            found.gid = self.group(group)?;
        }
        for group in more {
            found.additional_gids.push(self.group(group)?);
        }
        // Else a program with other groups would be rid of this one, and of what it is kept from by
        // files whose group may do less than others (CVE-2022-36109).
        found.additional_gids.push(found.gid);
        found.additional_gids.sort_unstable();
        found.additional_gids.dedup();
        Ok(found)
    }

    /// Whether there is a user of this name, or with this number.
    pub(crate) fn has_user(&self, text: &str) -> bool {
        is_in(&self.users, text)
    }

    /// The same of a group.
    pub(crate) fn has_group(&self, text: &str) -> bool {
        is_in(&self.groups, text)
    }

    /// What a user is called.
    pub(crate) fn name_of(&self, id: u32) -> Option<String> {
        let lines = self.users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut users = lines.filter(|fields| fields.len() >= 4);
        users.find(|fields| fields[2].parse() == Ok(id)).map(|fields| fields[0].to_owned())
    }

    fn user(&self, text: &str) -> Result<User> {
        let asked = number(text);
        // A number is one even where some user is called so.
        let is_meant = |fields: &[&str]| match asked {
            Some(number) => fields[2].parse() == Ok(number),
            None => fields[0] == text,
        };
        let lines = self.users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let entry = lines.filter(|fields| fields.len() >= 4).find(|fields| is_meant(fields));
        let Some(entry) = entry else {
            let uid = asked.ok_or_else(|| {
                let where_from = "in the container's /etc/passwd";
                Error::invalid(format!("unable to find user {text}: there is none {where_from}"))
            })?;
            return Ok(User { uid, ..User::default() });
        };
        let damaged = || Error::invalid(format!("user {text}: a wrong line in /etc/passwd"));
        let uid = number(entry[2]).ok_or_else(damaged)?;
        let gid = number(entry[3]).ok_or_else(damaged)?;
        let additional_gids = self.groups_of(entry[0]);
        Ok(User { uid, gid, additional_gids, umask: None })
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        let lines = self.groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let is_in = |fields: &Vec<&str>| {
            fields.get(3).is_some_and(|members| members.split(',').any(|it| it == user))
        };
        lines.filter(is_in).filter_map(|fields| number(fields[2])).collect()
    }

    fn group(&self, text: &str) -> Result<u32> {
        if let Some(number) = number(text) {
            return Ok(number);
        }
        let lines = self.groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut entries = lines.filter(|fields| fields.len() >= 3 && fields[0] == text);
        let found = entries.find_map(|fields| number(fields[2]));
        found.ok_or_else(|| {
            let where_from = "in the container's /etc/group";
            Error::invalid(format!("unable to find group {text}: there is none {where_from}"))
        })
    }
}

/// In both files the name is first, and the number third.
fn is_in(file: &str, text: &str) -> bool {
    let mut lines = file.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.any(|fields| fields.len() >= 3 && (fields[0] == text || fields[2] == text))
}

/// The largest number is no id: to the kernel it means "no change".
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Names;

    fn names() -> Names {
        Names {
            users: "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:/bin/false\n7:x:8:8::/:\n\
                u:x:4294967295:1:::\ng:x:1:4294967295:::\n"
                .into(),
            groups: "root:x:0:\nweb:x:34:\nlog:x:4:web,other\ntape:x:26:web\n".into(),
        }
    }

    #[test]
    fn names_and_numbers() {
        let find = |text: &str| {
            let user = names().find(text, &[]).unwrap();
            (user.uid, user.gid, user.additional_gids)
        };
        assert_eq!(find(""), (0, 0, vec![0]));
        assert_eq!(find("web"), (33, 34, vec![4, 26, 34]));
        assert_eq!(find("33"), (33, 34, vec![4, 26, 34]));
        assert_eq!(find("web:tape"), (33, 26, vec![26]));
        assert_eq!(find("1000:log"), (1000, 4, vec![4]));
        assert_eq!(find("1000"), (1000, 0, vec![0]));
        assert_eq!(find("7"), (7, 0, vec![0]));
        assert_eq!(find(":5"), (0, 5, vec![5]));
    }

    #[test]
    fn more_groups() {
        let user = names().find("web", &["tape".into(), "99".into()]).unwrap();
        assert_eq!(user.additional_gids, [4, 26, 34, 99]);
    }

    #[test]
    fn whoever_is_not_there_is_not_root() {
        for text in ["nobody", "0x0", "-1", "4294967295", "u", "g", "web:none", "web:", " 0"] {
            assert!(names().find(text, &[]).is_err(), "{text:?}");
        }
    }
}
