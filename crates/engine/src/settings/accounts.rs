//! Users and groups that a container has besides those of its image.

use serde::{Deserialize, Serialize};

/// Who is in a container's `/etc/passwd` and `/etc/group` besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Accounts {
    /// The user that it runs as, if that is a number which is nobody there, and the same of his group.
    pub own: bool,
    /// His line, with variables such as `$UID`; empty: the usual one.
    pub user_line: String,
    /// That of his group; empty: the usual one.
    pub group_line: String,
    /// Users of the machine.
    pub of_machine: Vec<HostUser>,
}

/// A user of the machine, as he is when the container is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostUser {
    /// What he is called.
    pub name: String,
    /// His id.
    pub id: u32,
    /// His group's id.
    pub group: u32,
    /// Who that is.
    pub text: String,
    /// His folder, which counts if the container has it mounted.
    pub home: String,
    /// His shell.
    pub shell: String,
}

impl Accounts {
    /// Whether there is nobody else.
    pub fn is_empty(&self) -> bool {
        !self.own && self.of_machine.is_empty()
    }
}
