//! Whom volumes belong to: nobody on the machine must be root for a container to write to them.

use super::Context;
use crate::error::{Error, Result};
use crate::settings::{IdRange, Mount, MountKind, Settings};
use crate::user_namespace::{chown_all, is_fresh, outside_all, parse_mapping};
use spec::runtime::{IdMapping, User};
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};

/// As with Podman: a new volume belongs to the user of the first container with a user namespace,
/// and what has the option `U` to that of each container that has it.
pub(super) fn provide(context: &Context<'_>, user: &User) -> Result<()> {
    let settings = &context.container.settings;
    for mount in &settings.mounts {
        let gives = mount.options.iter().any(|option| option == "U");
        if matches!(mount.kind, MountKind::Tmpfs | MountKind::Image)
            || mount.is_opened_by_monitor()
            || !gives && settings.namespaces.ids.is_empty()
        {
            continue;
        }
        let path = match (mount.kind, &mount.file_system) {
            (MountKind::Volume, None) => context.volume(mount),
            (MountKind::Volume, Some(own)) if own.is_bind() => PathBuf::from(&own.device),
            (MountKind::Volume, Some(_)) if gives => {
                let text = "is mounted for each container, and has nothing to give: --volume .. U";
                return super::wrong("volume", &mount.source, text);
            }
            (MountKind::Volume, Some(_)) => continue,
            _ => PathBuf::from(&mount.source),
        };
        let ids = &settings.namespaces.ids;
        // What is mapped has the container's ids on the disk.
        let owner = if ids.is_empty() || mount.is_mapped() {
            Some((user.uid, user.gid))
        } else {
            ids.outside(user.uid, user.gid)
        };
        let owner = owner.ok_or_else(|| {
            let (user, group) = (user.uid, user.gid);
            Error::invalid(format!("--userns: there is no user {user} or group {group} in it"))
        })?;
        if gives {
            chown_all(&path, owner)?;
        } else if mount.kind == MountKind::Volume && mount.file_system.is_none() && is_fresh(&path)?
        {
            chown(&path, owner)?;
        }
    }
    Ok(())
}

fn chown(path: &Path, (user, group): (u32, u32)) -> Result<()> {
    let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
    let done = chownat(CWD, path, user, group, AtFlags::SYMLINK_NOFOLLOW);
    Ok(done.or_error("fchownat", || path.display().to_string())?)
}

/// The kernel maps the ids of a mount for who has CAP_SYS_ADMIN in the user namespace that its file
/// system was mounted in, mount_setattr(2): for a disk of the machine that is root alone.
pub(super) fn check_unprivileged(settings: &Settings) -> Result<()> {
    let of_disk = |mount: &&Mount| mount.is_mapped() && mount.file_system.is_none();
    match settings.mounts.iter().find(of_disk) {
        Some(mount) => {
            let what = "only root can have the ids of a disk mapped, as the kernel does it for \
                        nobody else: take the option U, which gives the files to the container's \
                        user, or --userns=keep-id, by which your own files stay yours";
            super::wrong("--mount, --volume: idmap", &mount.target, what)
        }
        None => Ok(()),
    }
}

/// What is mapped of a mount: of groups, or else of users; in terms of the container's ids; and which.
struct Mapped {
    of_groups: bool,
    is_inner: bool,
    range: IdRange,
}

/// `idmap=uids=DISK-HOST-COUNT[#...];gids=...`, as Podman has it: with `@` in front, HOST is an id
/// of the container.
fn parse(mount: &Mount) -> Result<Vec<Mapped>> {
    let flag = "--mount, --volume: idmap";
    let mut all = Vec::new();
    let text = mount.options.iter().find_map(|option| option.strip_prefix("idmap="));
    for part in text.unwrap_or_default().split(';').filter(|part| !part.is_empty()) {
        let (of_groups, maps) = match part.split_once('=') {
            Some(("uids", maps)) => (false, maps),
            Some(("gids", maps)) => (true, maps),
            _ => return super::wrong(flag, part, "is not uids=0-1000-1 or gids=.."),
        };
        for map in maps.split('#') {
            let inner = map.strip_prefix('@');
            let range = parse_mapping(flag, inner.unwrap_or(map), '-')?;
            all.push(Mapped { of_groups, is_inner: inner.is_some(), range });
        }
    }
    Ok(all)
}

/// Whether all that is said of mappings is understood.
pub(super) fn check(settings: &Settings) -> Result<()> {
    settings.mounts.iter().try_for_each(|mount| parse(mount).map(drop))
}

/// How the ids of a mount are mapped, users and groups.
pub(super) fn id_mappings(
    context: &Context<'_>,
    mount: &Mount,
) -> Result<(Vec<IdMapping>, Vec<IdMapping>)> {
    let ids = &context.container.settings.namespaces.ids;
    let mut found = (Vec::new(), Vec::new());
    for Mapped { of_groups, is_inner, range } in parse(mount)? {
        let (into, ranges) =
            if of_groups { (&mut found.1, &ids.groups) } else { (&mut found.0, &ids.users) };
        let outside = if is_inner { outside_all(ranges, &range) } else { Some(range.outside) };
        let Some(host_id) = outside else {
            let IdRange { inside, outside, length } = range;
            let text = format!("@{inside}-{outside}-{length}");
            return super::wrong("--mount, --volume: idmap", &text, "is of ids that it has not");
        };
        into.push(IdMapping { container_id: range.inside, host_id, size: range.length });
    }
    let is_half = found.0.is_empty() != found.1.is_empty();
    let has_own = !ids.is_empty();
    if is_half || mount.is_mapped() && found.0.is_empty() && !has_own {
        let what = "has no ids to map: give --userns, or idmap=uids=..;gids=..";
        return super::wrong("--mount, --volume: idmap", &mount.target, what);
    }
    Ok(found)
}
