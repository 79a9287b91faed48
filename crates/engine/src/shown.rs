//! The files of a container, mounted where the machine sees them: `tinyo mount`.
//!
//! There are never two overlays with the same changes, as the kernel would let them spoil each other.
//! Of a container that runs a copy of its own mount is shown; one that is started while its files are
//! shown gets a copy of that mount. The mount is in RUN/mounted/ID, and goes with the container, or
//! with the machine. Whoever is killed in between has left an empty folder, or has shown the files.

use crate::database::{self, Container};
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::folders::{self, Folders};
use crate::fuse;
use crate::rootfs::{self, c_path};
use crate::status::wrong;
use kernel::mount::attach_tree;
use kernel::namespace::{Kind, visit};
use std::ffi::CStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::mount::{Change, mount_setattr};
use sys::process::send_signal;
use sys::rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use sys::rustix::io::Errno;
use sys::rustix::mount::{MountPropagationFlags, OpenTreeFlags, UnmountFlags, open_tree, unmount};

impl Engine {
    /// Shows the files of a container in a folder of the machine, unless they are shown already.
    /// What is mounted in it is not among them.
    ///
    /// # Errors
    /// The caller is not root, or the container has ids of its own.
    pub fn show_files(&self, container: &Container) -> Result<PathBuf> {
        let why_not = match () {
            () if self.user_marks => "only root's are seen by others",
            () if !container.settings.namespaces.ids.is_empty() => "it has ids of its own",
            () if fuse::has_made_changes(&self.folder(container)) => "fuse-overlayfs serves them",
            () => "",
        };
        if !why_not.is_empty() {
            let text = "`tinyo cp` copies files, `tinyo export` all of them";
            let name = &container.name;
            let message = format!("the files of {name} cannot be mounted, as {why_not}: {text}");
            return Err(Error::Invalid(message));
        }
        self.look(container)?;
        let _lock = self.lock(container)?;
        let seen = self.look_settled(container)?.ok_or(Error::MonitorDied)?;
        let place = place(&self.folders, &container.id);
        if is_mounted(&place)? {
            return Ok(place);
        }
        folders::make(&place)?;
        let target = c_path(&place)?;
        if seen.status.is_running() {
            self.attach_running(container, &target)?;
        } else if seen.status.is_over() {
            let folder = self.folder(container);
            let overlay = rootfs::overlay(&self.folders, &folder, &container.layers, false, false)?;
            let tree = overlay.detached().map_err(runtime::Error::from)?;
            attach(&tree, &target)?;
        } else {
            return Err(wrong(container, "mount", &seen));
        }
        Ok(place)
    }

    /// Of a container that runs, and goes on running meanwhile: else its monitor may have made another
    /// overlay, which nobody has seen.
    fn attach_running(&self, container: &Container, target: &CStr) -> Result<()> {
        let opened =
            runtime::Container::open(&self.folders.runtime(), &runtime_id(&container.id)?)?;
        let ended = || Error::invalid(format!("container {} has just ended", container.name));
        let process = opened.pidfd()?.ok_or_else(ended)?;
        let tree = visit(process.as_fd(), Kind::Mount, || copy(c"/"));
        let tree = tree.map_err(runtime::Error::from)?.or_error("open_tree", || "/")?;
        attach(&tree, target)?;
        if send_signal(process.as_fd(), 0).is_err() {
            hide(&self.folders, &container.id, true)?;
            return Err(ended());
        }
        Ok(())
    }

    /// Shows them no longer. With `force` even if somebody uses them, who goes on seeing them. False
    /// if they were not shown.
    ///
    /// # Errors
    /// Somebody uses them.
    pub fn hide_files(&self, container: &Container, force: bool) -> Result<bool> {
        let _lock = self.lock(container)?;
        hide(&self.folders, &container.id, force).map_err(|error| match error {
            Error::Call(error) if error.errno == Errno::BUSY => Error::invalid(format!(
                "somebody uses the files of container {}: --force unmounts them all the same",
                container.name
            )),
            error => error,
        })
    }

    /// Where the files of a container are shown, if they are.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub fn shown_files(&self, container: &Container) -> Result<Option<PathBuf>> {
        let place = place(&self.folders, &container.id);
        Ok(is_mounted(&place)?.then_some(place))
    }

    /// The ids of containers whose files are shown, or are about to be.
    pub(crate) fn all_shown(&self) -> Result<Vec<String>> {
        crate::sweep::names(&folder(&self.folders))
    }

    /// Hides those of containers that are none any more.
    pub(crate) fn hide_strangers(&self) -> Result<()> {
        for id in self.all_shown()? {
            if database::is_gone(&self.store, &id)? {
                hide(&self.folders, &id, true)?;
            }
        }
        Ok(())
    }
}

fn folder(folders: &Folders) -> PathBuf {
    folders.run().join(folders::MOUNTED)
}

fn place(folders: &Folders, id: &str) -> PathBuf {
    folder(folders).join(id)
}

/// What is shown of a container, to be its root: a mount that nobody sees yet.
pub(crate) fn copy_of_shown(folders: &Folders, id: &str) -> Result<Option<OwnedFd>> {
    let place = place(folders, id);
    if !is_mounted(&place)? {
        return Ok(None);
    }
    let path = c_path(&place)?;
    let tree = copy(&path).or_error("open_tree", || format!("{path:?}"))?;
    // Whoever has shown it may have been killed before he had done that.
    keep_to_itself(&tree)?;
    Ok(Some(tree))
}

/// Hides what is shown of a container. Nobody starts or shows it meanwhile.
pub(crate) fn hide(folders: &Folders, id: &str, force: bool) -> Result<bool> {
    let place = place(folders, id);
    let mut flags = UnmountFlags::NOFOLLOW;
    if force {
        flags |= UnmountFlags::DETACH;
    }
    let was_shown = match unmount(&place, flags) {
        Ok(()) => true,
        Err(Errno::NOENT) => return Ok(false),
        // Nothing is mounted there.
        Err(Errno::INVAL) => false,
        // Nobody without rights has shown anything.
        Err(Errno::PERM) => return Ok(false),
        Err(errno) => return Err(sys::Error::new("umount2", format!("{place:?}"), errno).into()),
    };
    match std::fs::remove_dir(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { path: place, error })
        }
        _ => Ok(was_shown),
    }
}

/// What a container mounts in its root is nothing for the machine, to which mounts below a shared one
/// would be passed on.
fn attach(tree: &OwnedFd, target: &CStr) -> Result<()> {
    attach_tree(tree, target).map_err(runtime::Error::from)?;
    keep_to_itself(tree)
}

fn keep_to_itself(tree: &OwnedFd) -> Result<()> {
    let propagation = MountPropagationFlags::PRIVATE.bits().into();
    let change = Change { propagation, ..Change::default() };
    Ok(mount_setattr(tree.as_fd(), c"", false, &change)
        .or_error("mount_setattr", || "MS_PRIVATE")?)
}

fn copy(path: &CStr) -> Result<OwnedFd, Errno> {
    open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

fn is_mounted(place: &Path) -> Result<bool> {
    match statx(CWD, place, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()) {
        Ok(found) => Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(sys::Error::new("statx", format!("{place:?}"), errno).into()),
    }
}
