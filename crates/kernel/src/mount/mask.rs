//! Paths that are hidden or made read-only.
//!
//! Each is resolved once and then used by its descriptor. What does not exist needs nothing; any
//! other failure is an error, for a container must not see what it was not to see.

use super::filesystem::Detached;
use super::target::Shape;
use super::{Assembly, Attributes, Error, FileSystem, FileSystemFlags, Step, filesystem, tree};
use crate::path::{Links, RootedPath};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use sys::OrError;
use sys::mount::{MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};
use sys::rustix::fs::{CWD, FileType, Mode, OFlags, fstat, major, minor, openat};
use sys::rustix::io::Errno;

/// Of the empty folder that hides others.
const HIDING: Attributes = Attributes {
    set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
    clear: 0,
};

/// Of what is commonly hidden and there, what is a file. To be wrong costs a few calls more.
const USUALLY_FILES: [&CStr; 3] = [c"proc/kcore", c"proc/keys", c"proc/timer_list"];

/// What hides.
struct Covers {
    /// The machine's `/dev/null`, verified.
    null: Option<OwnedFd>,
    /// An empty read-only file system, once it is attached somewhere: only then can it be copied.
    empty: Option<OwnedFd>,
    /// That with which it was made.
    context: Option<OwnedFd>,
    label: String,
}

impl Assembly<'_> {
    /// Hides files behind `/dev/null` and folders behind one empty read-only folder. `label` is
    /// the option of a SELinux label for that folder (`context="..."`), or empty.
    ///
    /// The machine's `/dev/null` is used, so this comes before the root is changed.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NotNull`] if `/dev/null` is something else.
    pub fn mask(&mut self, paths: &[RootedPath], label: &str) -> Result<(), Error> {
        let mut covers = Covers { null: None, empty: None, context: None, label: label.to_owned() };
        for path in paths {
            let failed = Error::at(Step::Mask, path);
            let Some((place, mut shape)) = self.find(path).map_err(&failed)? else { continue };
            let mut cover = covers.of(shape, path)?;
            let mut attached = tree::attach(cover.as_fd(), place.as_fd());
            // It was a folder.
            if shape == Shape::File && attached.as_ref().is_err_and(|it| it.errno == Errno::NOTDIR)
            {
                shape = Shape::Directory;
                cover = covers.of(shape, path)?;
                attached = tree::attach(cover.as_fd(), place.as_fd());
            }
            attached.map_err(failed)?;
            if shape == Shape::Directory && covers.empty.is_none() {
                covers.empty = Some(cover);
            } else {
                self.leave_open(cover);
            }
            self.leave_open(place);
        }
        [covers.null, covers.empty, covers.context]
            .into_iter()
            .flatten()
            .for_each(|it| self.leave_open(it));
        Ok(())
    }

    /// What there is to mask at a path. A folder may be taken for a file.
    fn find(&self, path: &RootedPath) -> Result<Option<(OwnedFd, Shape)>, sys::Error> {
        if !USUALLY_FILES.contains(&path.as_c_str()) {
            match self.root.resolve_directory(path, Links::Follow) {
                Ok(folder) => return Ok(Some((folder, Shape::Directory))),
                Err(error) if error.errno == Errno::NOENT => return Ok(None),
                Err(error) if error.errno != Errno::NOTDIR => return Err(error),
                Err(_) => {}
            }
        }
        match self.root.resolve(path, Links::Follow) {
            Ok(file) => Ok(Some((file, Shape::File))),
            // A path below a file does not exist either.
            Err(error) if matches!(error.errno, Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes paths read-only; what is mounted below them stays as it is.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn protect(&mut self, paths: &[RootedPath]) -> Result<(), Error> {
        for path in paths {
            let place = match self.root.resolve(path, Links::Follow) {
                Ok(place) => place,
                Err(error) if matches!(error.errno, Errno::NOENT | Errno::NOTDIR) => continue,
                Err(error) => return Err(Error::at(Step::Protect, path)(error)),
            };
            let failed = Error::at(Step::Protect, path);
            let mount = tree::of_descriptor(place.as_fd(), true).map_err(&failed)?;
            let done = self.change(mount.as_fd(), path, false, Attributes::READ_ONLY)?;
            tree::attach(mount.as_fd(), place.as_fd()).map_err(&failed)?;
            if !done {
                super::attributes::remount(mount.as_fd(), path, Attributes::READ_ONLY)?;
            }
            self.leave_open(mount);
            self.leave_open(place);
        }
        Ok(())
    }

    /// Makes the root read-only; what is mounted below stays as it is.
    ///
    /// # Errors
    /// The call that failed.
    pub fn protect_root(&mut self) -> Result<(), Error> {
        self.set_attributes(self.root.as_fd(), &RootedPath::root(), Attributes::READ_ONLY)
    }
}

impl Covers {
    fn of(&mut self, shape: Shape, path: &RootedPath) -> Result<OwnedFd, Error> {
        match shape {
            Shape::Directory => self.for_folder(path),
            Shape::File => self.for_file(path),
        }
    }

    fn for_folder(&mut self, path: &RootedPath) -> Result<OwnedFd, Error> {
        let failed = Error::at(Step::Mask, path);
        if let Some(empty) = &self.empty {
            return tree::of_descriptor(empty.as_fd(), false).map_err(failed);
        }
        let tmpfs = FileSystem {
            kind: c"tmpfs".to_owned(),
            // Shown as "none".
            device: c"".to_owned(),
            flags: FileSystemFlags::default(),
            data: c"".to_owned(),
            copy_up: false,
            label: None,
        };
        let Detached { folder, context } =
            filesystem::detached(&tmpfs, HIDING, &self.label).map_err(failed)?;
        self.context = Some(context);
        Ok(folder)
    }

    fn for_file(&mut self, path: &RootedPath) -> Result<OwnedFd, Error> {
        let null = match self.null.take() {
            Some(null) => null,
            None => open_null(path)?,
        };
        let null = self.null.insert(null);
        tree::of_descriptor(null.as_fd(), false).map_err(Error::at(Step::Mask, path))
    }
}

/// The machine's `/dev/null`, if it is that.
fn open_null(path: &RootedPath) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let null = openat(CWD, c"/dev/null", flags, Mode::empty())
        .or_error("openat", || "AT_FDCWD, \"/dev/null\", O_PATH|O_NOFOLLOW")
        .map_err(Error::at(Step::Mask, path))?;
    let status = fstat(&null)
        .or_error("fstat", || null.as_raw_fd().to_string())
        .map_err(Error::at(Step::Mask, path))?;
    let device = (major(status.st_rdev), minor(status.st_rdev));
    if FileType::from_raw_mode(status.st_mode).is_char_device() && device == (1, 3) {
        Ok(null)
    } else {
        Err(Error::NotNull)
    }
}
