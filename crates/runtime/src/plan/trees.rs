//! Bind mounts whose ids are mapped, or that the child could not open itself.

use super::Invalid;
use super::init::Init;
use super::namespaces::{Namespaces, maps};
use crate::error::Result;
use kernel::mount::{Mount, Source};
use kernel::namespace::{IdMap, Kind, Mapping};
use std::os::fd::AsFd;
use sys::rustix::process::geteuid;

/// The maps for a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountMap {
    pub(super) users: Vec<IdMap>,
    pub(super) groups: Vec<IdMap>,
    /// Whether it is for all that is mounted below, too.
    pub(super) all: bool,
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
            return Ok(Some(MountMap { users, groups, all }));
        }
        if bind.idmap.is_none() {
            return Ok(None);
        }
        if namespaces.users.is_empty() {
            let what =
                "idmap without uidMappings takes those of a new user namespace, and there is none";
            return Err(Invalid::new(field, what));
        }
        let (users, groups) = (namespaces.users.clone(), namespaces.groups.clone());
        Ok(Some(MountMap { users, groups, all }))
    }
}

impl Init {
    /// Opens, in the parent, what the child could not.
    pub(crate) fn open_trees(&mut self, namespaces: &Namespaces) -> Result<()> {
        // A parent without rights cannot copy a mount, and its child, in its own user namespace, can.
        let early = namespaces.has(Kind::User) && geteuid().is_root();
        let mut last: Option<(MountMap, Mapping)> = None;
        for (mount, map) in self.mounts.iter_mut().zip(&self.mount_maps) {
            let Source::Bind(bind) = &mut mount.source else { continue };
            let Some(map) = map else {
                if early {
                    bind.open(None, false, self.isolation, &mount.target)?;
                }
                continue;
            };
            let mapping = match last.take() {
                Some((known, mapping)) if known == *map => mapping,
                _ => Mapping::new(&map.users, &map.groups)?,
            };
            bind.open(Some(mapping.as_fd()), map.all, self.isolation, &mount.target)?;
            last = Some((map.clone(), mapping));
        }
        Ok(())
    }
}
