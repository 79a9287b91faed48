//! Copying files into a container and out of it, whether it runs or not.
//!
//! Both sides are reached by descriptors: a path is resolved once inside its root, and what is
//! below is opened from folder to folder without following links. So nothing that the container
//! does meanwhile makes a copy land elsewhere.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::fuse::{self, Files};
use crate::rootfs;
use crate::user_namespace::Owners;
use kernel::namespace::{Kind, Set, unshare};
use kernel::path::{Links, Root, RootedPath, reopen};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use sys::OrError;
use sys::rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid,
    chownat, fchmod, fchown, fstat, futimens, mkdirat, openat, readlinkat, statat, symlinkat,
    unlinkat,
};
use sys::rustix::io::Errno;

/// A place: a root and a path in it, and whom what is there belongs to.
struct Place {
    files: Rc<Files>,
    path: String,
    owners: Owners,
}

/// A name in a folder.
struct Found {
    folder: OwnedFd,
    name: CString,
    status: Option<Stat>,
}

impl Engine {
    /// Copies a file or folder of a container to the machine. With `archive`, owners are kept.
    ///
    /// # Errors
    /// There is no such file, or it cannot be written.
    pub fn copy_out(
        &self,
        container: &Container,
        from: &str,
        to: &Path,
        archive: bool,
    ) -> Result<()> {
        copy(&self.place(container, from)?, &machine(to)?, archive)
    }

    /// Copies a file or folder of the machine into a container. What is new belongs to the
    /// container's root, or with `archive` to whom it belongs here.
    ///
    /// # Errors
    /// There is no such file, or it cannot be written.
    pub fn copy_in(
        &self,
        container: &Container,
        from: &Path,
        to: &str,
        archive: bool,
    ) -> Result<()> {
        copy(&machine(from)?, &self.place(container, to)?, archive)
    }

    /// What a container that does not run has in its root.
    pub(crate) fn mounted_nowhere(
        &self,
        folder: &ContainerFolder,
        layers: &[PathBuf],
    ) -> Result<Files> {
        let overlay = rootfs::overlay(&self.folders, folder, layers, false, self.user_marks)?;
        if self.user_marks {
            // Nobody mounts anything among the machine's mounts without rights there, and there is
            // no way back to them.
            unshare(Set::EMPTY.with(Kind::Mount))?;
        }
        fuse::files(&overlay, folder)
    }

    /// Copies a file or folder of a container to another one, or to the same.
    ///
    /// # Errors
    /// There is no such file, or it cannot be written.
    pub fn copy_between(
        &self,
        (one, from): (&Container, &str),
        (other, to): (&Container, &str),
        archive: bool,
    ) -> Result<()> {
        let source = self.place(one, from)?;
        let target = if one.id == other.id { source.at(to) } else { self.place(other, to)? };
        copy(&source, &target, archive)
    }

    /// Of a container that runs, what its processes see; else what it would see, mounted nowhere.
    fn place(&self, container: &Container, path: &str) -> Result<Place> {
        let seen = self.look(container)?;
        let (files, owners) = if seen.status.is_running() {
            let path = CString::new(format!("/proc/{}/root", seen.state.pid)).unwrap_or_default();
            (Files::of(Root::open(&path)?), Owners::new(&container.settings.namespaces.ids))
        } else {
            self.provide_copies(container)?;
            let files = self.mounted_nowhere(&self.folder(container), &container.layers)?;
            (files, self.owners_on_disk(&container.settings.namespaces.ids))
        };
        Ok(Place { files: Rc::new(files), path: String::new(), owners }.at(path))
    }
}

/// Copies a folder of a root, and all below it, to a new folder of the machine, where it belongs to
/// whom its owners, as both sides call them, are here. Nothing is there if the root has no such
/// folder.
pub(crate) fn copy_folder(
    root: &Root,
    path: &str,
    to: &Path,
    owners: (&Owners, &Owners),
) -> Result<bool> {
    let rooted = RootedPath::parse(path.as_bytes()).map_err(wrong_path(path))?;
    let Ok(folder) = root.resolve_directory(&rooted, Links::Follow) else { return Ok(false) };
    let target = machine(to)?.find()?;
    copy_node((folder.as_fd(), target.folder.as_fd()), (c".", &target.name), Some(owners))?;
    Ok(true)
}

