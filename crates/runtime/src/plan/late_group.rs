//! What the child does before there is its group, where that is made meanwhile.

use super::{Init, Namespaces, View};
use crate::request::{Create, RootMount};
use kernel::mount::{Mount, Source};
use kernel::namespace::Kind;
use kernel::path::RootedPath;

impl Init {
    /// Whether nothing but the cgroups' own mounts waits for the group, and no path of all else has to do
    /// with their folder. So that the image's links have no say in that, each must be below something
    /// that is new.
    pub(crate) fn only_groups_wait(&self) -> bool {
        let (early, late) = self.mounts.split_at(self.mounts_before_group.unwrap_or(0));
        let Some((folder, others)) = early.split_last() else { return false };
        let folder = &folder.target;
        let is_known = |path: &RootedPath| others.iter().any(|it| path.starts_with(&it.target));
        let is_apart = |path: &RootedPath| {
            is_known(path) && !path.starts_with(folder) && !folder.starts_with(path)
        };
        let nodes = self.devices.iter().flatten().map(|node| &node.path);
        is_known(folder)
            && late.iter().all(|it| it.target.split().is_some_and(|(parent, _)| parent == *folder))
            && nodes.chain(&self.masked_paths).chain(&self.readonly_paths).all(is_apart)
    }
}

/// Where a group can wait for its child, it is made while that is at work, which goes on without it
/// as long as what it does is not for the group to count, does not show it, and needs no answer of
/// the parent's.
pub(super) fn mounts_before_group(
    mounts: &[Mount],
    request: &Create<'_>,
    namespaces: &Namespaces,
    view: &View<'_>,
) -> Option<usize> {
    let is_handed = request.root_mount.as_ref().is_some_and(RootMount::is_handed);
    let needs_answer = is_handed || namespaces.new.contains(Kind::Time);
    // Who is not root may put into a group of v1 only processes that have his own id.
    let loses_id = view.rootless && namespaces.has(Kind::User);
    if needs_answer || loses_id || !view.groups.can_wait_for_child() {
        return None;
    }
    let is_bare = |mount: &&Mount| matches!(&mount.source, Source::New(new) if new.is_bare());
    Some(mounts.iter().take_while(is_bare).count())
}
