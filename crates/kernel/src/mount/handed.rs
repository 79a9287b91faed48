//! Sources of bind mounts that the parent opens, because the child may not.
//!
//! Two kinds: those whose ids are mapped, which takes rights over the file system, and in a user
//! namespace those behind a folder that its root cannot enter. The parent makes a detached tree
//! of each, which the child mounts by its descriptor ([`From::Tree`]).
//!
//! For a child in a new user namespace the parent best does so inside the child's mount namespace
//! (`namespace::visit`): there the attributes of the machine's mounts are locked, and stay so in
//! the tree. A tree made in the machine's namespace lets a container with CAP_SYS_ADMIN in its
//! user namespace take off a `nodev` or `ro` that the machine's administrator has set.

use super::{Bind, Error, From, Propagation, Step, tree};
use crate::path::RootedPath;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use sys::OrError;
use sys::mount::{Change, MOUNT_ATTR_IDMAP, mount_setattr};

impl Bind {
    /// Opens what is bound, if it is a path. With a user namespace, whose owner's rights the
    /// caller must have, the ids in the files are mapped by it (Linux 5.12); `all` does that for
    /// all that is mounted below, too.
    ///
    /// Unless `isolation` is shared, the tree leaves the mounts that the source is shared with:
    /// else what the container mounts in it would be mounted on the machine too.
    ///
    /// # Errors
    /// ENOENT, EACCES for the path; EINVAL for a file system that has no mapped mounts; EPERM.
    pub fn open(
        &mut self,
        user_namespace: Option<BorrowedFd<'_>>,
        all: bool,
        isolation: Propagation,
        target: &RootedPath,
    ) -> Result<(), Error> {
        let From::Path(source) = &self.from else { return Ok(()) };
        let tree = tree::of_path(source, self.recursive, target)?;
        if user_namespace.is_some() {
            let change = Change { set: MOUNT_ATTR_IDMAP, user_namespace, ..Change::default() };
            mount_setattr(tree.as_fd(), c"", all, &change)
                .or_error("mount_setattr", || format!("{}, MOUNT_ATTR_IDMAP", tree.as_raw_fd()))
                .map_err(Error::at(Step::IdMap, target))?;
        }
        if isolation.is_closed() {
            Propagation { recursive: true, ..isolation }.apply(tree.as_fd(), target)?;
        }
        self.from = From::Tree(tree);
        Ok(())
    }
}
