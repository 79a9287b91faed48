//! User and group ids, credentials(7).

use sys::OrError;
use sys::rustix::io::Errno;
use sys::rustix::process::{Gid, Uid};
use sys::rustix::thread::{
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// Who a process is, as its user namespace counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
    /// More groups; or those that it has anyway.
    pub groups: Option<Vec<u32>>,
}

impl Identity {
    /// Changes the calling thread's ids. Capabilities stay permitted, but are not effective any
    /// more where the user is not root, and PR_SET_KEEPCAPS stays on until execve(2).
    ///
    /// # Errors
    /// EINVAL for an id that the user namespace does not map, EPERM without CAP_SETUID, CAP_SETGID.
    pub fn assume(&self) -> Result<(), sys::Error> {
        if self.user != 0 {
            set_keep_capabilities(true).or_error("prctl", || "PR_SET_KEEPCAPS, 1")?;
        }
        if let Some(groups) = &self.groups {
            self.set_groups(groups)?;
        }
        set_group(self.group)?;
        set_user(self.user)
    }

    fn set_groups(&self, groups: &[u32]) -> Result<(), sys::Error> {
        let ids: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        match set_thread_groups(&ids) {
            // In a user namespace whose maker had no rights nobody may call it, and its groups
            // stay as they are; whoever asks for more groups there asks for too much.
            Err(Errno::PERM) if groups.iter().all(|group| *group == self.group) => Ok(()),
            result => result.or_error("setgroups", || format!("{groups:?}")),
        }
    }
}

/// Becomes root of the user namespace that the calling thread is in, all of whose capabilities it
/// has. Files that it makes then belong to that root.
///
/// # Errors
/// EINVAL if the user namespace does not map root.
pub fn take_root_ids() -> Result<(), sys::Error> {
    set_group(0)?;
    set_user(0)
}

fn set_group(id: u32) -> Result<(), sys::Error> {
    let group = Gid::from_raw(id);
    set_thread_res_gid(group, group, group).or_error("setresgid", || id.to_string())
}

fn set_user(id: u32) -> Result<(), sys::Error> {
    let user = Uid::from_raw(id);
    set_thread_res_uid(user, user, user).or_error("setresuid", || id.to_string())
}
