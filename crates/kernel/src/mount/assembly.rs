//! Mounts put into a root, one after the other.

use super::PropagationKind::Unbindable;
use super::attributes::{change, remount};
use super::filesystem::Detached;
use super::target::{Shape, Target, find_or_make, is_proc, mounted, ordinary};
use super::{
    AttributeCall, Attributes, Bind, Error, FileSystem, Mount, Propagation, Remount, Source, Step,
    copy_up, filesystem, tree,
};
use crate::path::{Links, Root, RootedPath};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::rc::Rc;
use sys::OrError;
use sys::rustix::fs::{
    AtFlags, FileType, Mode, StatxAttributes, StatxFlags, fstat, mkdirat, statx,
};
use sys::rustix::io::{Errno, fcntl_dupfd_cloexec};
use sys::rustix::mount::mount_remount;
use sys::rustix::process::fchdir;

/// So many descriptors are left for execve(2) to close, which is cheaper than closing each.
const LEFT_OPEN: usize = 128;

/// The mounts of a container while they are made, in the child.
///
/// It changes the current folder.
pub struct Assembly<'a> {
    pub(super) root: &'a Root,
    attribute_call: AttributeCall,
    kept: Vec<Kept>,
    /// What was mounted as procfs or sysfs, by its path: see [`Assembly::of_kernel`].
    kernels: Vec<(RootedPath, Rc<Root>)>,
    /// The one that is the current folder.
    current: Option<usize>,
    /// Whether something mounted here may show up in another namespace.
    shared: bool,
    left_open: usize,
}

/// A new file system that is still needed.
struct Kept {
    /// Where it is, if nobody but this process has put anything into it, nor mounted over it.
    path: Option<RootedPath>,
    folder: OwnedFd,
    /// Whether it becomes read-only at the end.
    protect: bool,
}

/// Where a mount goes.
enum Place {
    /// A name in a file system that was kept, by its index.
    In(usize, CString),
    /// A place that was found or made.
    At(Target),
}

