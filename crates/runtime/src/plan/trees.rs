//! Bind mounts whose ids are mapped, or that the child could not open itself.

use super::Invalid;
use super::init::Init;
use super::namespaces::{Namespaces, maps};
use crate::error::{Error, Result};
use crate::handshake::{Channel, Report};
use kernel::mount::{Mount, Source, attach_tree};
use kernel::namespace::{self, IdMap, Kind, Mapping, Namespace};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use sys::rustix::process::geteuid;

/// How the ids of a mount are mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountMap {
    ids: Ids,
    /// Whether it is for all that is mounted below, too.
    all: bool,
}

/// Where the maps for a mount come from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ids {
    Given {
        users: Vec<IdMap>,
        groups: Vec<IdMap>,
    },
    /// They are those of the user namespace at this path, which the container joins.
    OfNamespace(PathBuf),
}

impl Ids {
    /// Those of the container's user namespace.
    fn of_container(namespaces: &Namespaces) -> Option<Ids> {
        if !namespaces.users.is_empty() {
            let (users, groups) = (namespaces.users.clone(), namespaces.groups.clone());
            return Some(Ids::Given { users, groups });
        }
        let mut joined = namespaces.joined.iter();
        let (_, path) = joined.find(|(kind, _)| *kind == Kind::User)?;
        Some(Ids::OfNamespace(path.clone()))
    }

    /// A namespace with these maps. It is asked for where the path means what the caller says.
    fn open(&self) -> Result<OwnedFd> {
        Ok(match self {
            Ids::Given { users, groups } => Mapping::new(users, groups)?.into(),
            Ids::OfNamespace(path) => Namespace::open(Kind::User, path)?.into(),
        })
    }
}

impl MountMap {
    /// That of a mount of the configuration, if there is one: its own, or with `idmap` alone that
    /// of the container's user namespace.
    pub(super) fn new(
        field: &str,
        mount: &spec::runtime::Mount<'_>,
        parsed: &Mount,
        namespaces: &Namespaces,
    ) -> std::result::Result<Option<MountMap>, Invalid> {
        let own = !mount.uid_mappings.is_empty();
        let Source::Bind(bind) = &parsed.source else {
            return if own {
                Err(Invalid::new(field, "only bind mounts have id mappings"))
            } else {
                Ok(None)
            };
        };
        let all = bind.idmap == Some(true);
        if own {
            let (users, groups) = (maps(&mount.uid_mappings), maps(&mount.gid_mappings));
            return Ok(Some(MountMap { ids: Ids::Given { users, groups }, all }));
        }
        if bind.idmap.is_none() {
            return Ok(None);
        }
        let what = "idmap without uidMappings takes those of the user namespace, and there is none";
        let ids = Ids::of_container(namespaces).ok_or_else(|| Invalid::new(field, what))?;
        Ok(Some(MountMap { ids, all }))
    }
}

/// A bind mount whose source the parent opens.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    map: Option<MountMap>,
}

impl Tree {
    /// `None` where the child opens it itself, or there is nothing to open.
    pub(super) fn new(
        map: Option<MountMap>,
        mount: &Mount,
        namespaces: &Namespaces,
    ) -> Option<Tree> {
        // Ids are mapped by who has rights over the file system. In a user namespace its root may
        // not get to the source, while ours does; a parent without rights gets no further either.
        let is_out_of_reach = namespaces.has(Kind::User) && geteuid().is_root();
        let is_bind = matches!(mount.source, Source::Bind(_));
        (is_bind && (map.is_some() || is_out_of_reach)).then_some(Tree { map })
    }
}

impl Init {
    /// Opens, in the parent, what the child could not, one after the other as it asks for them.
    ///
    /// It is done in the child's mount namespace, where what the machine's mounts forbid is locked
    /// if the namespace has less rights, and when the mounts before this one are there.
    pub(crate) fn hand_trees(&self, namespace: BorrowedFd<'_>, channel: &Channel) -> Result<()> {
        let trees = self.mounts.iter().zip(&self.trees);
        let trees = trees.filter_map(|(mount, tree)| Some((mount, tree.as_ref()?)));
        let mut mappings: Vec<(&MountMap, OwnedFd)> = Vec::new();
        for (_, Tree { map }) in trees.clone() {
            if let Some(map) = map
                && !mappings.iter().any(|(known, _)| *known == map)
            {
                mappings.push((map, map.ids.open()?));
            }
        }
        let hand_all = || {
            let mut wished = true;
            if let Some(root) = &self.handed_root {
                attach_tree(root, &self.rootfs)?;
                channel.hand(root.as_fd())?;
                wished = false;
            }
            for (mount, Tree { map }) in trees {
                if !wished {
                    next_wish(channel)?;
                }
                wished = false;
                let Source::Bind(bind) = &mount.source else { continue };
                let map = map.as_ref().and_then(|it| mappings.iter().find(|(map, _)| *map == it));
                let all = map.is_some_and(|(map, _)| map.all);
                let map = map.map(|(_, mapping)| mapping.as_fd());
                channel.hand(bind.open_in(map, all, &mount.target)?.as_fd())?;
            }
            Ok(())
        };
        namespace::visit(namespace, Kind::Mount, hand_all)?
    }
}

/// The child has mounted what it got, and wants more.
fn next_wish(channel: &Channel) -> Result<()> {
    match channel.next_report()? {
        Some((Report::Tree, _)) => Ok(()),
        Some((Report::Failed(failure), _)) => Err(Error::Child(failure)),
        Some(_) => Err(Error::Internal("the child spoke out of turn")),
        None => Err(Error::ChildDied),
    }
}
