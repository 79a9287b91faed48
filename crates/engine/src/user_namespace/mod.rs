//! Which ids of the machine a container's own are, user_namespaces(7).
//!
//! On the disk its files have the ids that its processes see: the layers are shared by all, and
//! nothing of a container's changes is to be translated, whoever reads them. Its mounts map them
//! (`kernel::mount::Overlay::detached_mapped`). Only who is root over the disk can have that: of a
//! user without rights the containers have copies of the layers, with the ids that the container's
//! own are in the user's namespace (`copies.rs`). A user namespace lives as long as the monitor holds
//! it, and with it the network namespace that belongs to it.

mod choice;
mod copies;
mod ids;
mod own;
mod owner;
mod ranges;
mod row;
mod size;

use choice::Choice;
pub(crate) use ids::parse_mapping;
pub use ids::{IdRange, Ids};
use own::OwnIds;
pub(crate) use owner::{Owners, chown_all, is_fresh};
pub(crate) use row::{IdWish, TABLES};

use crate::configuration;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::settings::{Namespaces, Settings};
use image::base::Base;
use kernel::namespace::{IdMap, Mapping};
use std::os::fd::OwnedFd;

impl Engine {
    /// Where the ids of a container come from that is about to be made.
    pub(crate) fn choose_ids(&self, wanted: &Namespaces) -> Result<Choice> {
        let own = if self.user_marks { Some(OwnIds::read()?) } else { None };
        Choice::new(wanted, own.as_ref())
    }

    /// Which ids a container is to get; its folder is there.
    pub(crate) fn wish_for_ids(
        &self,
        choice: Choice,
        folder: &ContainerFolder,
        base: &Base,
        settings: &mut Settings,
    ) -> Result<IdWish> {
        if choice != Choice::Host {
            configuration::check_user_namespace(settings)?;
        }
        match choice {
            Choice::Host => Ok(IdWish::Nothing),
            Choice::Fixed(ids) => Ok(IdWish::These(ids)),
            Choice::Common(ids) => Ok(IdWish::Common(ids)),
            Choice::Kept(ids, (user, group)) => {
                if settings.user.is_empty() {
                    settings.user = format!("{user}:{group}");
                } else {
                    settings.group_add.push(group.to_string());
                }
                Ok(IdWish::Common(ids))
            }
            Choice::Auto(auto, available) => {
                let layers: Vec<_> = base.lowers.iter().map(|lower| lower.path.clone()).collect();
                let size = match auto.size {
                    Some(size) => size,
                    // The machine's own folders are not searched, nor the images of a pod known.
                    None if base.image.is_none() && self.user_marks => size::LEAST,
                    None if base.image.is_none() => size::MOST,
                    None => size::least(folder, &layers, settings)?,
                };
                Ok(IdWish::Any(auto, size, available))
            }
            Choice::Shared(name) => {
                let other = self.find(&name)?;
                if other.settings.namespaces.ids.is_empty() {
                    let text = "has no user namespace of its own";
                    return Err(Error::invalid(format!("--userns: container {name} {text}")));
                }
                // In a pod whoever keeps his id keeps it, as with Podman.
                if other.is_infra && settings.user.is_empty() {
                    settings.user.clone_from(&other.settings.user);
                }
                settings.namespaces.ids = other.settings.namespaces.ids;
                Ok(IdWish::Nothing)
            }
        }
    }
}

impl Namespaces {
    /// Whether it is to be in a user namespace of its own, or in another container's.
    pub fn wants_own_ids(&self) -> bool {
        let texts = [&self.subuid_name, &self.subgid_name];
        let has_maps = [&self.uid_maps, &self.gid_maps].iter().any(|maps| !maps.is_empty());
        !matches!(&*self.user, "" | "host") || has_maps || texts.iter().any(|it| !it.is_empty())
    }
}

impl Ids {
    /// Whether the container has no user namespace of its own.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// A new user namespace. The caller has one thread.
    pub(crate) fn namespace(&self) -> Result<OwnedFd> {
        let maps = |ranges: &[IdRange]| -> Vec<IdMap> {
            let map =
                |it: &IdRange| IdMap { inside: it.inside, outside: it.outside, length: it.length };
            ranges.iter().map(map).collect()
        };
        let mapping = Mapping::new(&maps(&self.users), &maps(&self.groups));
        Ok(mapping.map_err(runtime::Error::from)?.into())
    }

    /// Whom the files of an image's layers belong to, if not to whom the image says.
    pub(crate) fn owners(&self) -> Option<image::unpack::Owners> {
        let is_same = |ranges: &[IdRange]| ranges.iter().all(|it| it.inside == it.outside);
        if is_same(&self.users) && is_same(&self.groups) {
            return None;
        }
        let ranges = |ranges: &[IdRange]| -> Vec<image::unpack::IdRange> {
            let range = |it: &IdRange| image::unpack::IdRange {
                inside: it.inside,
                outside: it.outside,
                count: it.length,
            };
            ranges.iter().map(range).collect()
        };
        let (users, groups) = (ranges(&self.users), ranges(&self.groups));
        Some(image::unpack::Owners::Map { users, groups })
    }

    /// The other way round.
    fn turned(&self) -> Ids {
        let turn = |ranges: &[IdRange]| -> Vec<IdRange> {
            let turned = |it: &IdRange| IdRange {
                inside: it.outside,
                outside: it.inside,
                length: it.length,
            };
            ranges.iter().map(turned).collect()
        };
        Ids { users: turn(&self.users), groups: turn(&self.groups) }
    }

    /// Who a user of the machine is in the container; `None` if nobody there.
    pub fn user_inside(&self, user: u32) -> Option<u32> {
        if self.is_empty() { Some(user) } else { inside(&self.users, user) }
    }

    /// Who a user and a group of the container are on the machine.
    pub(crate) fn outside(&self, user: u32, group: u32) -> Option<(u32, u32)> {
        Some((outside(&self.users, user)?, outside(&self.groups, group)?))
    }

    /// Whether there is such a group in the container.
    pub(crate) fn has_group(&self, group: u32) -> bool {
        self.is_empty() || outside(&self.groups, group).is_some()
    }

    /// The last of the groups that follow each other from 0 on.
    pub(crate) fn last_group(&self) -> u32 {
        let first = self.groups.iter().find(|it| it.inside == 0);
        first.map_or(0, |it| it.length - 1)
    }
}

fn outside(ranges: &[IdRange], id: u32) -> Option<u32> {
    let range = ranges.iter().find(|it| id >= it.inside && id - it.inside < it.length)?;
    Some(range.outside + (id - range.inside))
}

/// Where the ids of a container are that the second numbers of a mapping name; they must follow each
/// other on the machine, too.
pub(crate) fn outside_all(ranges: &[IdRange], mapping: &IdRange) -> Option<u32> {
    let (first, last) = (mapping.outside, mapping.outside + (mapping.length - 1));
    let found = ranges.iter().find(|it| first >= it.inside && last - it.inside < it.length)?;
    Some(found.outside + (first - found.inside))
}

fn inside(ranges: &[IdRange], id: u32) -> Option<u32> {
    let range = ranges.iter().find(|it| id >= it.outside && id - it.outside < it.length)?;
    Some(range.inside + (id - range.outside))
}
