//! Mounts of an image, or of a part of a volume. They are opened by descriptors each time that the
//! program is started: who can write to a volume could make a path lead out of it, before or while
//! it is looked at.

use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders};
use crate::fuse;
use crate::rootfs::c_path;
use crate::settings::{MountKind, Settings};
use kernel::helper::Helper;
use kernel::mount::Overlay;
use kernel::path::{Links, Root, RootedPath};
use runtime::GivenMount;
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use sys::OrError;
use sys::rustix::io::Errno;
use sys::rustix::mount::{OpenTreeFlags, open_tree};

/// Something to be opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Where in the container.
    destination: String,
    /// What it is, for people.
    what: String,
    /// The folders that it consists of, the uppermost first: one of a volume, or an image's layers.
    layers: Vec<PathBuf>,
    /// The marks of the layers are those of an unprivileged user.
    user_marks: bool,
    /// Where in it; empty: all of it.
    subpath: String,
}

/// What of a container is to be opened like this.
pub(crate) fn parts(folders: &Folders, settings: &Settings, user_marks: bool) -> Vec<Part> {
    let mounts = settings.mounts.iter().filter(|mount| mount.is_opened_by_monitor());
    let part = |mount: &crate::settings::Mount| Part {
        destination: mount.target.clone(),
        what: format!("{} {}", mount.kind.name(), mount.source),
        layers: match (mount.kind, &mount.image) {
            (MountKind::Image, Some((_, layers))) => layers.clone(),
            (MountKind::Image, None) => Vec::new(),
            _ => vec![folders.volumes().join(&mount.source).join("_data")],
        },
        user_marks,
        subpath: mount.subpath.clone(),
    };
    mounts.map(part).collect()
}

impl Part {
    /// A mount of it that nobody sees yet. Several layers are laid over each other by the kernel,
    /// or where there are helpers, by one more of them.
    pub(super) fn open(
        &self,
        folder: &ContainerFolder,
        helpers: Option<&mut Vec<Helper>>,
    ) -> Result<GivenMount> {
        let failed = |why: String| Error::invalid(format!("{}: {why}", self.what));
        let tree = match &self.layers[..] {
            [] => return Err(failed("it has no files".to_owned())),
            [folder] => {
                let root = Root::open(&c_path(folder)?)?;
                copy(self.resolve(&root)?.as_fd()).or_error("open_tree", || self.what.clone())?
            }
            layers => {
                let overlay = Overlay {
                    layers: layers.iter().map(|layer| c_path(layer)).collect::<Result<_>>()?,
                    changes: None,
                    volatile: false,
                    user_marks: self.user_marks,
                    mapped_by: None,
                };
                let tree = match helpers {
                    None => overlay.detached().map_err(runtime::Error::from)?,
                    Some(helpers) => {
                        let (tree, helper) = fuse::mount_read_only(&overlay, folder)?;
                        helpers.push(helper);
                        tree
                    }
                };
                if self.subpath.is_empty() { tree } else { self.part_of(tree)? }
            }
        };
        Ok(GivenMount { destination: self.destination.clone(), tree })
    }

    /// A part of what is mounted nowhere.
    fn part_of(&self, tree: OwnedFd) -> Result<OwnedFd> {
        let root = Root::from_descriptor(tree);
        match copy(self.resolve(&root)?.as_fd()) {
            Err(Errno::INVAL) => {
                let text =
                    "a part of an image with several layers can be mounted from Linux 6.15 on";
                Err(Error::invalid(format!("{}: {text}", self.what)))
            }
            copied => Ok(copied.or_error("open_tree", || self.what.clone())?),
        }
    }

    /// Links lead nowhere but into it.
    fn resolve(&self, root: &Root) -> Result<OwnedFd> {
        let path = RootedPath::parse(format!("/{}", self.subpath))
            .map_err(|error| Error::invalid(format!("{}: {error}", self.subpath)))?;
        root.resolve(&path, Links::Follow).map_err(|error| match error.errno {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => {
                let Part { what, subpath, .. } = self;
                Error::invalid(format!("{what}: there is no {subpath} in it, which was asked for"))
            }
            _ => error.into(),
        })
    }
}

fn copy(place: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(place, c"", flags | OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::AT_RECURSIVE)
}

#[cfg(test)]
mod tests {
    use super::Part;
    use std::os::unix::fs::symlink;

    fn part(folder: &std::path::Path, subpath: &str) -> Part {
        Part {
            destination: "/x".to_owned(),
            what: "volume data".to_owned(),
            layers: vec![folder.to_owned()],
            user_marks: false,
            subpath: subpath.to_owned(),
        }
    }

    #[test]
    fn nothing_leads_out_of_it() {
        let folder = std::env::temp_dir().join(format!("part-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        symlink("/etc", folder.join("out")).unwrap();
        symlink("/inner", folder.join("in")).unwrap();
        let root = || kernel::path::Root::open(&super::c_path(&folder).unwrap()).unwrap();
        let resolve = |subpath: &str| part(&folder, subpath).resolve(&root());
        assert!(resolve("inner").is_ok() && resolve("in").is_ok());
        for wrong in ["out", "../..", "none", "out/passwd"] {
            let found = resolve(wrong);
            // `..` at the top is the top.
            assert!(found.is_err() || wrong == "../..", "{wrong}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