impl<'a> Assembly<'a> {
    /// Nothing mounted yet in this root, which is a mount itself. `shared` says whether the root
    /// is shared with another namespace.
    #[must_use]
    pub fn new(root: &'a Root, shared: bool) -> Assembly<'a> {
        Assembly::with(root, shared, AttributeCall::MountSetattr)
    }

    /// The same with the way in which attributes are set, to test the one for old kernels.
    #[must_use]
    pub fn with(root: &'a Root, shared: bool, attribute_call: AttributeCall) -> Assembly<'a> {
        let (kept, kernels) = (Vec::new(), Vec::new());
        Assembly { root, attribute_call, kept, kernels, current: None, shared, left_open: 0 }
    }

    /// Mounts one thing.
    ///
    /// # Errors
    /// See [`Error`]. What is mounted already stays; it goes with the namespace.
    pub fn mount(&mut self, mount: &Mount) -> Result<(), Error> {
        self.shared |= mount.propagation.iter().any(|it| !it.is_closed());
        match &mount.source {
            Source::New(file_system) => self.mount_new(mount, file_system),
            Source::Bind(Bind { idmap: Some(_), .. }) => {
                Err(Error::NotMapped { path: mount.target.to_string() })
            }
            Source::Bind(bind) => {
                let tree = tree::of_path(&bind.from, bind.recursive, &mount.target)?;
                self.mount_tree(mount, tree.as_fd())
            }
            Source::Remount(remount) => self.remount(mount, remount),
        }
    }

    /// Does a bind mount whose source the parent has opened, see [`Bind::open_in`].
    ///
    /// # Errors
    /// As [`Assembly::mount`].
    pub fn mount_handed(&mut self, mount: &Mount, tree: BorrowedFd<'_>) -> Result<(), Error> {
        self.shared |= mount.propagation.iter().any(|it| !it.is_closed());
        self.mount_tree(mount, tree)
    }

    /// The folder of a file system that [`Mount::keep`] kept, if it is mounted at this path.
    #[must_use]
    pub fn kept(&self, path: &RootedPath) -> Option<BorrowedFd<'_>> {
        let kept = self.kept.iter().find(|kept| kept.path.as_ref() == Some(path))?;
        Some(kept.folder.as_fd())
    }

    /// Makes read-only what had to be filled first. Nothing can be put in afterwards.
    ///
    /// # Errors
    /// The call that failed.
    pub fn finish(mut self) -> Result<(), Error> {
        for (_, root) in std::mem::take(&mut self.kernels) {
            Rc::into_inner(root).into_iter().for_each(|root| self.leave_open(root.into()));
        }
        for Kept { path, folder, protect } in std::mem::take(&mut self.kept) {
            if protect {
                let path = path.unwrap_or_else(RootedPath::root);
                self.set_attributes(folder.as_fd(), &path, Attributes::READ_ONLY)?;
            }
            self.leave_open(folder);
        }
        Ok(())
    }

    fn mount_new(&mut self, mount: &Mount, file_system: &FileSystem) -> Result<(), Error> {
        let path = &mount.target;
        let place = self.place(file_system, path)?;
        let is_tmpfs = file_system.kind.as_c_str() == c"tmpfs";
        let inherited =
            if is_tmpfs { inherited(file_system, &place, path)? } else { String::new() };
        let mut attributes = mount.attributes.then(mount.recursive);
        // Later mounts and devices need their places in it.
        let protect = is_tmpfs && attributes.is_read_only();
        if protect {
            attributes = attributes.without_read_only();
        }
        // Alone, and in a private mount, a new one is private.
        let propagates = !mount.propagation.is_empty()
            && (self.shared || mount.propagation.iter().any(|it| it.kind == Unbindable));
        let labels = file_system.label.is_some();
        let is_kernels = is_kernels(file_system);
        let is_filled = is_tmpfs && (protect || mount.keep || file_system.copy_up);
        if !(propagates || labels || is_kernels || is_filled) {
            self.mount_in_place(file_system, attributes, &place, &inherited)
                .map_err(Error::at(Step::Attach, path))?;
            self.covered(path, place);
            return Ok(());
        }
        if let (false, false, Place::At(target)) =
            (propagates || labels || is_kernels, file_system.copy_up, &place)
            && !target.linked
        {
            self.mount_in_place(file_system, attributes, &place, &inherited)
                .map_err(Error::at(Step::Attach, path))?;
            let folder = self.just_mounted(path).map_err(Error::at(Step::Attach, path))?;
            self.covered(path, place);
            self.kept.push(Kept { path: Some(path.clone()), folder, protect });
            return Ok(());
        }
        let Detached { folder, context } =
            filesystem::detached(file_system, attributes, &inherited)
                .map_err(Error::at(Step::Attach, path))?;
        self.leave_open(context);
        if let (true, Place::At(target)) = (file_system.copy_up, &place) {
            copy_up::copy(target.place.as_fd(), folder.as_fd())
                .map_err(Error::at(Step::CopyUp, path))?;
        }
        if let Some(label) = &file_system.label {
            filesystem::label(folder.as_fd(), label).map_err(Error::at(Step::Label, path))?;
        }
        self.attach(folder.as_fd(), &place, path)?;
        propagate(&mount.propagation, folder.as_fd(), path)?;
        let linked = self.covered(path, place);
        if is_kernels {
            self.kernels.push((path.clone(), Rc::new(Root::from_descriptor(folder))));
            return Ok(());
        }
        let path = (is_tmpfs && !file_system.copy_up && !linked).then(|| path.clone());
        self.kept.push(Kept { path, folder, protect });
        Ok(())
    }

    /// The procfs or sysfs that a path is in, and where in there.
    ///
    /// Its root folder is known from when it was made. By its path, whoever shares the files of the
    /// container could lead away: they rename the folder that it is mounted on, and it goes with
    /// that. In there they can rename nothing.
    pub(super) fn of_kernel(&self, path: &RootedPath) -> Option<(Rc<Root>, RootedPath)> {
        let mut all = self.kernels.iter().rev();
        all.find_map(|(top, root)| Some((Rc::clone(root), path.below(top)?)))
    }

    fn mount_tree(&mut self, mount: &Mount, tree: BorrowedFd<'_>) -> Result<(), Error> {
        let path = &mount.target;
        if path.as_c_str() == c"proc" && !is_proc(tree).map_err(Error::at(Step::Source, path))? {
            return Err(Error::NotProc { path: path.to_string() });
        }
        let place = self.place_of(path, &|| shape_of(tree, path))?;
        let (plain, recursive) = (mount.attributes, mount.recursive);
        let later = !plain.is_empty() && !self.change_bind(tree, mount)?;
        if !recursive.is_empty() {
            self.change(tree, path, true, recursive)?;
        }
        self.attach(tree, &place, path)?;
        if later {
            remount(tree, path, plain)?;
        }
        propagate(&mount.propagation, tree, path)?;
        self.covered(path, place);
        if is_for_kernels(path) {
            let tree = fcntl_dupfd_cloexec(tree, 3).or_error("fcntl", || "F_DUPFD_CLOEXEC");
            let tree = tree.map_err(Error::at(Step::Attach, path))?;
            self.kernels.push((path.clone(), Rc::new(Root::from_descriptor(tree))));
        }
        Ok(())
    }

    fn remount(&mut self, mount: &Mount, change: &Remount) -> Result<(), Error> {
        let path = &mount.target;
        let Remount { only_mount, flags, data } = change;
        let place = mounted(self.root, path, *only_mount)?;
        if *only_mount {
            self.set_attributes(place.as_fd(), path, mount.attributes)?;
        } else {
            self.current = None;
            fchdir(&place)
                .or_error("fchdir", || path.to_string())
                .map_err(Error::at(Step::Target, path))?;
            let flags = flags.mount_flags() | mount.attributes.mount_flags();
            mount_remount(c".", flags, data)
                .or_error("mount", || format!("\".\", MS_REMOUNT|{flags:?}, {data:?}"))
                .map_err(Error::at(Step::Attributes, path))?;
        }
        if !mount.recursive.is_empty() {
            self.change(place.as_fd(), path, true, mount.recursive)?;
        }
        propagate(&mount.propagation, place.as_fd(), path)?;
        self.leave_open(place);
        Ok(())
    }

    /// The place of a new file system: a folder.
    fn place(&mut self, file_system: &FileSystem, path: &RootedPath) -> Result<Place, Error> {
        if is_kernels(file_system) {
            let place = ordinary(self.root, path, &file_system.kind.to_string_lossy())?;
            return Ok(Place::At(Target { place, made: false, linked: false }));
        }
        self.place_of(path, &|| Ok(Shape::Directory))
    }

    fn place_of(
        &mut self,
        path: &RootedPath,
        shape: &dyn Fn() -> Result<Shape, Error>,
    ) -> Result<Place, Error> {
        if is_for_kernels(path) {
            let place = ordinary(self.root, path, "bind")?;
            return Ok(Place::At(Target { place, made: false, linked: false }));
        }
        if let Some((parent, name)) = path.split()
            && let Some(index) =
                self.kept.iter().position(|kept| kept.path.as_ref() == Some(&parent))
            && shape()? == Shape::Directory
        {
            // Whatever is there was put there by this process, so it is no link.
            let mode = Mode::from_raw_mode(0o755);
            match mkdirat(&self.kept[index].folder, name, mode) {
                Ok(()) | Err(Errno::EXIST) => return Ok(Place::In(index, name.to_owned())),
                result => result
                    .or_error("mkdirat", || format!("{name:?}"))
                    .map_err(Error::at(Step::Target, path))?,
            }
        }
        find_or_make(self.root, path, shape).map(Place::At)
    }

    /// Changes into the folder, and mounts there by a relative path.
    fn mount_in_place(
        &mut self,
        file_system: &FileSystem,
        attributes: Attributes,
        place: &Place,
        inherited: &str,
    ) -> Result<(), sys::Error> {
        let (folder, name, kept) = match place {
            Place::In(index, name) => (&self.kept[*index].folder, name.as_c_str(), Some(*index)),
            Place::At(target) => (&target.place, c".", None),
        };
        if kept.is_none() || self.current != kept {
            fchdir(folder).or_error("fchdir", || folder.as_raw_fd().to_string())?;
            self.current = kept;
        }
        match filesystem::mount_here(file_system, attributes, name, inherited) {
            // The same one is there already, as the cgroups are in a copy of the machine's `/sys`:
            // mount(2) refuses that, move_mount(2) does not.
            Err(error) if error.errno == Errno::BUSY => {
                let again = filesystem::detached(file_system, attributes, inherited)?;
                self.attach_to(again.folder.as_fd(), place)
            }
            result => result,
        }
    }

    /// The root of what was mounted at a path, which has no links. That, and mount(2), is cheaper
    /// than a detached mount, which takes a call for each option.
    fn just_mounted(&self, path: &RootedPath) -> Result<OwnedFd, sys::Error> {
        let folder = self.root.resolve_directory(path, Links::Refuse)?;
        let status = statx(&folder, c"", AtFlags::EMPTY_PATH, StatxFlags::empty())
            .or_error("statx", || path.to_string())?;
        if status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return Ok(folder);
        }
        // Somebody who shares the files of the container has moved it away meanwhile.
        Err(Errno::STALE).or_error("statx", || format!("{path}: not what was mounted"))
    }

