//! Layers seen as one file system: overlayfs, mounted nowhere until it is the container's root.

use super::root::close_parent;
use super::{Error, Propagation, PropagationKind, Step, tree};
use crate::path::Root;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use sys::OrError;
use sys::identity::FileIdentity;
use sys::mount::{Change, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NODEV, mount_setattr};
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::Errno;
use sys::rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use sys::rustix::process::{chdir, fchdir};

/// What the kernel says where it has no overlayfs, not for this user (before Linux 5.11, or as a
/// security module wants it), or not on this file system.
const REFUSALS: [Errno; 6] =
    [Errno::NODEV, Errno::NOSYS, Errno::PERM, Errno::ACCESS, Errno::INVAL, Errno::OPNOTSUPP];

/// An overlay that can be mounted.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// Folders that are only read, the uppermost first; at least one.
    pub layers: Vec<CString>,
    /// Where changes go, and an empty folder on the same disk; without them it is read-only, and
    /// two layers are the least.
    pub changes: Option<(CString, CString)>,
    /// Nothing is written to the disk when it is unmounted: for changes that are thrown away.
    pub volatile: bool,
    /// The marks of the layers are in `user.overlay.*`, as an unprivileged user has unpacked them.
    pub user_marks: bool,
    /// How ids are mapped ([`Overlay::detached_mapped`]): on the disk they are those that the
    /// container's processes see.
    pub mapped_by: Option<Rc<Mapped>>,
}

/// The ids of a user namespace.
#[derive(Debug)]
pub struct Mapped {
    /// The namespace; none where the files have its ids on the disk, for who cannot map mounts.
    pub namespace: Option<OwnedFd>,
    /// The user and the group on the machine that are its root.
    pub root: (u32, u32),
}

/// The folders of an overlay, open.
#[derive(Debug)]
pub struct Layers {
    /// Those that are only read, the uppermost first.
    pub layers: Vec<OwnedFd>,
    /// Where changes go, and the folder for that.
    pub changes: Option<(OwnedFd, OwnedFd)>,
}

impl Overlay {
    /// Mounts it where nobody sees it; the descriptor is of its root.
    ///
    /// The folders are opened here, since they must be in the mount namespace of whoever mounts
    /// it. They are named by their descriptors: paths may be too long for the kernel, and may have
    /// commas and colons in them, and nobody learns from the mount where they are.
    ///
    /// # Errors
    /// [`Error::Refused`]; ENOENT for a folder, E2BIG for more layers than this kernel takes.
    pub fn detached(&self) -> Result<OwnedFd, Error> {
        let layers = self.open().map_err(Error::at(Step::Source, &self.shown()))?;
        self.mounted(&layers, MountAttrFlags::empty())
    }

    /// Opens its folders.
    ///
    /// # Errors
    /// ENOENT, EACCES.
    pub fn open(&self) -> Result<Layers, sys::Error> {
        let layers = self.layers.iter().map(|layer| open(layer)).collect::<Result<_, _>>()?;
        let changes = match &self.changes {
            Some((upper, work)) => Some((open(upper)?, open(work)?)),
            None => None,
        };
        Ok(Layers { layers, changes })
    }

