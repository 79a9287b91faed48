//! Users and groups that are added to those of the image: files of the container's own are mounted
//! over its `/etc/passwd` and `/etc/group`, as Podman does.

use crate::error::Result;
use crate::settings::{HostUser, Settings};
use crate::user::Names;
use spec::runtime::User;

/// passwd(5) has seven fields, group(5) four.
const FLAGS: [(&str, usize, &str); 2] = [
    ("--passwd-entry", 7, "NAME:PASSWORD:UID:GID:TEXT:HOME:SHELL"),
    ("--group-entry", 4, "NAME:PASSWORD:GID:USERS"),
];

/// Whether each is one line, of a form that is understood.
pub(super) fn check(settings: &Settings) -> Result<()> {
    let accounts = &settings.accounts;
    for ((flag, count, form), line) in FLAGS.iter().zip([&accounts.user_line, &accounts.group_line])
    {
        let is_line = line.split(':').count() == *count && !line.contains(['\n', '\0']);
        if !line.is_empty() && !is_line {
            return super::wrong(flag, line, &format!("is not {form}"));
        }
    }
    Ok(())
}

/// Who there is, with those users of the machine whom the container does not know.
pub(super) fn with_those_of_machine(settings: &Settings, names: &Names) -> Names {
    let mut names = names.clone();
    for user in &settings.accounts.of_machine {
        let HostUser { name, id, group, text, home, shell } = user;
        if names.has_user(name) || names.has_user(&id.to_string()) {
            continue;
        }
        let home = if is_mounted(settings, home) { home } else { folder(settings) };
        add(&mut names.users, &format!("{name}:x:{id}:{group}:{text}:{home}:{shell}"));
    }
    names
}

/// Adds the user that it runs as, if he is a number, and his group.
pub(super) fn add_own(names: &mut Names, settings: &Settings, user: &User) -> Result<()> {
    let accounts = &settings.accounts;
    if !accounts.own {
        return Ok(());
    }
    let (id, group) = (user.uid.to_string(), user.gid.to_string());
    if !names.has_user(&id) {
        let usual = "$USERNAME:*:$UID:$GID:$NAME:$HOME:/bin/sh";
        let line = if accounts.user_line.is_empty() { usual } else { &accounts.user_line };
        let values = [
            // Longer names first: one may begin with another.
            ("$USERNAME", id.as_str()),
            ("$UID", &id),
            ("$GID", &group),
            ("$NAME", "container user"),
            ("$HOME", folder(settings)),
        ];
        add(&mut names.users, &filled(line, &values));
    }
    if !names.has_group(&group) {
        let usual = "$GROUPNAME:x:$GID:$USERLIST";
        let line = if accounts.group_line.is_empty() { usual } else { &accounts.group_line };
        let user = names.name_of(user.uid).unwrap_or(id);
        let values = [("$GROUPNAME", group.as_str()), ("$GID", &group), ("$USERLIST", &user)];
        add(&mut names.groups, &filled(line, &values));
    }
    Ok(())
}

fn filled(line: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, value))
}

fn add(file: &mut String, line: &str) {
    if !file.is_empty() && !file.ends_with('\n') {
        file.push('\n');
    }
    file.push_str(line);
    file.push('\n');
}

fn folder(settings: &Settings) -> &str {
    if settings.working_dir.is_empty() { "/" } else { &settings.working_dir }
}

/// Whether a folder of the machine is in the container, in the same place.
fn is_mounted(settings: &Settings, folder: &str) -> bool {
    settings
        .mounts
        .iter()
        .any(|it| it.source == it.target && std::path::Path::new(folder).starts_with(&it.target))
}

#[cfg(test)]
mod tests {
    use super::{add_own, with_those_of_machine};
    use crate::settings::{Accounts, HostUser, Settings};
    use crate::user::Names;

    fn names() -> Names {
        Names { users: "root:x:0:0::/:/bin/sh".into(), groups: "root:x:0:\n".into() }
    }

    fn own(user: &str, accounts: Accounts) -> Names {
        let accounts = Accounts { own: true, ..accounts };
        let settings = Settings { accounts, user: user.to_owned(), ..Settings::default() };
        let mut names = with_those_of_machine(&settings, &names());
        let found = names.find(user, &[]).unwrap();
        add_own(&mut names, &settings, &found).unwrap();
        names
    }

    #[test]
    fn a_number_gets_lines() {
        let found = own("7:8", Accounts::default());
        assert_eq!(found.users.lines().last(), Some("7:*:7:8:container user:/:/bin/sh"));
        assert_eq!(found.groups.lines().last(), Some("8:x:8:7"));
        let found = own("0", Accounts::default());
        assert_eq!((found.users, found.groups), (names().users, names().groups));
        let line = "me:x:$UID:$GID:$NAME $USERNAME:$HOME:/bin/ash".to_owned();
        let found = own("7", Accounts { user_line: line, ..Accounts::default() });
        assert_eq!(found.users.lines().last(), Some("me:x:7:0:container user 7:/:/bin/ash"));
    }

    #[test]
    fn users_of_the_machine_are_those_that_the_image_lacks() {
        let user = |name: &str, id, home: &str| HostUser {
            name: name.into(),
            id,
            group: 9,
            home: home.into(),
            shell: "/bin/x".into(),
            ..HostUser::default()
        };
        let of_machine = vec![user("ada", 7, "/home/ada"), user("root", 5, "/"), user("b", 0, "/")];
        let found = own("ada", Accounts { of_machine, ..Accounts::default() });
        assert_eq!(
            found.users,
            "root:x:0:0::/:/bin/sh\nada:x:7:9:::/bin/x\n".replace(":::", "::/:")
        );
        assert_eq!(found.groups.lines().last(), Some("9:x:9:ada"));
    }
}
