//! Where something is copied from or to: a path in a root, resolved there and nowhere else.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::fuse::Files;
use crate::rootfs::c_path;
use crate::settings::{Mount, MountKind};
use crate::user_namespace::Owners;
use kernel::path::{Links, Root, RootedPath};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use sys::OrError;
use sys::rustix::fs::{AtFlags, FileType, Stat, readlinkat, statat};
use sys::rustix::io::Errno;

/// How many links lead to one another at most, as the kernel has it.
const LINKS: usize = 40;

/// A root and a path in it, and whom what is there belongs to.
pub(super) struct Place {
    files: Rc<Files>,
    pub(super) path: String,
    pub(super) owners: Owners,
    whose: Whose,
}

/// A name in a folder.
pub(super) struct Found {
    pub(super) folder: OwnedFd,
    pub(super) name: CString,
    pub(super) status: Option<Stat>,
}

/// What the root of a place is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Machine,
    Container,
    /// What will be mounted in the container.
    Mount,
}

/// What a place is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
}

impl Engine {
    /// Of a container that runs, what its processes see; else what it would see, mounted nowhere.
    /// `beside` is another place of the same container.
    pub(super) fn place(
        &self,
        container: &Container,
        path: &str,
        what_for: Use,
        beside: Option<&Place>,
    ) -> Result<Place> {
        let whose = Whose::Container;
        let seen = self.look(container)?;
        let path = format!("/{}", path.trim_start_matches('/'));
        let ids = &container.settings.namespaces.ids;
        if seen.status.is_running() {
            let root = CString::new(format!("/proc/{}/root", seen.state.pid)).unwrap_or_default();
            let files = Rc::new(Files::of(Root::open(&root)?));
            return Ok(Place { files, path, owners: Owners::new(ids), whose });
        }
        if let Some(place) = self.mounted(container, &path, what_for)? {
            return Ok(place);
        }
        if what_for == Use::Write && container.settings.read_only {
            return Err(Error::invalid(format!("{path}: the container is read-only")));
        }
        self.provide_copies(container)?;
        let files = match beside {
            Some(Place { files, whose: Whose::Container, .. }) => files.clone(),
            _ => Rc::new(self.mounted_nowhere(&self.folder(container), &container.layers)?),
        };
        Ok(Place { files, path, owners: self.owners_on_disk(ids), whose })
    }

    /// A place in what will be mounted when the container runs: the files of it are the volume's.
    fn mounted(&self, container: &Container, path: &str, what_for: Use) -> Result<Option<Place>> {
        let rooted = parse(path)?;
        let mut nearest: Option<(RootedPath, &Mount)> = None;
        for mount in &container.settings.mounts {
            let target = parse(&mount.target)?;
            let is_nearer =
                |other: &RootedPath| target.components().count() > other.components().count();
            if rooted.starts_with(&target) && nearest.as_ref().is_none_or(|it| is_nearer(&it.0)) {
                nearest = Some((target, mount));
            }
        }
        let Some((target, mount)) = nearest else { return Ok(None) };
        let below: Vec<_> = rooted.components().skip(target.components().count()).collect();
        let below = String::from_utf8_lossy(&below.join(&b'/')).into_owned();
        if what_for == Use::Write && mount.read_only {
            return Err(Error::invalid(format!("{path}: what is mounted there is read-only")));
        }
        let Some(folder) = self.folder_of_mount(mount) else {
            let text = "what is mounted there can be reached only while the container runs";
            return Err(Error::invalid(format!("{path}: {text}")));
        };
        let end = if path.ends_with("/.") { "/." } else { "" };
        let end = if path.ends_with('/') { "/" } else { end };
        let owners = match mount.is_mapped() {
            true => Owners::default(),
            false => Owners::new(&container.settings.namespaces.ids),
        };
        let (folder, path) = match (folder.is_dir(), folder.parent(), folder.file_name()) {
            // A file is mounted.
            (false, Some(parent), Some(name)) => (parent, Path::new("/").join(name)),
            _ => (&*folder, Path::new("/").join(below)),
        };
        let path = format!("{}{end}", path.display());
        let files = Rc::new(Files::of(Root::open(&c_path(folder)?)?));
        Ok(Some(Place { files, path, owners, whose: Whose::Mount }))
    }

    /// Where the files are that a mount shows, if they are anywhere now.
    fn folder_of_mount(&self, mount: &Mount) -> Option<PathBuf> {
        match (mount.kind, &mount.file_system) {
            _ if !mount.subpath.is_empty() => None,
            (MountKind::Bind, _) => Some(PathBuf::from(&mount.source)),
            (MountKind::Volume, None) => Some(self.volume_path(&mount.source)),
            (MountKind::Volume, Some(own)) if own.is_bind() => Some(PathBuf::from(&own.device)),
            _ => None,
        }
    }