    fn attach(&self, tree: BorrowedFd<'_>, place: &Place, path: &RootedPath) -> Result<(), Error> {
        self.attach_to(tree, place).map_err(Error::at(Step::Attach, path))
    }

    fn attach_to(&self, tree: BorrowedFd<'_>, place: &Place) -> Result<(), sys::Error> {
        match place {
            Place::In(index, name) => tree::attach_at(tree, self.kept[*index].folder.as_fd(), name),
            Place::At(target) => tree::attach(tree, target.place.as_fd()),
        }
    }

    /// Notes that something was mounted over a path. Returns whether that was reached by a link,
    /// so that it is not known which one it really was.
    fn covered(&mut self, path: &RootedPath, place: Place) -> bool {
        let linked = matches!(&place, Place::At(target) if target.linked);
        for kept in &mut self.kept {
            kept.path.take_if(|kept| linked || kept.starts_with(path));
        }
        self.kernels.retain(|(top, _)| !top.starts_with(path));
        if let Place::At(target) = place {
            self.leave_open(target.place);
        }
        linked
    }

    /// Of a bind mount: a user namespace may lock what its source has besides.
    fn change_bind(&mut self, tree: BorrowedFd<'_>, mount: &Mount) -> Result<bool, Error> {
        let (path, own) = (&mount.target, mount.attributes);
        let all = mount.besides.then(own);
        match self.change(tree, path, false, all) {
            Err(Error::Call { error, .. }) if error.errno == Errno::PERM && all != own => {
                self.change(tree, path, false, own)
            }
            result => result,
        }
    }

