//! Paths that are hidden or made read-only.
//!
//! Each is resolved once and then used by its descriptor. What does not exist needs nothing; any
//! other failure is an error, for a container must not see what it was not to see.

use super::filesystem::Detached;
use super::target::Shape;
use super::{Assembly, Attributes, Error, FileSystem, FileSystemFlags, Step, filesystem, tree};
use crate::path::{Links, Root, RootedPath};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
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
    /// What was made to hide something that is not there.
    spare: Vec<(Shape, OwnedFd)>,
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
        let mut covers = Covers {
            null: None,
            empty: None,
            context: None,
            spare: Vec::new(),
            label: label.to_owned(),
        };
        for path in paths {
            if !self.mask_by_name(path, &mut covers)? {
                self.mask_found(path, &mut covers)?;
            }
        }
        covers.into_descriptors().for_each(|it| self.leave_open(it));
        Ok(())
    }

    /// Hides an entry of the root folder of procfs or sysfs, if the path is of one and it is what it
    /// is taken for. Who is in the container cannot change those, so the name is as good as a
    /// descriptor, and two calls are saved.
    fn mask_by_name(&mut self, path: &RootedPath, covers: &mut Covers) -> Result<bool, Error> {
        let Some((root, name)) = self.entry_of_kernel(path) else { return Ok(false) };
        let is_file = USUALLY_FILES.contains(&path.as_c_str());
        let shape = if is_file { Shape::File } else { Shape::Directory };
        let cover = covers.of(shape, path)?;
        match tree::attach_at(cover.as_fd(), root.as_fd(), name.as_c_str()) {
            Ok(()) => self.covered_by(cover, shape, covers),
            Err(error) if error.errno == Errno::NOENT => covers.spare.push((shape, cover)),
            Err(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Hides what is at a path, if anything is.
    fn mask_found(&mut self, path: &RootedPath, covers: &mut Covers) -> Result<(), Error> {
        let failed = Error::at(Step::Mask, path);
        let Some((place, mut shape)) = self.find(path).map_err(&failed)? else { return Ok(()) };
        let mut cover = covers.of(shape, path)?;
        let mut attached = tree::attach(cover.as_fd(), place.as_fd());
        // It was a folder.
        if shape == Shape::File && attached.as_ref().is_err_and(|it| it.errno == Errno::NOTDIR) {
            shape = Shape::Directory;
            cover = covers.of(shape, path)?;
            attached = tree::attach(cover.as_fd(), place.as_fd());
        }
        attached.map_err(failed)?;
        self.covered_by(cover, shape, covers);
        self.leave_open(place);
        Ok(())
    }

    /// Keeps the first folder that hides, for copies of it.
    fn covered_by(&mut self, cover: OwnedFd, shape: Shape, covers: &mut Covers) {
        if shape == Shape::Directory && covers.empty.is_none() {
            covers.empty = Some(cover);
        } else {
            self.leave_open(cover);
        }
    }

    /// The root folder of procfs or sysfs that a path is directly in, and its name there.
    fn entry_of_kernel(&self, path: &RootedPath) -> Option<(Rc<Root>, RootedPath)> {
        self.of_kernel(path).filter(|(_, rest)| rest.components().nth(1).is_none())
    }

    /// What is at a path, with links on the way followed.
    fn look_up(&self, path: &RootedPath) -> Result<OwnedFd, sys::Error> {
        match self.of_kernel(path) {
            Some((root, rest)) => root.resolve(&rest, Links::Follow),
            None => self.root.resolve(path, Links::Follow),
        }
    }

    /// The same, for a folder.
    fn look_up_directory(&self, path: &RootedPath) -> Result<OwnedFd, sys::Error> {
        match self.of_kernel(path) {
            Some((root, rest)) => root.resolve_directory(&rest, Links::Follow),
            None => self.root.resolve_directory(path, Links::Follow),
        }
    }

    /// What there is to mask at a path. A folder may be taken for a file.
    fn find(&self, path: &RootedPath) -> Result<Option<(OwnedFd, Shape)>, sys::Error> {
        if !USUALLY_FILES.contains(&path.as_c_str()) {
            match self.look_up_directory(path) {
                Ok(folder) => return Ok(Some((folder, Shape::Directory))),
                Err(error) if error.errno == Errno::NOENT => return Ok(None),
                Err(error) if error.errno != Errno::NOTDIR => return Err(error),
                Err(_) => {}
            }
        }
        match self.look_up(path) {
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
            if !self.protect_by_name(path)? {
                self.protect_found(path)?;
            }
        }
        Ok(())
    }

    /// Makes an entry of the root folder of procfs or sysfs read-only, as [`Assembly::mask_by_name`].
    fn protect_by_name(&mut self, path: &RootedPath) -> Result<bool, Error> {
        let Some((root, name)) = self.entry_of_kernel(path) else { return Ok(false) };
        let mount = match tree::of_entry(root.as_fd(), name.as_c_str()) {
            Ok(mount) => mount,
            Err(error) => return Ok(error.errno == Errno::NOENT),
        };
        let attach = |mount: BorrowedFd<'_>| tree::attach_at(mount, root.as_fd(), name.as_c_str());
        match self.protect_by(mount, path, attach) {
            // A link of the kernel's, such as `net`.
            Err(Error::Call { error, .. }) if error.errno == Errno::INVAL => Ok(false),
            result => result.map(|()| true),
        }
    }

    /// Makes what is at a path read-only, if anything is.
    fn protect_found(&mut self, path: &RootedPath) -> Result<(), Error> {
        let failed = Error::at(Step::Protect, path);
        let place = match self.look_up(path) {
            Ok(place) => place,
            Err(error) if matches!(error.errno, Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let mount = tree::of_descriptor(place.as_fd(), true).map_err(failed)?;
        self.protect_by(mount, path, |mount| tree::attach(mount, place.as_fd()))?;
        self.leave_open(place);
        Ok(())
    }

    /// Puts a copy of a mount over it that is read-only.
    fn protect_by(
        &mut self,
        mount: OwnedFd,
        path: &RootedPath,
        attach: impl Fn(BorrowedFd<'_>) -> Result<(), sys::Error>,
    ) -> Result<(), Error> {
        let done = self.change(mount.as_fd(), path, false, Attributes::READ_ONLY)?;
        attach(mount.as_fd()).map_err(Error::at(Step::Protect, path))?;
        if !done {
            super::attributes::remount(mount.as_fd(), path, Attributes::READ_ONLY)?;
        }
        self.leave_open(mount);
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
        if let Some(index) = self.spare.iter().position(|(of, _)| *of == shape) {
            return Ok(self.spare.swap_remove(index).1);
        }
        match shape {
            Shape::Directory => self.for_folder(path),
            Shape::File => self.for_file(path),
        }
    }

    fn into_descriptors(self) -> impl Iterator<Item = OwnedFd> {
        let spare = self.spare.into_iter().map(|(_, cover)| cover);
        [self.null, self.empty, self.context].into_iter().flatten().chain(spare)
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
