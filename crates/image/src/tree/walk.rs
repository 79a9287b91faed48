//! The folders of a tree, which may consist of layers as overlayfs lays them over each other.

use super::node::{Node, NodeKind, display};
use kernel::path::{Links, Root, RootedPath};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::{Dir, Mode, OFlags, openat};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// A folder of the tree, and the layers that it consists of, uppermost first.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: Vec<u8>,
    pub(super) layers: Vec<usize>,
}

/// A folder that was opened.
pub(super) struct Folder {
    /// One for each layer that it consists of, with the layer's number.
    parts: Vec<(usize, OwnedFd)>,
    path: Vec<u8>,
}

/// Something in a folder.
pub(super) struct Child {
    pub(super) name: Vec<u8>,
    pub(super) node: Node,
    /// The layer that it comes from.
    pub(super) layer: usize,
    /// The layers that it consists of, if it is a folder.
    layers: Vec<usize>,
}

impl Place {
    /// The root of a tree of so many layers.
    pub(super) fn root(layers: usize) -> Place {
        Place { path: Vec::new(), layers: (0..layers).collect() }
    }
}

impl Folder {
    /// Opens a folder. Its path is walked anew each time, so that a deep tree takes no more
    /// descriptors than a flat one.
    pub(super) fn open(roots: &[Root], place: &Place) -> Result<Folder, Error> {
        let part = |layer: &usize| Ok((*layer, open(&roots[*layer], &place.path)?));
        let parts = place.layers.iter().map(part).collect::<Result<_, Error>>()?;
        Ok(Folder { parts, path: place.path.clone() })
    }

    /// The folder in one of its layers.
    pub(super) fn in_layer(&self, layer: usize) -> Option<BorrowedFd<'_>> {
        self.parts.iter().find(|(own, _)| *own == layer).map(|(_, folder)| folder.as_fd())
    }

    /// What is in it, by name. What a layer has hides what those below it have, but for folders.
    pub(super) fn children(&self) -> Result<Vec<Child>, Error> {
        let mut children: BTreeMap<Vec<u8>, Child> = BTreeMap::new();
        let mut is_closed: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for (layer, folder) in &self.parts {
            for name in names(folder.as_fd())? {
                if is_closed.get(&name) == Some(&true) {
                    continue;
                }
                let node = Node::read(folder.as_fd(), &name)?;
                let is_folder = node.kind == NodeKind::Folder;
                is_closed.insert(name.clone(), !is_folder || node.is_opaque());
                match children.get_mut(&name) {
                    Some(child) if is_folder => child.layers.push(*layer),
                    Some(_) => {}
                    None => {
                        let layers = vec![*layer];
                        children.insert(name.clone(), Child { name, node, layer: *layer, layers });
                    }
                }
            }
        }
        Ok(children.into_values().collect())
    }

    /// Where a folder in it is.
    pub(super) fn place(&self, child: &Child) -> Place {
        Place { path: self.path_of(&child.name), layers: child.layers.clone() }
    }

    /// The path of something in it.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { name.to_vec() } else { [&self.path[..], name].join(&b'/') }
    }
}

fn open(root: &Root, path: &[u8]) -> Result<OwnedFd, Error> {
    let place = resolve(root, path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&place, c".", flags, Mode::empty()).or_error("openat", || display(path))
}

/// The folder at a path, without following a link.
pub(super) fn resolve(root: &Root, path: &[u8]) -> Result<OwnedFd, Error> {
    let rooted = match path {
        b"" => RootedPath::root(),
        path => RootedPath::parse(path)
            .map_err(|_| Error::new("openat2", display(path), Errno::INVAL))?,
    };
    root.resolve_directory(&rooted, Links::Refuse)
}

/// The names in a folder.
pub(super) fn names(folder: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let entries = Dir::read_from(folder).or_error("getdents64", String::new)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_bytes().to_vec()));
    let names = names.collect::<Result<Vec<_>, Errno>>().or_error("getdents64", String::new)?;
    Ok(names.into_iter().filter(|name| !matches!(name.as_slice(), b"." | b"..")).collect())
}