    /// Of an attached mount.
    pub(super) fn set_attributes(
        &mut self,
        mount: BorrowedFd<'_>,
        path: &RootedPath,
        attributes: Attributes,
    ) -> Result<(), Error> {
        if self.change(mount, path, false, attributes)? {
            return Ok(());
        }
        remount(mount, path, attributes)
    }

    /// Of a detached mount, if the kernel can.
    pub(super) fn change(
        &mut self,
        mount: BorrowedFd<'_>,
        path: &RootedPath,
        recursive: bool,
        attributes: Attributes,
    ) -> Result<bool, Error> {
        change(&mut self.attribute_call, mount, path, recursive, attributes)
    }

    /// Leaves a descriptor, which is close-on-exec, to execve(2), as long as there are few.
    pub(super) fn leave_open(&mut self, descriptor: OwnedFd) {
        if self.left_open < LEFT_OPEN {
            self.left_open += 1;
            _ = descriptor.into_raw_fd();
        }
    }
}

fn propagate(
    propagation: &[Propagation],
    mount: BorrowedFd<'_>,
    path: &RootedPath,
) -> Result<(), Error> {
    propagation.iter().try_for_each(|it| it.apply(mount, path))
}

/// Options for a tmpfs, before those of the user: it takes the mode of the folder that it covers,
/// and its owner too where it takes the content.
fn inherited(file_system: &FileSystem, place: &Place, path: &RootedPath) -> Result<String, Error> {
    let has_mode =
        |data: &[u8]| data.split(|byte| *byte == b',').any(|it| it.starts_with(b"mode="));
    let Place::At(Target { place, made: false, .. }) = place else { return Ok(String::new()) };
    if has_mode(file_system.data.to_bytes()) && !file_system.copy_up {
        return Ok(String::new());
    }
    let status = fstat(place)
        .or_error("fstat", || place.as_raw_fd().to_string())
        .map_err(Error::at(Step::Target, path))?;
    let mode = format!("mode={:04o}", status.st_mode & 0o7777);
    if file_system.copy_up {
        return Ok(format!("{mode},uid={},gid={}", status.st_uid, status.st_gid));
    }
    Ok(mode)
}

/// Whether a file system is one that programs trust to be the kernel's own word.
fn is_kernels(file_system: &FileSystem) -> bool {
    [c"proc", c"sysfs"].contains(&file_system.kind.as_c_str())
}

/// Whether such a file system is expected there.
fn is_for_kernels(path: &RootedPath) -> bool {
    [c"proc", c"sys"].contains(&path.as_c_str())
}

/// Whether a mount shows a folder or anything else.
fn shape_of(tree: BorrowedFd<'_>, path: &RootedPath) -> Result<Shape, Error> {
    let status = fstat(tree)
        .or_error("fstat", || tree.as_raw_fd().to_string())
        .map_err(Error::at(Step::Source, path))?;
    let is_directory = FileType::from_raw_mode(status.st_mode).is_dir();
    Ok(if is_directory { Shape::Directory } else { Shape::File })
}
