//! The folders of a store.

use super::{Error, trash};
use crate::unpack;
use spec::image::{Algorithm, Digest};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::rustix::fs::{
    Access, AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags, accessat, fallocate, fsync,
    mkdirat, openat, renameat_with, statat, syncfs, unlinkat,
};
use sys::rustix::io::Errno;

/// Where things lie. All are named after digests, which are safe file names.
#[derive(Debug)]
pub(super) struct Layout {
    root: OwnedFd,
    /// `blobs/sha256/HEX`: complete, checked, synced. Layers, configurations, manifests.
    blobs: [OwnedFd; 2],
    /// `layers/sha256/HEX`: unpacked, by the digest of the uncompressed archive.
    layers: [OwnedFd; 2],
    /// `mapped/sha256/HEX`: the same with other owners.
    mapped: [OwnedFd; 2],
    /// `incoming/sha256:HEX`: the beginning of a blob. Kept, to be gone on with.
    incoming: OwnedFd,
    /// `unpacking/sha256:HEX`: good for nothing if nobody is at it.
    unpacking: OwnedFd,
    /// `locks/KIND-sha256:HEX`: who reads or writes what.
    locks: OwnedFd,
    /// `trash/...`: to be removed by whoever has the time.
    trash: OwnedFd,
    read_only: bool,
}

/// What the store has in its root folder.
pub(super) const NAMES: [&str; 12] = [
    "blobs",
    "layers",
    MAPPED,
    "incoming",
    "unpacking",
    "locks",
    "trash",
    RESERVE,
    RESERVE_INODE,
    "tinyo.db-wal",
    "tinyo.db-shm",
    super::database::FILE,
];

/// Nobody else may look into layers: they can hold set-id programs and devices.
const PRIVATE: Mode = Mode::from_raw_mode(0o700);
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The folder of layers with other owners.
pub(super) const MAPPED: &str = "mapped";

/// A thing with a digest that the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Bytes as they were transported.
    Blob,
    /// An unpacked layer.
    Layer,
    /// A copy of a layer whose files belong to others: for a container in a user namespace where
    /// mounts cannot be mapped.
    Mapped,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Blob => "blob",
            Kind::Layer => "layer",
            Kind::Mapped => "mapped",
        }
    }
}

impl Layout {
    /// Opens the folders, and makes those that are missing unless the disk is read-only.
    pub(super) fn open(path: &Path) -> Result<Layout, Error> {
        let root = open_root(path)?;
        let read_only =
            matches!(accessat(&root, ".", Access::WRITE_OK, AtFlags::empty()), Err(Errno::ROFS));
        let folder = |name: &str| open_folder(root.as_fd(), name, read_only);
        let both = |name: &str| -> Result<[OwnedFd; 2], Error> {
            let above = folder(name)?;
            let open =
                |algorithm: Algorithm| open_folder(above.as_fd(), algorithm.name(), read_only);
            Ok([open(Algorithm::Sha256)?, open(Algorithm::Sha512)?])
        };
        if !read_only {
            set_reserve_aside(root.as_fd());
        }
        Ok(Layout {
            blobs: both("blobs")?,
            layers: both("layers")?,
            mapped: both(MAPPED)?,
            incoming: folder("incoming")?,
            unpacking: folder("unpacking")?,
            locks: folder("locks")?,
            trash: folder("trash")?,
            read_only,
            root,
        })
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether there is anything that only a database can have spoken of.
    pub(super) fn has_content(&self) -> Result<bool, Error> {
        for folder in self.blobs.iter().chain(&self.layers) {
            if !trash::names(folder)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn incoming(&self) -> BorrowedFd<'_> {
        self.incoming.as_fd()
    }

    pub(super) fn unpacking(&self) -> BorrowedFd<'_> {
        self.unpacking.as_fd()
    }

    pub(super) fn locks(&self) -> BorrowedFd<'_> {
        self.locks.as_fd()
    }