fn machine(path: &Path) -> Result<Place> {
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
    Ok(Place { files, path, owners: Owners::default() })
}

impl Place {
    /// Another one in the same root.
    fn at(&self, path: &str) -> Place {
        let path = format!("/{}", path.trim_start_matches('/'));
        Place { files: self.files.clone(), path, owners: self.owners.clone() }
    }

    /// What is there, or the folder where it would be. A link at the end is followed if the path
    /// ends like a folder's.
    fn find(&self) -> Result<Found> {
        let wrong = |error| Error::invalid(format!("{}: {error}", self.path));
        let is_folder = self.path.ends_with('/') || self.path.ends_with("/.");
        let path = RootedPath::parse(self.path.as_bytes()).map_err(wrong_path(&self.path))?;
        if is_folder && let Ok(folder) = self.files.root.resolve_directory(&path, Links::Follow) {
            let status = statat(&folder, c".", AtFlags::SYMLINK_NOFOLLOW)
                .or_error("fstatat", || self.path.clone())?;
            return Ok(Found { folder, name: c".".to_owned(), status: Some(status) });
        }
        let Some((parent, name)) = path.split() else {
            let folder = self.files.root.resolve_directory(&path, Links::Follow)?;
            let status = statat(&folder, c".", AtFlags::SYMLINK_NOFOLLOW)
                .or_error("fstatat", || self.path.clone())?;
            return Ok(Found { folder, name: c".".to_owned(), status: Some(status) });
        };
        let folder = self
            .files
            .root
            .resolve_directory(&parent, Links::Follow)
            .map_err(|error| wrong(error.to_string()))?;
        let status = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => Some(status),
            Err(Errno::NOENT) => None,
            Err(errno) => {
                return Err(sys::Error::new("fstatat", self.path.clone(), errno).into());
            }
        };
        Ok(Found { folder, name: name.to_owned(), status })
    }
}

fn wrong_path<E: std::fmt::Display>(path: &str) -> impl Fn(E) -> Error {
    move |error| Error::invalid(format!("{path}: {error}"))
}

/// As cp(1) and Docker: into a folder that is there, or as what is not there yet.
fn copy(from: &Place, to: &Place, archive: bool) -> Result<()> {
    let source = from.find()?;
    let Some(status) = &source.status else {
        return Err(Error::invalid(format!("{}: there is no such file", from.path)));
    };
    let mut target = to.find()?;
    let target_is_folder = target.status.as_ref().is_some_and(|it| kind(it) == FileType::Directory);
    let only_contents = from.path.ends_with("/.");
    // It would be replaced by a file, as anything is: for `/dev/null` the end of the machine.
    if let Some(status) = &target.status
        && !matches!(kind(status), FileType::RegularFile | FileType::Directory | FileType::Symlink)
    {
        return Err(Error::invalid(format!("{}: neither a file nor a folder", to.path)));
    }
    if target_is_folder && !(kind(status) == FileType::Directory && only_contents) {
        let name = from.path.trim_end_matches(['/', '.']).rsplit('/').next().unwrap_or_default();
        let name = if source.name.as_c_str() == c"." {
            name.to_owned()
        } else {
            source.name.to_string_lossy().into_owned()
        };
        if !name.is_empty() {
            let folder = open_folder(target.folder.as_fd(), &target.name)?;
            let name = CString::new(name).unwrap_or_default();
            target = Found { folder, name, status: None };
        }
    } else if target.status.is_some() && kind(status) == FileType::Directory && !target_is_folder {
        return Err(Error::invalid(format!("{}: a folder cannot replace a file", to.path)));
    } else if target.status.is_none()
        && to.path.ends_with('/')
        && kind(status) != FileType::Directory
    {
        return Err(Error::invalid(format!("{}: there is no such folder", to.path)));
    }
    let ends = (source.folder.as_fd(), target.folder.as_fd());
    let _identity = to.owners.act()?;
    let owners = archive.then_some((&from.owners, &to.owners));
    copy_node(ends, (&source.name, &target.name), owners)
}

fn kind(status: &Stat) -> FileType {
    FileType::from_raw_mode(status.st_mode)
}

fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty()).or_error("openat", || format!("{name:?}"))?)
}

