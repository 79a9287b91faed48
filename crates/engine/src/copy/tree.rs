//! Copying a folder with all that is in it.

use super::{copy_leaf, kind, open_folder, owner, set_metadata};
use crate::cursor::Cursor;
use crate::error::Result;
use crate::user_namespace::Owners;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, Stat, Uid, mkdirat, statat};
use sys::rustix::io::Errno;

/// A folder that is being copied.
struct Level {
    /// The copy's.
    name: CString,
    status: Stat,
    owner: Option<(Uid, Gid)>,
    /// Whether it gets what the other one has: one that was there stays as it is, as with cp(1).
    is_to_be_like: bool,
    /// The folders in it that are not copied yet.
    left: Vec<CString>,
}

/// Copies it to a folder that may be there.
pub(super) fn copy_tree(
    (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
    (name, new): (&CStr, &CStr),
    owners: Option<(&Owners, &Owners)>,
) -> Result<()> {
    let mut level = Level::make((from, to), (name, new), owners)?;
    let mut source = Cursor::new(open_folder(from, name)?);
    let mut copy = Cursor::new(open_folder(to, new)?);
    level.copy_leaves(&source, &copy, owners)?;
    let mut above = Vec::new();
    loop {
        if let Some(name) = level.left.pop() {
            let ends = (source.as_fd(), copy.as_fd());
            let next = Level::make(ends, (&name, &name), owners)?;
            source.down(&name)?;
            copy.down(&name)?;
            above.push(std::mem::replace(&mut level, next));
            level.copy_leaves(&source, &copy, owners)?;
        } else if let Some(last) = above.pop() {
            source.up()?;
            // Only now: by what it gets, the way back may be closed.
            level.finish(&copy.up()?)?;
            level = last;
        } else {
            return level.finish(&open_folder(copy.as_fd(), c".")?);
        }
    }
}

impl Level {
    fn make(
        (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
        (name, new): (&CStr, &CStr),
        owners: Option<(&Owners, &Owners)>,
    ) -> Result<Level> {
        let status = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)
            .or_error("fstatat", || format!("{name:?}"))?;
        let is_new = match mkdirat(to, new, Mode::from_raw_mode(0o700)) {
            Err(Errno::EXIST) => false,
            made => made.or_error("mkdirat", || format!("{new:?}")).map(|()| true)?,
        };
        Ok(Level {
            name: new.to_owned(),
            owner: owner(&status, owners)?,
            status,
            is_to_be_like: is_new || owners.is_some(),
            left: Vec::new(),
        })
    }

    /// Copies what is in it but folders, which are left.
    fn copy_leaves(
        &mut self,
        source: &Cursor,
        copy: &Cursor,
        owners: Option<(&Owners, &Owners)>,
    ) -> Result<()> {
        let ends = (source.as_fd(), copy.as_fd());
        let shown = || format!("{:?}", self.name);
        for child in Dir::read_from(source).or_error("getdents", shown)? {
            let child = child.or_error("getdents", shown)?;
            let name = child.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let status = statat(source, name, AtFlags::SYMLINK_NOFOLLOW)
                .or_error("fstatat", || format!("{name:?}"))?;
            match kind(&status) {
                FileType::Directory => self.left.push(name.to_owned()),
                _ => copy_leaf(ends, (name, name), &status, owners)?,
            }
        }
        Ok(())
    }

    fn finish(&self, copy: &OwnedFd) -> Result<()> {
        if !self.is_to_be_like {
            return Ok(());
        }
        set_metadata(copy, &self.status, self.owner, &self.name)
    }
}