    /// What errors call it by.
    fn shown(&self) -> String {
        let uppermost = self.changes.as_ref().map(|(upper, _)| upper).or(self.layers.first());
        uppermost.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The same with ids mapped, Linux 5.19, by who is root on the machine. Device files in it do
    /// not work.
    ///
    /// Its folders are mounted at `place`, one above the other, as kernels before 6.15 take none of
    /// a mount that is nowhere. The caller is in a mount namespace that ends soon.
    ///
    /// # Errors
    /// As [`Overlay::detached`]; [`Error::NeverMapped`].
    pub fn detached_mapped(&self, mapped: &Mapped, place: &CStr) -> Result<OwnedFd, Error> {
        let Some(namespace) = &mapped.namespace else {
            return self.detached();
        };
        let private = Propagation { kind: PropagationKind::Private, recursive: true };
        let shown = place.to_string_lossy();
        let failed = Error::at(Step::AttachRoot, &shown);
        private.apply_to_path(c"/").map_err(&failed)?;
        let map = |folder: &CStr| {
            let tree = map_tree(folder, namespace.as_fd())?;
            attach(&tree, place).map_err(&failed)?;
            Ok(tree)
        };
        let layers = self.layers.iter().map(|layer| map(layer)).collect::<Result<_, Error>>()?;
        let changes = match &self.changes {
            Some((upper, work)) => {
                // Both must be of one mount.
                let (folder, [upper, work]) = split(upper, work).map_err(&failed)?;
                let tree = map(&folder)?;
                let open = |name| open_at(tree.as_fd(), name).map_err(&failed);
                Some((open(upper)?, open(work)?))
            }
            None => None,
        };
        let folders = Layers { layers, changes };
        // The kernel makes files in the work folder as whoever has mounted it, who must be somebody
        // there.
        let (user, group) = mapped.root;
        let _identity = FileIdentity::take(user, group)
            .or_error("setfsuid", || format!("{user}, {group}"))
            .map_err(&failed)?;
        self.mounted(&folders, MountAttrFlags::MOUNT_ATTR_NODEV)
    }

    fn mounted(&self, folders: &Layers, attributes: MountAttrFlags) -> Result<OwnedFd, Error> {
        let context = match self.created(folders, set_list) {
            // More layers than the option has room for. To try the other one first would write a
            // line about it into the log of each kernel before 6.8.
            Err(error) if error.errno == Errno::INVAL => self.created(folders, set_each),
            result => result,
        };
        let mounted = context.and_then(|context| {
            fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
                .or_error("fsmount", || "\"overlay\"")
        });
        mounted.map_err(|error| match error.errno {
            errno if REFUSALS.contains(&errno) => Error::Refused { path: self.shown(), error },
            _ => Error::at(Step::AttachRoot, &self.shown())(error),
        })
    }

    fn created(
        &self,
        folders: &Layers,
        set_layers: fn(BorrowedFd<'_>, &[OwnedFd]) -> Result<(), sys::Error>,
    ) -> Result<OwnedFd, sys::Error> {
        let opened =
            fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).or_error("fsopen", || "\"overlay\"")?;
        let context = opened.as_fd();
        set(context, c"source", "overlay")?;
        if let Some((upper, work)) = &folders.changes {
            set(context, c"upperdir", &path(upper))?;
            set(context, c"workdir", &path(work))?;
            if self.volatile {
                set_flag(context, c"volatile")?;
            }
        }
        if self.user_marks {
            set_flag(context, c"userxattr")?;
        }
        set_layers(context, &folders.layers)?;
        Ok(opened)
    }
}

/// A copy of the mount of a folder, with its ids mapped.
fn map_tree(folder: &CStr, mapping: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let shown = folder.to_string_lossy();
    let tree = tree::of_path(folder, false, &shown)?;
    let change = Change {
        set: MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV,
        user_namespace: Some(mapping),
        ..Change::default()
    };
    let mapped = mount_setattr(tree.as_fd(), c"", false, &change);
    mapped.or_error("mount_setattr", || format!("{folder:?}, MOUNT_ATTR_IDMAP")).map_err(
        |error| match error.errno {
            Errno::INVAL => Error::NeverMapped { path: shown.to_string(), error },
            _ => Error::at(Step::IdMap, &shown)(error),
        },
    )?;
    Ok(tree)
}

/// The folder that two paths are in, and their names there.
fn split<'a>(one: &'a CStr, other: &'a CStr) -> Result<(CString, [&'a CStr; 2]), sys::Error> {
    let halves = |path: &'a CStr| {
        let slash = path.to_bytes().iter().rposition(|byte| *byte == b'/')?;
        let name = CStr::from_bytes_with_nul(&path.to_bytes_with_nul()[slash + 1..]).ok()?;
        Some((CString::new(&path.to_bytes()[..slash]).ok()?, name))
    };
    match (halves(one), halves(other)) {
        (Some((folder, one)), Some((same, other))) if folder == same => Ok((folder, [one, other])),
        _ => Err(sys::Error::new("open_tree", format!("{one:?}, {other:?}"), Errno::XDEV)),
    }
}