    /// Whether there is a folder of this path in a container.
    pub(crate) fn has_folder(&self, container: &Container, path: &str) -> Result<bool> {
        let found = self.place(container, path, Use::Write, None)?.followed()?;
        Ok(found.status.is_some_and(|it| kind(&it) == FileType::Directory))
    }
}

pub(super) fn machine(path: &Path) -> Result<Place> {
    let text = path.to_str().ok_or_else(|| Error::invalid(format!("{path:?} is not UTF-8")))?;
    let absolute = std::path::absolute(path).map_err(Error::file(path))?;
    let mut path = absolute.to_string_lossy().into_owned();
    // What the end says is lost otherwise.
    if text.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    }
    if text == "." || text.ends_with("/.") {
        path.push_str("/.");
    }
    let files = Rc::new(Files::of(Root::open(c"/")?));
    Ok(Place { files, path, owners: Owners::default(), whose: Whose::Machine })
}

impl Place {
    /// What is there, or the folder where it would be. A link at the end is followed if the path
    /// ends like a folder's.
    pub(super) fn find(&self) -> Result<Found> {
        self.find_at(&self.path)
    }

    /// Where something of this kind is to be put. In a container a link leads to what is meant. One
    /// of the machine may be there because it was copied from a container before, and would lead
    /// the next copy to any file of the machine.
    pub(super) fn target(&self, source: FileType) -> Result<Found> {
        if self.whose != Whose::Machine {
            return self.followed();
        }
        let found = self.find()?;
        let is_link = found.status.as_ref().is_some_and(|it| kind(it) == FileType::Symlink);
        if is_link
            && source != FileType::Symlink
            && self.files.root.resolve_directory(&parse(&self.path)?, Links::Follow).is_ok()
        {
            let text = "it is a link to a folder: end it with / if you mean the folder";
            return Err(Error::invalid(format!("{}: {text}", self.path)));
        }
        Ok(found)
    }

    /// As [`Place::find`], of what a link at the end leads to, be it there or not.
    pub(super) fn followed(&self) -> Result<Found> {
        let mut path = self.path.clone();
        for _ in 0..LINKS {
            let found = self.find_at(&path)?;
            if found.status.as_ref().is_none_or(|it| kind(it) != FileType::Symlink) {
                return self.checked(found);
            }
            let link = readlinkat(&found.folder, &found.name, Vec::new())
                .or_error("readlinkat", || path.clone())?;
            let link = link.to_string_lossy().into_owned();
            let folder = path.trim_end_matches('/').rsplit_once('/').map_or("", |it| it.0);
            path = if link.starts_with('/') { link } else { format!("{folder}/{link}") };
        }
        Err(Error::invalid(format!("{}: links lead round in a circle", self.path)))
    }

    /// `..` in a link is not always what it is in a path.
    fn checked(&self, found: Found) -> Result<Found> {
        let is_there = self.files.root.resolve(&parse(&self.path)?, Links::Follow);
        if let (Ok(place), Some(status)) = (is_there, &found.status) {
            let real = statat(&place, c"", AtFlags::EMPTY_PATH)
                .or_error("fstatat", || self.path.clone())?;
            if (real.st_dev, real.st_ino) != (status.st_dev, status.st_ino) {
                let text = "it is a link in a folder that a link leads to: say where that is";
                return Err(Error::invalid(format!("{}: {text}", self.path)));
            }
        }
        Ok(found)
    }

    fn find_at(&self, text: &str) -> Result<Found> {
        let wrong = |error| Error::invalid(format!("{text}: {error}"));
        let is_folder = text.ends_with('/') || text.ends_with("/.");
        let path = parse(text)?;
        let whole = |folder: OwnedFd| -> Result<Found> {
            let status = statat(&folder, c".", AtFlags::SYMLINK_NOFOLLOW)
                .or_error("fstatat", || text.to_owned())?;
            Ok(Found { folder, name: c".".to_owned(), status: Some(status) })
        };
        if is_folder && let Ok(folder) = self.files.root.resolve_directory(&path, Links::Follow) {
            return whole(folder);
        }
        let Some((parent, name)) = path.split() else {
            return whole(self.files.root.resolve_directory(&path, Links::Follow)?);
        };
        let folder = self.files.root.resolve_directory(&parent, Links::Follow).map_err(
            |error| match error.errno {
                Errno::NOENT => wrong("the folder above it is not there".to_owned()),
                _ => wrong(error.to_string()),
            },
        )?;
        let status = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => Some(status),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(sys::Error::new("fstatat", text.to_owned(), errno).into()),
        };
        Ok(Found { folder, name: name.to_owned(), status })
    }
}

pub(super) fn kind(status: &Stat) -> FileType {
    FileType::from_raw_mode(status.st_mode)
}

pub(super) fn parse(path: &str) -> Result<RootedPath> {
    RootedPath::parse(Path::new(path).as_os_str().as_bytes())
        .map_err(|error| Error::invalid(format!("{path}: {error}")))
}
