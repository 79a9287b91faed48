//! Owners of files that are reached from the machine.

use super::{inside, outside};
use crate::error::{Error, Result};
use crate::settings::Ids;
use std::ffi::CStr;
use std::fs::Metadata;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use sys::OrError;
use sys::identity::FileIdentity;
use sys::rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, fstat, openat,
    openat2, statat,
};

/// Folders of the machine that are not given to a container's user by a slip of the fingers.
// tidy: table
const NEVER: [&str; 20] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt",
    "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var",
];

/// Gives a file, or a folder and all that is in it, to somebody. No link is followed, and nobody who
/// changes it meanwhile can make this go elsewhere.
pub(crate) fn chown_all(path: &Path, owner: (u32, u32)) -> Result<()> {
    let real = path.canonicalize().map_err(Error::file(path))?;
    if NEVER.iter().any(|never| real == Path::new(never)) {
        let text = "is the machine's, and is not given to anybody by the option U";
        return Err(Error::invalid(format!("--volume: {} {text}", real.display())));
    }
    let shown = || format!("{}", path.display());
    let place = openat2(
        CWD,
        &real,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS,
    )
    .or_error("openat2", shown)?;
    let owner = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    chownat(&place, c"", Some(owner.0), Some(owner.1), AtFlags::EMPTY_PATH)
        .or_error("fchownat", shown)?;
    let status = fstat(&place).or_error("fstat", shown)?;
    if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
        chown_inside(&open_folder(place.as_fd(), c".")?, owner)?;
    }
    Ok(())
}

fn chown_inside(folder: &OwnedFd, owner: (Uid, Gid)) -> Result<()> {
    for entry in Dir::read_from(folder).or_error("getdents", || "")? {
        let entry = entry.or_error("getdents", || "")?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let shown = || format!("{name:?}");
        chownat(folder, name, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW)
            .or_error("fchownat", shown)?;
        let status = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).or_error("fstatat", shown)?;
        if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
            chown_inside(&open_folder(folder.as_fd(), name)?, owner)?;
        }
    }
    Ok(())
}

fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty()).or_error("openat", || format!("{name:?}"))?)
}

/// Whether nobody has put anything into a volume, or given it to somebody.
pub(crate) fn is_fresh(folder: &Path) -> Result<bool> {
    let status: Metadata = std::fs::metadata(folder).map_err(Error::file(folder))?;
    let mut entries = std::fs::read_dir(folder).map_err(Error::file(folder))?;
    Ok((status.uid(), status.gid()) == (0, 0) && entries.next().is_none())
}

/// Who owns copies that go into a container that runs, or come out of it.
#[derive(Clone, Default)]
pub(crate) struct Owners {
    ids: Ids,
}

impl Owners {
    /// Of files that processes with these ids see.
    pub(crate) fn new(ids: &Ids) -> Owners {
        Owners { ids: ids.clone() }
    }

    /// What this process makes while the result lives belongs to the container's root.
    pub(crate) fn act(&self) -> Result<Option<FileIdentity>> {
        let Some((user, group)) = self.ids.outside(0, 0) else { return Ok(None) };
        let taken = FileIdentity::take(user, group);
        Ok(Some(taken.or_error("setfsuid", || format!("{user}, {group}"))?))
    }

    /// Whom a file of the container belongs to, as its processes see it.
    pub(crate) fn seen(&self, (user, group): (u32, u32)) -> (u32, u32) {
        if self.ids.is_empty() {
            return (user, group);
        }
        let or_nobody = |id: Option<u32>| id.unwrap_or(65_534);
        (or_nobody(inside(&self.ids.users, user)), or_nobody(inside(&self.ids.groups, group)))
    }

    /// The other way round.
    pub(crate) fn real(&self, (user, group): (u32, u32)) -> Result<(u32, u32)> {
        if self.ids.is_empty() {
            return Ok((user, group));
        }
        let found = outside(&self.ids.users, user).zip(outside(&self.ids.groups, group));
        found.ok_or_else(|| {
            let text = "which the container's user namespace does not have";
            Error::invalid(format!("a file of user {user} and group {group}, {text}"))
        })
    }
}
