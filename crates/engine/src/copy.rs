//! Copying files into a container and out of it, whether it runs or not.
//!
//! Both sides are reached by descriptors: a path is resolved once inside its root, and what is
//! below is opened from folder to folder without following links. So nothing that the container
//! does meanwhile makes a copy land elsewhere.

mod place;
mod tree;

use crate::cursor::is_within;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::fuse::{self, Files};
use crate::rootfs;
use crate::shown::copy_of_shown;
use crate::user_namespace::Owners;
use kernel::namespace::{Kind, Set, unshare};
use kernel::path::{Links, Root, reopen};
use place::{Found, Place, Use, kind, machine, parse};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, chownat,
    fchmod, fchown, fstat, futimens, openat, readlinkat, statat, symlinkat, unlinkat,
};
use sys::rustix::io::Errno;
use tree::copy_tree;

/// How files are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copying {
    /// Owners and all modes are kept.
    pub archive: bool,
    /// If what is named is a symbolic link: what that leads to, under the link's name.
    pub follow: bool,
}

impl Engine {
    /// Copies a file or folder of a container to the machine.
    ///
    /// # Errors
    /// There is no such file, or it cannot be written.
    pub fn copy_out(
        &self,
        container: &Container,
        from: &str,
        to: &Path,
        how: Copying,
    ) -> Result<()> {
        copy(&self.place(container, from, Use::Read, None)?, &machine(to)?, how)
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
        how: Copying,
    ) -> Result<()> {
        copy(&machine(from)?, &self.place(container, to, Use::Write, None)?, how)
    }

    /// What a container that does not run has in its root.
    pub(crate) fn mounted_nowhere(
        &self,
        folder: &ContainerFolder,
        layers: &[PathBuf],
    ) -> Result<Files> {
        let id = folder.path.file_name().unwrap_or_default().to_string_lossy();
        if let (false, Some(tree)) = (self.user_marks, copy_of_shown(&self.folders, &id)?) {
            return Ok(Files::of(Root::from_descriptor(tree)));
        }
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
        how: Copying,
    ) -> Result<()> {
        let source = self.place(one, from, Use::Read, None)?;
        // What one of these needs is not mounted twice.
        let beside = if one.id == other.id { Some(&source) } else { None };
        copy(&source, &self.place(other, to, Use::Write, beside)?, how)
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
    let Ok(folder) = root.resolve_directory(&parse(path)?, Links::Follow) else { return Ok(false) };
    let target = machine(to)?.find()?;
    copy_node((folder.as_fd(), target.folder.as_fd()), (c".", &target.name), Some(owners))?;
    Ok(true)
}

/// As cp(1) and Docker: into a folder that is there, or as what is not there yet.
fn copy(from: &Place, to: &Place, how: Copying) -> Result<()> {
    let source = if how.follow { from.followed()? } else { from.find()? };
    let Some(status) = &source.status else {
        return Err(Error::invalid(format!("{}: there is no such file", from.path)));
    };
    let mut target = to.target(kind(status))?;
    let is_folder = kind(status) == FileType::Directory;
    let target_is_folder = target.status.as_ref().is_some_and(|it| kind(it) == FileType::Directory);
    let wrong = |what: &str| Err(Error::invalid(format!("{}: {what}", to.path)));
    // It would be replaced by a file, as anything is: for `/dev/null` the end of the machine.
    if let Some(status) = &target.status
        && !matches!(kind(status), FileType::RegularFile | FileType::Directory | FileType::Symlink)
    {
        return wrong("neither a file nor a folder");
    }
    if target_is_folder && !(is_folder && from.path.ends_with("/.")) {
        let name = from.path.trim_end_matches(['/', '.']).rsplit('/').next().unwrap_or_default();
        let name = if how.follow || source.name.as_c_str() == c"." {
            name.to_owned()
        } else {
            source.name.to_string_lossy().into_owned()
        };
        if !name.is_empty() {
            let folder = open_folder(target.folder.as_fd(), &target.name)?;
            let name = CString::new(name).unwrap_or_default();
            target = Found { folder, name, status: None };
        }
    } else if target.status.is_some() && is_folder && !target_is_folder {
        return wrong("a folder cannot replace a file");
    } else if target.status.is_none() && to.path.ends_with('/') && !is_folder {
        return wrong("there is no such folder");
    }
    check_apart(from, &source, &target)?;
    let ends = (source.folder.as_fd(), target.folder.as_fd());
    let _identity = to.owners.act()?;
    let owners = how.archive.then_some((&from.owners, &to.owners));
    copy_node(ends, (&source.name, &target.name), owners)
}

/// Whoever copied a file to itself would lose it, and whoever copied a folder into itself would never
/// come to an end.
fn check_apart(from: &Place, source: &Found, target: &Found) -> Result<()> {
    let Some(status) = &source.status else { return Ok(()) };
    let own = (status.st_dev, status.st_ino);
    let wrong = |what: &str| Err(Error::invalid(format!("{}: {what}", from.path)));
    let there = statat(&target.folder, &target.name, AtFlags::SYMLINK_NOFOLLOW);
    if there.is_ok_and(|it| (it.st_dev, it.st_ino) == own) {
        return wrong("it cannot be copied to itself");
    }
    if kind(status) == FileType::Directory && is_within(target.folder.as_fd(), own)? {
        return wrong("a folder cannot be copied into itself");
    }
    Ok(())
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
    match kind(&status) {
        FileType::Directory => copy_tree((from, to), (name, new), owners),
        _ => copy_leaf((from, to), (name, new), &status, owners),
    }
}

/// Anything but a folder.
fn copy_leaf(
    (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
    (name, new): (&CStr, &CStr),
    status: &Stat,
    owners: Option<(&Owners, &Owners)>,
) -> Result<()> {
    match kind(status) {
        FileType::RegularFile => copy_file((from, to), (name, new), owners),
        FileType::Symlink => {
            let owner = owner(status, owners)?;
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