    pub(super) fn trash(&self) -> BorrowedFd<'_> {
        self.trash.as_fd()
    }

    /// The folder of all blobs or layers with digests of this algorithm.
    pub(super) fn folder(&self, kind: Kind, algorithm: Algorithm) -> BorrowedFd<'_> {
        let folders = match kind {
            Kind::Blob => &self.blobs,
            Kind::Layer => &self.layers,
            Kind::Mapped => &self.mapped,
        };
        match algorithm {
            Algorithm::Sha256 => folders[0].as_fd(),
            Algorithm::Sha512 => folders[1].as_fd(),
        }
    }

    /// Whether there is a file or folder of this digest.
    pub(super) fn has(&self, kind: Kind, digest: &Digest) -> Result<bool, Error> {
        let folder = self.folder(kind, digest.algorithm());
        match statat(folder, digest.hex(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Ok(Err(errno).or_error("fstatat", || digest.to_string())?),
        }
    }

    /// Opens a blob to be read.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<OwnedFd, Error> {
        let folder = self.folder(Kind::Blob, digest.algorithm());
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(folder, digest.hex(), flags, Mode::empty())
            .or_error("openat", || format!("blob {digest}"))?)
    }

    /// Opens the root of a layer, or of a copy of one.
    pub(super) fn open_layer(&self, kind: Kind, digest: &Digest) -> Result<OwnedFd, Error> {
        let folder = self.folder(kind, digest.algorithm());
        let flags = OFlags::PATH | OFlags::NOFOLLOW | FOLDER;
        Ok(openat(folder, digest.hex(), flags, Mode::empty())
            .or_error("openat", || format!("{} {digest}", kind.name()))?)
    }

    /// Opens the file that a blob arrives in, which may have the beginning of it.
    pub(super) fn open_incoming(&self, digest: &Digest) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.incoming, digest.as_str(), flags, Mode::from_raw_mode(0o600))
            .or_error("openat", || format!("incoming {digest}"))?)
    }

    /// Makes a file without a name, which is gone when it is closed.
    pub(super) fn make_spool(&self) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        Ok(openat(&self.incoming, ".", flags, Mode::from_raw_mode(0o600))
            .or_error("openat", || "incoming, O_TMPFILE")?)
    }

    /// How long that file is, for people to see.
    pub(super) fn incoming_size(&self, digest: &Digest) -> u64 {
        let status = statat(&self.incoming, digest.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        status.map_or(0, |status| status.st_size.try_into().unwrap_or(0))
    }

    /// Removes that file, because what is in it is of no use.
    pub(super) fn remove_incoming(&self, digest: &Digest) -> Result<(), Error> {
        Ok(unpack::remove(self.incoming(), digest.as_str().as_bytes())?)
    }

    /// Makes an empty folder to unpack a layer into.
    pub(super) fn make_unpacking(&self, diff_id: &Digest) -> Result<OwnedFd, Error> {
        let name = diff_id.as_str();
        self.discard(self.unpacking(), name)?;
        mkdirat(&self.unpacking, name, Mode::from_raw_mode(0o755))
            .or_error("mkdirat", || format!("unpacking {name}"))?;
        self.open_unpacking(diff_id)
    }

    /// Opens that folder.
    pub(super) fn open_unpacking(&self, diff_id: &Digest) -> Result<OwnedFd, Error> {
        let name = diff_id.as_str();
        Ok(openat(&self.unpacking, name, OFlags::PATH | FOLDER, Mode::empty())
            .or_error("openat", || format!("unpacking {name}"))?)
    }

    /// How long a blob's file is.
    pub(super) fn blob_size(&self, digest: &Digest) -> Result<u64, Error> {
        let folder = self.folder(Kind::Blob, digest.algorithm());
        let status = statat(folder, digest.hex(), AtFlags::SYMLINK_NOFOLLOW)
            .or_error("fstatat", || digest.to_string())?;
        Ok(u64::try_from(status.st_size).unwrap_or(0))
    }

    /// Gives something that is complete and synced its place. What no row spoke of and had the
    /// place goes into the trash.
    pub(super) fn put(
        &self,
        from: BorrowedFd<'_>,
        name: &str,
        kind: Kind,
        digest: &Digest,
    ) -> Result<(), Error> {
        let folder = self.folder(kind, digest.algorithm());
        let rename = || renameat_with(from, name, folder, digest.hex(), RenameFlags::NOREPLACE);
        let renamed = match rename() {
            Err(Errno::EXIST) => {
                self.discard(folder, digest.hex())?;
                rename()
            }
            result => result,
        };
        renamed.or_error("renameat2", || format!("{name:?}, {} {digest}", kind.name()))?;
        Ok(fsync(folder).or_error("fsync", || format!("folder of {}s", kind.name()))?)
    }

    /// Moves something into the trash at once, whatever its size. Nothing is done if it is gone.
    pub(super) fn discard(&self, folder: BorrowedFd<'_>, name: &str) -> Result<(), Error> {
        for number in 0_u64.. {
            // Two processes may discard things of one name.
            let target = format!("{}.{number}", sys::rustix::process::getpid().as_raw_nonzero());
            match renameat_with(folder, name, &self.trash, target, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                Ok(()) | Err(Errno::NOENT) => break,
                Err(errno) => Err(errno).or_error("renameat2", || format!("{name:?}, trash"))?,
            }
        }
        Ok(())
    }

    /// Gives up what was set aside for a full disk, so that rows can be written that say what to
    /// remove from it. False if that was done already.
    pub(super) fn spend_reserve(&self) -> Result<bool, Error> {
        let spend = |name: &str| match unlinkat(&self.root, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno).or_error("unlinkat", || name),
        };
        Ok(spend(RESERVE)? | spend(RESERVE_INODE)?)
    }

    /// The disk, to be asked before anything is written that is to be on it.
    pub(super) fn disk(&self) -> Result<Disk, Error> {
        let opened = openat(&self.root, ".", OFlags::RDONLY | FOLDER, Mode::empty());
        Ok(Disk(opened.or_error("openat", || "the store, to sync it")?))
    }
}

