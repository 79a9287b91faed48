//! The flags of `run` and `create` about who is in `/etc/passwd` and `/etc/group`.

use anyhow::{Context as _, Result};
use clap::{ArgAction, Args};
use engine::settings::{Accounts, HostUser};

/// passwd(5).
const USERS: &str = "/etc/passwd";

#[derive(Args)]
pub(super) struct AccountOptions {
    /// Add the user of --user to its /etc/passwd, and his group to /etc/group, if they are numbers
    /// that nobody has there
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    passwd: bool,
    /// His line in /etc/passwd, with $USERNAME, $UID, $GID, $NAME, $HOME; it means --passwd
    #[arg(long, value_name = "LINE", default_value = "", hide_default_value = true)]
    passwd_entry: String,
    /// That of his group, with $GROUPNAME, $GID, $USERLIST; it means --passwd
    #[arg(long, value_name = "LINE", default_value = "", hide_default_value = true)]
    group_entry: String,
    /// A user of the machine, by name or number, whom its /etc/passwd gets; it means --passwd
    #[arg(long, value_name = "USER")]
    hostuser: Vec<String>,
}

impl AccountOptions {
    pub(super) fn settings(&self) -> Result<Accounts> {
        let mut of_machine = Vec::new();
        if !self.hostuser.is_empty() {
            let text = std::fs::read_to_string(USERS).context(USERS)?;
            for wanted in &self.hostuser {
                let found = text.lines().filter_map(host_user).find(|it| is_meant(it, wanted));
                let what = || format!("--hostuser {wanted}: there is no such user in {USERS}");
                of_machine.push(found.with_context(what)?);
            }
        }
        let has_line = !self.passwd_entry.is_empty() || !self.group_entry.is_empty();
        Ok(Accounts {
            own: self.passwd || has_line || !of_machine.is_empty(),
            user_line: self.passwd_entry.clone(),
            group_line: self.group_entry.clone(),
            of_machine,
        })
    }
}

fn is_meant(user: &HostUser, wanted: &str) -> bool {
    user.name == wanted || wanted.parse() == Ok(user.id)
}

fn host_user(line: &str) -> Option<HostUser> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, id, group, text, home, shell] = fields[..] else { return None };
    let [name, text, home, shell] = [name, text, home, shell].map(str::to_owned);
    Some(HostUser { name, id: id.parse().ok()?, group: group.parse().ok()?, text, home, shell })
}

#[cfg(test)]
mod tests {
    use super::{host_user, is_meant};

    #[test]
    fn users_by_name_and_number() {
        let user = host_user("ada:x:7:8:Ada L.:/home/ada:/bin/sh").unwrap();
        assert_eq!((user.id, user.group, user.text.as_str()), (7, 8, "Ada L."));
        assert!(is_meant(&user, "ada") && is_meant(&user, "7") && !is_meant(&user, "8"));
        assert!(host_user("ada:x:7").is_none() && host_user("+::::::").is_none());
    }
}
