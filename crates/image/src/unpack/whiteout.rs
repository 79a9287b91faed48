//! What a layer says about files of the layers below: that they are gone. Archives say it by names
//! (image-spec, layer.md), overlayfs by devices and attributes.

use super::folders::display;
use super::{Marks, metadata};
use crate::tar::Time;
use std::os::fd::{AsFd as _, BorrowedFd};
use sys::rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, XattrFlags, fsetxattr, mknodat, openat, statat, unlinkat,
};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// What the last part of a name says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Says<'a> {
    /// Nothing about other layers.
    File,
    /// `.wh.NAME`: the file of this name is gone.
    Gone(&'a [u8]),
    /// `.wh..wh..opq`: all that layers below have in this folder is gone.
    AllGone,
    /// Left behind by AUFS; means nothing.
    Ignored,
    /// Begins like a whiteout, and names what cannot be gone.
    Refused,
}

pub(crate) const PREFIX: &[u8] = b".wh.";
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a name in a folder says.
pub(crate) fn says(name: &[u8]) -> Says<'_> {
    let Some(gone) = name.strip_prefix(PREFIX) else { return Says::File };
    match gone {
        b".wh..opq" => Says::AllGone,
        _ if gone.starts_with(PREFIX) => Says::Ignored,
        // Names of folders that always exist: this one, and the one above.
        b"" | b"." | b".." => Says::Refused,
        _ => Says::Gone(gone),
    }
}

/// What a path above an entry says: nothing may be put into something that is gone.
pub(super) fn folder_says(path: &[u8]) -> Says<'_> {
    let says = path.split(|byte| *byte == b'/').map(says).find(|says| *says != Says::File);
    match says {
        None => Says::File,
        Some(Says::Ignored) => Says::Ignored,
        Some(_) => Says::Refused,
    }
}

/// Says that a file of the layers below is gone. True if that had to be said by a name, since the
/// file system has no such devices, or not for us: one that overlayfs takes no changes on, but
/// `fuse-overlayfs` does.
pub(super) fn set(
    folder: BorrowedFd<'_>,
    name: &[u8],
    time: Time,
    marks: Marks,
) -> Result<bool, Error> {
    let arguments = || format!("{}, S_IFCHR, 0", display(name));
    match mknodat(folder, name, FileType::CharacterDevice, Mode::empty(), 0) {
        // It is in this layer, too, and so has come after: what is below shows through a folder
        // alone.
        Err(Errno::EXIST) => {
            let status =
                statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).or_error("fstatat", arguments)?;
            if FileType::from_raw_mode(status.st_mode).is_dir() {
                make_opaque(folder, name, marks)?;
            }
            Ok(false)
        }
        // The time is of no use but that the same layer always gives the same files.
        Ok(()) => metadata::set_times(folder, name, time, None).map(|()| false),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::INVAL) => {
            make_mark(folder, &[PREFIX, name].concat())?;
            metadata::set_times(folder, &[PREFIX, name].concat(), time, None).map(|()| true)
        }
        Err(errno) => Err(errno).or_error("mknodat", arguments),
    }
}

/// Hides what layers below have in the folder of this name.
pub(super) fn make_opaque(folder: BorrowedFd<'_>, name: &[u8], marks: Marks) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(folder, name, flags, Mode::empty()).or_error("openat", || display(name))?;
    let attribute = match marks {
        Marks::Trusted => c"trusted.overlay.opaque",
        Marks::User => c"user.overlay.opaque",
    };
    match fsetxattr(&opened, attribute, b"y", XattrFlags::empty()) {
        // As above.
        Err(Errno::PERM | Errno::OPNOTSUPP) => make_mark(opened.as_fd(), OPAQUE),
        set => set.or_error("fsetxattr", || format!("{}, {attribute:?}", display(name))),
    }
}

/// Makes an empty file whose name says something.
fn make_mark(folder: BorrowedFd<'_>, name: &[u8]) -> Result<(), Error> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty()).or_error("openat", || display(name)).map(drop)
}

/// Takes such a name away, because this layer has the file again. False if there is none.
pub(super) fn clear_name(folder: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Error> {
    let mark = [PREFIX, name].concat();
    match unlinkat(folder, &*mark, AtFlags::empty()) {
        Ok(()) => Ok(true),
        // A name that is as long as one can be has none.
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(false),
        Err(errno) => Err(errno).or_error("unlinkat", || display(&mark)),
    }
}

/// Takes a whiteout away, because this layer has the file again. False if it is something else.
pub(super) fn clear(folder: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Error> {
    let status =
        statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).or_error("fstatat", || display(name))?;
    if !is_whiteout(&status) {
        return Ok(false);
    }
    unlinkat(folder, name, AtFlags::empty()).or_error("unlinkat", || display(name))?;
    Ok(true)
}

/// Whether it is a whiteout as overlayfs knows them.
pub(crate) fn is_whiteout(status: &Stat) -> bool {
    FileType::from_raw_mode(status.st_mode).is_char_device() && status.st_rdev == 0
}

#[cfg(test)]
mod tests {
    use super::{Says, folder_says, says};

    #[test]
    fn names_say_what_is_gone() {
        assert_eq!(says(b"file"), Says::File);
        assert_eq!(says(b"a.wh.b"), Says::File);
        assert_eq!(says(b".wh.file"), Says::Gone(b"file"));
        assert_eq!(says(b".wh...."), Says::Gone(b"..."));
        assert_eq!(says(b".wh..wh..opq"), Says::AllGone);
        assert_eq!(says(b".wh..wh.plnk"), Says::Ignored);
        for name in [&b".wh."[..], b".wh..", b".wh..."] {
            assert_eq!(says(name), Says::Refused);
        }
    }

    #[test]
    fn nothing_goes_into_what_is_gone() {
        assert_eq!(folder_says(b"a/b"), Says::File);
        assert_eq!(folder_says(b""), Says::File);
        assert_eq!(folder_says(b"a/.wh.b/c"), Says::Refused);
        assert_eq!(folder_says(b".wh..wh.plnk/1"), Says::Ignored);
    }
}