/// One option a layer, from Linux 6.8 on.
fn set_each(context: BorrowedFd<'_>, layers: &[OwnedFd]) -> Result<(), sys::Error> {
    layers.iter().try_for_each(|layer| set(context, c"lowerdir+", &path(layer)))?;
    create(context)
}

/// All layers in one option, which has 255 bytes: their numbers, in the folder that has a link of
/// this name for each descriptor.
fn set_list(context: BorrowedFd<'_>, layers: &[OwnedFd]) -> Result<(), sys::Error> {
    let numbers: Vec<String> = layers.iter().map(|layer| layer.as_raw_fd().to_string()).collect();
    let here = open(c".")?;
    chdir(c"/proc/self/fd").or_error("chdir", || "\"/proc/self/fd\"")?;
    let result = set(context, c"lowerdir", &numbers.join(":")).and_then(|()| create(context));
    fchdir(&here).or_error("fchdir", || "the folder from before")?;
    result
}

/// Mounts an overlay on a folder of the machine, in the caller's mount namespace alone; see
/// [`super::attach_root`].
///
/// # Errors
/// As [`Overlay::detached`]; ENOENT for the path.
pub fn attach_overlay(
    overlay: &Overlay,
    target: &CStr,
    isolation: Propagation,
) -> Result<Root, Error> {
    let shown = target.to_string_lossy();
    let failed = Error::at(Step::AttachRoot, &shown);
    if !(isolation.is_closed() && isolation.recursive) {
        close_parent(target).map_err(&failed)?;
    }
    let tree = overlay.detached()?;
    attach(&tree, target).map_err(&failed)?;
    Ok(Root::from_descriptor(tree))
}

/// Mounts what [`Overlay::detached_mapped`] has made on a folder of the machine, in the caller's
/// mount namespace: the container's, visited by its parent, since its own process may not find the
/// folder.
///
/// # Errors
/// ENOENT for the path; EPERM without CAP_SYS_ADMIN over the mount namespace.
pub fn attach_tree(tree: &OwnedFd, target: &CStr) -> Result<(), Error> {
    attach(tree, target).map_err(Error::at(Step::AttachRoot, &target.to_string_lossy()))
}

fn attach(tree: &OwnedFd, target: &CStr) -> Result<(), sys::Error> {
    move_mount(tree, c"", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .or_error("move_mount", || format!("{target:?}"))
}

fn open(path: &CStr) -> Result<OwnedFd, sys::Error> {
    open_at(CWD, path)
}

fn open_at(folder: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, sys::Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(folder, path, flags, Mode::empty()).or_error("openat", || format!("{path:?}"))
}

impl Layers {
    /// Paths by which this process, and whoever inherits them, finds those that are only read.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        self.layers.iter().map(path)
    }

    /// The same of the folder for changes, and the one that goes with it.
    #[must_use]
    pub fn paths_of_changes(&self) -> Option<(String, String)> {
        self.changes.as_ref().map(|(upper, work)| (path(upper), path(work)))
    }

    /// All of them.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let changes = self.changes.iter().flat_map(|(upper, work)| [upper.as_fd(), work.as_fd()]);
        self.layers.iter().map(AsFd::as_fd).chain(changes)
    }
}

fn path(folder: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", folder.as_raw_fd())
}

fn create(context: BorrowedFd<'_>) -> Result<(), sys::Error> {
    fsconfig_create(context).or_error("fsconfig", || "\"overlay\", FSCONFIG_CMD_CREATE")
}

fn set(context: BorrowedFd<'_>, key: &CStr, value: &str) -> Result<(), sys::Error> {
    fsconfig_set_string(context, key, value).or_error("fsconfig", || format!("{key:?}, {value:?}"))
}

fn set_flag(context: BorrowedFd<'_>, key: &CStr) -> Result<(), sys::Error> {
    fsconfig_set_flag(context, key).or_error("fsconfig", || format!("{key:?}"))
}
