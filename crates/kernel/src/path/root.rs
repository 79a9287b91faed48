//! The root of a container, and paths resolved in it.

use super::walk::{Missing, Walk};
use super::{RootedPath, reopen};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use sys::rustix::io::Errno;

/// Whether symbolic links on the way are followed, the last component included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Inside the root, but for the links of procfs that lead out of the file system.
    Follow,
    /// One is an error (ELOOP).
    Refuse,
}

/// How a path is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// By one openat2(2), Linux 5.6, and as [`Resolver::Walk`] where that is missing or kept back by
    /// a seccomp filter.
    Kernel,
    /// Component by component.
    Walk,
}

/// The folder that is, or becomes, the root of a container.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    resolver: Resolver,
}

/// openat2 answers EAGAIN when something anywhere was renamed while it crossed a `..`.
const ATTEMPTS: usize = 128;

impl Root {
    /// The root in this folder of the machine, whose path is trusted.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, EACCES.
    pub fn open(path: &CStr) -> Result<Root, sys::Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, path, flags, Mode::empty())
            .or_error("openat", || format!("AT_FDCWD, {path:?}, O_PATH|O_DIRECTORY"))?;
        Ok(Root::from_descriptor(directory))
    }

    /// The root that this descriptor names.
    #[must_use]
    pub fn from_descriptor(directory: OwnedFd) -> Root {
        Root { directory, resolver: Resolver::Kernel }
    }

    /// The same root, in which paths are resolved in this way, to test the one for old kernels.
    #[must_use]
    pub fn with(self, resolver: Resolver) -> Root {
        Root { resolver, ..self }
    }

    /// What is at a path, as an `O_PATH` descriptor.
    ///
    /// # Errors
    /// ENOENT; ELOOP for too many links, a refused one, or a magic one; ENOTDIR, EACCES.
    pub fn resolve(&self, path: &RootedPath, links: Links) -> Result<OwnedFd, sys::Error> {
        self.look_up(path, links, OFlags::empty())
    }

    /// The same, for a folder.
    ///
    /// # Errors
    /// As [`Root::resolve`]; ENOTDIR for anything else than a folder.
    pub fn resolve_directory(
        &self,
        path: &RootedPath,
        links: Links,
    ) -> Result<OwnedFd, sys::Error> {
        self.look_up(path, links, OFlags::DIRECTORY)
    }

    /// The folder at a path, made with all that is missing on the way, links that lead to nothing
    /// included: what they name is made, inside the root.
    ///
    /// The mode is subject to the umask; folders on the way get 0755.
    ///
    /// # Errors
    /// ENOTDIR where something else is in the way; ELOOP, EACCES, EROFS, ENOSPC.
    pub fn create_directory(
        &self,
        path: &RootedPath,
        links: Links,
        mode: Mode,
    ) -> Result<OwnedFd, sys::Error> {
        match self.resolve_directory(path, links) {
            Err(error) if error.errno == Errno::NOENT => self.make_directory(path, links, mode),
            result => result,
        }
    }

    /// The same, without looking first whether it is there.
    ///
    /// # Errors
    /// As [`Root::create_directory`].
    pub fn make_directory(
        &self,
        path: &RootedPath,
        links: Links,
        mode: Mode,
    ) -> Result<OwnedFd, sys::Error> {
        self.walk(path, links, Missing::Directory(mode), true)
    }

    /// What is at a path, or an empty file made there, as by [`Root::create_directory`], without
    /// looking first whether it is there.
    ///
    /// # Errors
    /// As [`Root::create_directory`].
    pub fn make_file(
        &self,
        path: &RootedPath,
        links: Links,
        mode: Mode,
    ) -> Result<OwnedFd, sys::Error> {
        self.walk(path, links, Missing::File(mode), false)
    }

    /// Opens a regular file for what `flags` say (`O_RDONLY`, `O_WRONLY`, ...). Nothing else is
    /// ever opened, not even for a moment: a FIFO would block, a device may do anything.
    ///
    /// It goes through `/proc/self/fd`, so the caller's `/proc` must be the machine's.
    ///
    /// # Errors
    /// As [`Root::resolve`]; EINVAL if it is no regular file.
    pub fn open_file(&self, path: &RootedPath, flags: OFlags) -> Result<OwnedFd, sys::Error> {
        let place = self.resolve(path, Links::Follow)?;
        let arguments = || format!("{}, {path}", place.as_raw_fd());
        let status = fstat(&place).or_error("fstat", arguments)?;
        if !FileType::from_raw_mode(status.st_mode).is_file() {
            return Err(Errno::INVAL).or_error("open", || format!("{path}: no regular file"));
        }
        reopen(place.as_fd(), flags)
    }

    fn walk(
        &self,
        path: &RootedPath,
        links: Links,
        missing: Missing,
        directory: bool,
    ) -> Result<OwnedFd, sys::Error> {
        Walk { root: self.as_fd(), links, missing, directory }.to(path)
    }

    fn look_up(
        &self,
        path: &RootedPath,
        links: Links,
        kind: OFlags,
    ) -> Result<OwnedFd, sys::Error> {
        let walk = || self.walk(path, links, Missing::Error, kind == OFlags::DIRECTORY);
        if self.resolver == Resolver::Walk {
            return walk();
        }
        let mut resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        if links == Links::Refuse {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC | kind;
        let mut result = Err(Errno::AGAIN);
        for _ in 0..ATTEMPTS {
            result = openat2(&self.directory, path.as_c_str(), flags, Mode::empty(), resolve);
            match result {
                Err(Errno::AGAIN) => {}
                // With O_PATH the call itself is never refused like that.
                Err(Errno::NOSYS | Errno::PERM) => return walk(),
                _ => break,
            }
        }
        result.or_error("openat2", || {
            format!("{}, {:?}, {flags:?}, {resolve:?}", self.directory.as_raw_fd(), path.as_c_str())
        })
    }
}

impl From<Root> for OwnedFd {
    fn from(root: Root) -> OwnedFd {
        root.directory
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}
