//! All there is to know of a file but its data.

use crate::tar::Time;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fgetxattr, flistxattr, lgetxattr, llistxattr, major, minor,
    openat, readlinkat, statat,
};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// Extended attributes, name and value, by name.
type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// A file of whatever type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// Permissions, set-id, sticky.
    pub(super) mode: u32,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) modified: Time,
    /// Extended attributes by name, all of them.
    pub(super) attributes: Attributes,
    /// How many names it has, and which file it is.
    pub(super) links: u64,
    pub(super) inode: (u64, u64),
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Regular { size: u64 },
    Folder,
    Link(Vec<u8>),
    CharacterDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    Socket,
}

impl Node {
    /// What has this name in a folder.
    pub(super) fn read(folder: BorrowedFd<'_>, name: &[u8]) -> Result<Node, Error> {
        let status = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .or_error("fstatat", || display(name))?;
        let device = || (major(status.st_rdev), minor(status.st_rdev));
        let kind = match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => {
                NodeKind::Regular { size: u64::try_from(status.st_size).unwrap_or(0) }
            }
            FileType::Directory => NodeKind::Folder,
            FileType::Symlink => {
                let target = readlinkat(folder, name, Vec::new());
                NodeKind::Link(target.or_error("readlinkat", || display(name))?.into_bytes())
            }
            FileType::CharacterDevice => NodeKind::CharacterDevice(device().0, device().1),
            FileType::BlockDevice => NodeKind::BlockDevice(device().0, device().1),
            FileType::Fifo => NodeKind::Fifo,
            FileType::Socket => NodeKind::Socket,
            FileType::Unknown => return Err(Errno::INVAL).or_error("fstatat", || display(name)),
        };
        let attributes = match kind {
            NodeKind::Regular { .. } | NodeKind::Folder => open_attributes(folder, name, &kind)?,
            _ => named_attributes(folder, name)?,
        };
        Ok(Node {
            kind,
            mode: status.st_mode & 0o7777,
            user: status.st_uid,
            group: status.st_gid,
            modified: Time {
                seconds: status.st_mtime,
                nanoseconds: u32::try_from(status.st_mtime_nsec).unwrap_or(0),
            },
            attributes,
            links: status.st_nlink,
            inode: (status.st_dev, status.st_ino),
        })
    }

    /// One that says that the file is gone, like this.
    pub(super) fn into_whiteout(self) -> Node {
        Node { kind: NodeKind::CharacterDevice(0, 0), links: 1, ..self }
    }

    /// Whether overlayfs takes it for a file that is gone.
    pub(super) fn is_whiteout(&self) -> bool {
        self.kind == NodeKind::CharacterDevice(0, 0)
    }

    /// Whether overlayfs hides what layers below have in this folder.
    pub(super) fn is_opaque(&self) -> bool {
        let marks =
            [&b"trusted.overlay.opaque"[..], b"user.overlay.opaque", b"user.fuseoverlayfs.opaque"];
        self.attributes
            .iter()
            .any(|(name, value)| marks.contains(&name.as_slice()) && value == b"y")
    }
}

/// Opens a regular file, or a folder, to be read.
pub(super) fn open(folder: BorrowedFd<'_>, name: &[u8], kind: &NodeKind) -> Result<OwnedFd, Error> {
    let kind = if *kind == NodeKind::Folder { OFlags::DIRECTORY } else { OFlags::empty() };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | kind;
    openat(folder, name, flags, Mode::empty()).or_error("openat", || display(name))
}

fn open_attributes(
    folder: BorrowedFd<'_>,
    name: &[u8],
    kind: &NodeKind,
) -> Result<Attributes, Error> {
    let file = open(folder, name, kind)?;
    let list = |buffer: &mut Vec<u8>| flistxattr(&file, &mut buffer[..]);
    attributes(name, list, |attribute, buffer| fgetxattr(&file, attribute, &mut buffer[..]))
}

/// Of what must not be opened.
fn named_attributes(folder: BorrowedFd<'_>, name: &[u8]) -> Result<Attributes, Error> {
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    let list = |buffer: &mut Vec<u8>| llistxattr(path.as_slice(), &mut buffer[..]);
    attributes(name, list, |attribute, buffer| {
        lgetxattr(path.as_slice(), attribute, &mut buffer[..])
    })
}

/// The kernel's limit for the list, and for a value.
const LONGEST: usize = 1 << 16;

fn attributes(
    name: &[u8],
    mut list: impl FnMut(&mut Vec<u8>) -> Result<usize, Errno>,
    value: impl Fn(&CStr, &mut Vec<u8>) -> Result<usize, Errno>,
) -> Result<Attributes, Error> {
    let names = match filled(&mut list) {
        Err(Errno::OPNOTSUPP) => Vec::new(),
        names => names.or_error("listxattr", || display(name))?,
    };
    let mut found = Vec::new();
    for attribute in names.split_inclusive(|byte| *byte == 0) {
        let Ok(attribute) = CStr::from_bytes_with_nul(attribute) else { continue };
        let value = filled(&mut |buffer| value(attribute, buffer))
            .or_error("getxattr", || format!("{}, {attribute:?}", display(name)))?;
        found.push((attribute.to_bytes().to_vec(), value));
    }
    found.sort();
    Ok(found)
}

/// What a call puts into a buffer. Few need a long one.
fn filled(call: &mut dyn FnMut(&mut Vec<u8>) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    let mut length = call(&mut buffer);
    if length == Err(Errno::RANGE) {
        buffer.resize(LONGEST, 0);
        length = call(&mut buffer);
    }
    buffer.truncate(length?);
    Ok(buffer)
}

/// For messages.
pub(super) fn display(name: &[u8]) -> String {
    format!("{:?}", crate::tar::shown(name))
}