fn copy_node(
    (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
    (name, new): (&CStr, &CStr),
    owners: Option<(&Owners, &Owners)>,
) -> Result<()> {
    let status = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)
        .or_error("fstatat", || format!("{name:?}"))?;
    let owner = owner(&status, owners)?;
    match kind(&status) {
        FileType::RegularFile => copy_file((from, to), (name, new), owners),
        FileType::Directory => {
            let is_new = match mkdirat(to, new, Mode::from_raw_mode(0o700)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(errno) => {
                    return Err(sys::Error::new("mkdirat", format!("{new:?}"), errno).into());
                }
            };
            let (inside, copy) = (open_folder(from, name)?, open_folder(to, new)?);
            for child in Dir::read_from(&inside).or_error("getdents", || format!("{name:?}"))? {
                let child = child.or_error("getdents", || format!("{name:?}"))?;
                let child = child.file_name();
                if child != c"." && child != c".." {
                    copy_node((inside.as_fd(), copy.as_fd()), (child, child), owners)?;
                }
            }
            // One that was there stays as it is, as with cp(1).
            if is_new || owners.is_some() {
                set_metadata(&copy, &status, owner, new)
            } else {
                Ok(())
            }
        }
        FileType::Symlink => {
            let target = readlinkat(from, name, Vec::new())
                .or_error("readlinkat", || format!("{name:?}"))?;
            remove_file(to, new)?;
            symlinkat(&target, to, new).or_error("symlinkat", || format!("{new:?}"))?;
            if let Some((user, group)) = owner {
                chownat(to, new, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
                    .or_error("fchownat", || format!("{new:?}"))?;
            }
            Ok(())
        }
        // Sockets, devices and FIFOs are of use to nobody elsewhere.
        _ => Ok(()),
    }
}

fn copy_file(
    (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
    (name, new): (&CStr, &CStr),
    owners: Option<(&Owners, &Owners)>,
) -> Result<()> {
    // Looked at before it is opened: a device that has come into its place may not even be opened.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place =
        openat(from, name, flags, Mode::empty()).or_error("openat", || format!("{name:?}"))?;
    let status = fstat(&place).or_error("fstat", || format!("{name:?}"))?;
    if kind(&status) != FileType::RegularFile {
        let name = name.to_string_lossy();
        return Err(Error::invalid(format!("{name}: it was replaced while it was copied")));
    }
    let source = reopen(place.as_fd(), OFlags::RDONLY)?;
    // A new file, so that whoever has the old one open, or another name of it, keeps it.
    remove_file(to, new)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let copy = openat(to, new, flags, Mode::from_raw_mode(0o600))
        .or_error("openat", || format!("{new:?}"))?;
    let (mut source, mut copy) = (File::from(source), File::from(copy));
    io::copy(&mut source, &mut copy).map_err(Error::file(new.to_string_lossy().into_owned()))?;
    set_metadata(&OwnedFd::from(copy), &status, owner(&status, owners)?, new)
}

/// Whom a copy is to belong to, by how both sides call it.
fn owner(status: &Stat, owners: Option<(&Owners, &Owners)>) -> Result<Option<(Uid, Gid)>> {
    let Some((from, to)) = owners else { return Ok(None) };
    let (user, group) = to.real(from.seen((status.st_uid, status.st_gid)))?;
    Ok(Some((Uid::from_raw(user), Gid::from_raw(group))))
}

fn set_metadata(
    file: &OwnedFd,
    status: &Stat,
    owner: Option<(Uid, Gid)>,
    name: &CStr,
) -> Result<()> {
    if let Some((user, group)) = owner {
        fchown(file, Some(user), Some(group)).or_error("fchown", || format!("{name:?}"))?;
    }
    // What makes a program somebody else goes only with its owner.
    let mask = if owner.is_some() { 0o7777 } else { 0o1777 };
    let mode = Mode::from_raw_mode(status.st_mode & mask);
    fchmod(file, mode).or_error("fchmod", || format!("{name:?}"))?;
    let modified =
        Timespec { tv_sec: status.st_mtime, tv_nsec: status.st_mtime_nsec.cast_signed() };
    let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: omitted, last_modification: modified };
    Ok(futimens(file, &times).or_error("futimens", || format!("{name:?}"))?)
}

fn remove_file(folder: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(sys::Error::new("unlinkat", format!("{name:?}"), errno).into()),
    }
}
