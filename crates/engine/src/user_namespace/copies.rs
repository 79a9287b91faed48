//! Containers whose files have other ids on the disk than they see, since nobody can map their
//! mounts.

use super::{OwnIds, Owners, inside};
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::settings::{Ids, Mount, Namespaces, Settings};
use crate::small_file;
use image::base::Base;
use kernel::path::{Root, RootedPath};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::chown;
use std::path::Path;
use sys::rustix::fs::OFlags;
use sys::rustix::io::Errno;

/// A file that is larger is no `/etc/passwd`.
const LONGEST: u64 = 8 << 20;

/// The file that says that all is there for a container.
const READY: &str = "copied";

impl Engine {
    /// Whom the files of a container belong to, if that is not whom its image says.
    pub(crate) fn owners_of(&self, container: &Container) -> Option<image::unpack::Owners> {
        container.settings.namespaces.ids.owners().filter(|_| self.user_marks)
    }

    /// How a container calls the owners of its files on the disk.
    pub(crate) fn owners_inside(&self, container: &Container) -> image::unpack::Owners {
        let turned = container.settings.namespaces.ids.turned();
        turned.owners().filter(|_| self.user_marks).unwrap_or_default()
    }

    /// The same, for copies.
    pub(crate) fn owners_on_disk(&self, ids: &Ids) -> Owners {
        if self.user_marks { Owners::new(ids) } else { Owners::default() }
    }

    /// Makes the copies of its layers that a container needs, if they are not there, and its upper
    /// folder what they say. Mostly it has been done.
    pub(crate) fn provide_copies(&self, container: &Container) -> Result<()> {
        let Some(owners) = self.owners_of(container) else { return Ok(()) };
        let folder = self.folder(container);
        let ready = folder.file(READY);
        if ready.exists() && container.layers.iter().all(|layer| layer.exists()) {
            return Ok(());
        }
        let ids = &container.settings.namespaces.ids;
        if let Some(manifest) = &container.manifest {
            let image = self.store.image(manifest)?;
            let base = self.store.mapped_base(&image, &owners, &self.progress)?;
            // The machine may have gone down since.
            if ready.exists() {
                return Ok(());
            }
            prepare_upper(&base, &folder.upper())?;
        } else if container.layers.is_empty() {
            give_to_root(&folder.upper(), ids)?;
        }
        self.add_user(container)?;
        small_file::replace(&ready, b"").map_err(Error::file(&ready))
    }

    /// Adds whoever keeps his id to the container's users and groups, as Podman does.
    fn add_user(&self, container: &Container) -> Result<()> {
        let Some((user, group)) = kept(&container.settings) else { return Ok(()) };
        let (name, passwd) = user_line(&container.settings, user, group)?;
        let (_, real) = OwnIds::read()?.root();
        let known = if real == group { line_on_machine("/etc/group", group)? } else { None };
        let group_name = known.as_deref().and_then(|line| line.split(':').next());
        let group_name = group_name.map_or_else(|| group.to_string(), str::to_owned);
        let files = self.mounted_nowhere(&self.folder(container), &container.layers)?;
        add_line(&files.root, "etc/passwd", user, &passwd)?;
        add_line(&files.root, "etc/group", group, &format!("{group_name}:x:{group}:{name}"))
    }
}

/// Gives the upper folder what the layers leave unsaid, as far as that was not done.
fn prepare_upper(base: &Base, upper: &Path) -> Result<()> {
    let folder = File::open(upper).map_err(Error::file(upper))?;
    Ok(base.prepare_upper(folder.as_fd())?)
}

/// A root without an image is the container's root's.
fn give_to_root(upper: &Path, ids: &Ids) -> Result<()> {
    let Some((user, group)) = ids.outside(0, 0) else { return Ok(()) };
    chown(upper, Some(user), Some(group)).map_err(Error::file(upper))
}

/// Who the user is in a container where he keeps his id.
fn kept(settings: &Settings) -> Option<(u32, u32)> {
    let Namespaces { user, ids, .. } = &settings.namespaces;
    let (kept, group) = (inside(&ids.users, 0)?, inside(&ids.groups, 0)?);
    // Of a pod.
    let is_shared = user.starts_with("container:") && settings.user == format!("{kept}:{group}");
    (is_shared || user.split(':').next() == Some("keep-id")).then_some((kept, group))
}

/// What he is called, and his line of passwd(5).
fn user_line(settings: &Settings, user: u32, group: u32) -> Result<(String, String)> {
    let folder = if settings.working_dir.is_empty() { "/" } else { &settings.working_dir };
    let (real, _) = OwnIds::read()?.root();
    let known = if real == user { line_on_machine("/etc/passwd", user)? } else { None };
    let fields: Vec<&str> = known.iter().flat_map(|line| line.split(':')).collect();
    let (name, comment, home) = match fields[..] {
        [name, _, _, _, comment, home, ..] => (name.to_owned(), comment, home),
        _ => (user.to_string(), "container user", folder),
    };
    // His home is there if he brings it along.
    let is_there =
        |mount: &Mount| mount.target != "/" && Path::new(home).starts_with(&mount.target);
    let home = if settings.mounts.iter().any(is_there) { home } else { folder };
    let line = format!("{name}:*:{user}:{group}:{comment}:{home}:/bin/sh");
    Ok((name, line))
}

/// The line of a user or group in a file of the machine.
fn line_on_machine(path: &str, id: u32) -> Result<Option<String>> {
    let text = small_file::read(path.as_ref()).map_err(Error::file(path))?.unwrap_or_default();
    Ok(line_of(&text, id).map(str::to_owned))
}

/// The first line of passwd(5) or group(5) with this number.
fn line_of(text: &str, id: u32) -> Option<&str> {
    text.lines().find(|line| line.split(':').nth(2).is_some_and(|it| it.parse() == Ok(id)))
}

/// Adds a line to a file of the container, if it has the file and nobody with this number in it.
fn add_line(root: &Root, path: &str, id: u32, line: &str) -> Result<()> {
    let rooted = RootedPath::parse(path.as_bytes())
        .map_err(|error| Error::invalid(format!("{path}: {error}")))?;
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC;
    let mut file = match root.open_file(&rooted, flags) {
        Ok(file) => File::from(file),
        Err(error) if error.errno == Errno::NOENT => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut text = String::new();
    (&file).take(LONGEST).read_to_string(&mut text).map_err(Error::file(path))?;
    if line_of(&text, id).is_some() {
        return Ok(());
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{end}{line}\n").as_bytes()).map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use super::{kept, line_of};
    use crate::settings::{IdRange, Ids, Namespaces, Settings};

    #[test]
    fn whoever_keeps_an_id_and_nobody_else() {
        let range = |inside, outside| IdRange { inside, outside, length: 1 };
        let settings = |user: &str| {
            let ids = Ids { users: vec![range(0, 1), range(7, 0)], groups: vec![range(8, 0)] };
            let namespaces = Namespaces { user: user.to_owned(), ids, ..Namespaces::default() };
            Settings { namespaces, ..Settings::default() }
        };
        assert_eq!(kept(&settings("keep-id")), Some((7, 8)));
        assert_eq!(kept(&settings("keep-id:uid=7,gid=8")), Some((7, 8)));
        assert_eq!(kept(&settings("private")), None);
    }

    #[test]
    fn lines_are_found_by_number() {
        let text = "root:x:0:0::/:\nbroken\nweb:x:33:0::/:\nold:x:033x:\n";
        assert_eq!(line_of(text, 33), Some("web:x:33:0::/:"));
        assert_eq!(line_of(text, 34), None);
    }
}