/// The disk that the store is on. The kernel tells each open file of an error only once, and only
/// of those since it was opened: whoever has to know has one of their own.
#[derive(Debug)]
pub(super) struct Disk(OwnedFd);

impl Disk {
    /// Writes everything to the disk: one call for all files of a layer.
    pub(super) fn sync(&self) -> Result<(), Error> {
        Ok(syncfs(&self.0).or_error("syncfs", String::new)?)
    }
}

/// The root, made with its parents if it is missing.
fn open_root(path: &Path) -> Result<OwnedFd, Error> {
    let open = || openat(CWD, path, OFlags::RDONLY | FOLDER, Mode::empty());
    if let Err(Errno::NOENT) = open() {
        for ancestor in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if ancestor.as_os_str().is_empty() {
                continue;
            }
            match mkdirat(CWD, ancestor, PRIVATE) {
                Ok(()) | Err(Errno::EXIST) => {}
                result => result.or_error("mkdirat", || format!("{ancestor:?}"))?,
            }
        }
    }
    Ok(open().or_error("openat", || format!("{path:?}, O_DIRECTORY"))?)
}

/// Some room of the disk that nothing uses.
const RESERVE: &str = "reserve";
const RESERVE_SIZE: u64 = 1 << 20;
/// The database is opened with two files more.
const RESERVE_INODE: &str = "reserve-inode";

/// Sets room aside. On a disk that is full or cannot, there is none, and nothing else is wrong.
fn set_reserve_aside(root: BorrowedFd<'_>) {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let make = |name: &str| openat(root, name, flags, Mode::from_raw_mode(0o600));
    let Ok(file) = make(RESERVE) else { return };
    if fallocate(&file, FallocateFlags::empty(), 0, RESERVE_SIZE).is_err() {
        // An empty one would never be tried again.
        let _ = unlinkat(root, RESERVE, AtFlags::empty());
        return;
    }
    // It may be there still, or find none.
    let _ = make(RESERVE_INODE);
}

fn open_folder(above: BorrowedFd<'_>, name: &str, read_only: bool) -> Result<OwnedFd, Error> {
    let open = || openat(above, name, OFlags::RDONLY | OFlags::NOFOLLOW | FOLDER, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) if !read_only => {
            match mkdirat(above, name, PRIVATE) {
                Ok(()) | Err(Errno::EXIST) => {}
                result => result.or_error("mkdirat", || format!("{name:?}"))?,
            }
            open()
        }
        result => result,
    };
    Ok(opened.or_error("openat", || format!("{name:?} of the store"))?)
}
