//! Flags about ids, which containers and pods have.

use clap::Args;
use engine::settings::Namespaces;

#[derive(Args)]
pub(crate) struct UserOptions {
    /// User ids: host, auto, keep-id, nomap, private, container:NAME
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    userns: String,
    /// User ids in a user namespace of its own, CONTAINER:HOST[:COUNT]
    #[arg(long, value_name = "MAPPING")]
    uidmap: Vec<String>,
    /// The same of groups [default: as --uidmap]
    #[arg(long, value_name = "MAPPING")]
    gidmap: Vec<String>,
    /// Whose user ids of /etc/subuid it has
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subuidname: String,
    /// Whose groups of /etc/subgid [default: as --subuidname]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subgidname: String,
}

impl UserOptions {
    /// What is said of ids, and nothing of other namespaces.
    pub(crate) fn namespaces(&self) -> Namespaces {
        Namespaces {
            user: self.userns.clone(),
            uid_maps: self.uidmap.clone(),
            gid_maps: self.gidmap.clone(),
            subuid_name: self.subuidname.clone(),
            subgid_name: self.subgidname.clone(),
            ..Namespaces::default()
        }
    }
}
