//! Sources of bind mounts that the parent opens, because the child may not.
//!
//! Two kinds: those whose ids are mapped, which takes rights over the file system, and in a user
//! namespace those behind a folder that its root cannot enter. The parent makes a detached tree
//! of each, which the child mounts by its descriptor ([`super::Assembly::mount_handed`]).
//!
//! The parent does so inside the child's mount namespace (`namespace::visit`): where that belongs
//! to a user namespace, the attributes of the machine's mounts are locked there, and stay so in
//! the tree. A tree made in the machine's namespace lets a container with CAP_SYS_ADMIN in its
//! user namespace take off a `nodev` or `ro` that the machine's administrator has set, and what
//! is mounted in it later on would be mounted on the machine, too.

use super::{Bind, Error, Step, tree};
use crate::path::RootedPath;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::mount::{Change, MOUNT_ATTR_IDMAP, mount_setattr};
use sys::rustix::io::Errno;

impl Bind {
    /// Opens what is bound, in the caller's mount namespace. With a user namespace, whose owner's rights the
    /// caller must have, the ids in the files are mapped by it (Linux 5.12); `all` does that for
    /// all that is mounted below, too.
    ///
    /// # Errors
    /// ENOENT, EACCES for the path; EINVAL for a file system that has no mapped mounts; EPERM.
    pub fn open_in(
        &self,
        user_namespace: Option<BorrowedFd<'_>>,
        all: bool,
        target: &RootedPath,
    ) -> Result<OwnedFd, Error> {
        let tree = tree::of_path(&self.from, self.recursive, target)?;
        if user_namespace.is_some() {
            let change = Change { set: MOUNT_ATTR_IDMAP, user_namespace, ..Change::default() };
            let arguments = || format!("{}, MOUNT_ATTR_IDMAP", tree.as_raw_fd());
            let mapped = mount_setattr(tree.as_fd(), c"", all, &change);
            mapped.or_error("mount_setattr", arguments).map_err(|error| match error.errno {
                Errno::INVAL => Error::NeverMapped { path: target.to_string(), error },
                _ => Error::at(Step::IdMap, target)(error),
            })?;
        }
        Ok(tree)
    }
}
