//! The folders of a tree, which may consist of layers as overlayfs lays them over each other.

use super::node::{Node, NodeKind, display};
use crate::unpack::{OPAQUE, PREFIX, Says, says};
use kernel::path::{Links, Root, RootedPath};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// A layer of a tree.
#[derive(Debug)]
pub struct LayerRoot {
    /// Its files.
    pub root: Root,
    /// Whether names that begin with `.wh.` say what is gone in it, as in archives: where neither a
    /// device nor an attribute could.
    pub names_say: bool,
}

impl LayerRoot {
    /// One that was unpacked: a name that says something is no file's.
    pub fn of_image(folder: OwnedFd) -> LayerRoot {
        LayerRoot { root: Root::from_descriptor(folder), names_say: true }
    }

    /// Whether a name in a folder of it says that this file is gone.
    pub fn says_gone(&self, folder: impl AsFd, name: &[u8]) -> bool {
        // What cannot be found out is not said.
        self.names_say && is_there(folder.as_fd(), &[PREFIX, name].concat()).unwrap_or(false)
    }

    /// One in which no name says anything.
    pub fn plain(root: Root) -> LayerRoot {
        LayerRoot { root, names_say: false }
    }
}

/// A folder of the tree, and the layers that it consists of, uppermost first.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: Vec<u8>,
    pub(super) layers: Vec<usize>,
}

/// A folder that was opened.
pub(super) struct Folder {
    /// One for each layer that it consists of, with the layer's number.
    parts: Vec<Part>,
    path: Vec<u8>,
}

struct Part {
    layer: usize,
    folder: OwnedFd,
    names_say: bool,
}

/// Something in a folder.
pub(super) struct Child {
    pub(super) name: Vec<u8>,
    pub(super) node: Node,
    /// The layer that it comes from.
    pub(super) layer: usize,
    /// Whether what layers below that one have in this folder is hidden.
    pub(super) is_opaque: bool,
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
    pub(super) fn open(layers: &[LayerRoot], place: &Place) -> Result<Folder, Error> {
        let part = |layer: &usize| {
            let LayerRoot { root, names_say } = &layers[*layer];
            let folder = open(root, &place.path)?;
            Ok(Part { layer: *layer, folder, names_say: *names_say })
        };
        let parts = place.layers.iter().map(part).collect::<Result<_, Error>>()?;
        Ok(Folder { parts, path: place.path.clone() })
    }

    /// The same of one tree, in which no name says anything.
    pub(super) fn of_root(root: &Root, place: &Place) -> Result<Folder, Error> {
        let part = Part { layer: 0, folder: open(root, &place.path)?, names_say: false };
        Ok(Folder { parts: vec![part], path: place.path.clone() })
    }

    /// The folder in one of its layers.
    pub(super) fn in_layer(&self, layer: usize) -> Option<BorrowedFd<'_>> {
        self.parts.iter().find(|part| part.layer == layer).map(|part| part.folder.as_fd())
    }

    /// What is in it, by name. What a layer has hides what those below it have, but for folders.
    pub(super) fn children(&self) -> Result<Vec<Child>, Error> {
        let mut children: BTreeMap<Vec<u8>, Child> = BTreeMap::new();
        let mut is_closed: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for part in &self.parts {
            for name in names(part.folder.as_fd())? {
                let Some((name, node)) = part.read(name)? else { continue };
                if is_closed.get(&name) == Some(&true) {
                    continue;
                }
                let is_folder = node.kind == NodeKind::Folder;
                let is_opaque =
                    is_folder && is_opaque(part.folder.as_fd(), &name, &node, part.names_say)?;
                is_closed.insert(name.clone(), !is_folder || is_opaque);
                match children.get_mut(&name) {
                    Some(child) if is_folder => child.layers.push(part.layer),
                    Some(_) => {}
                    None => {
                        let (layer, layers) = (part.layer, vec![part.layer]);
                        let child = Child { name: name.clone(), node, layer, is_opaque, layers };
                        children.insert(name, child);
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

impl Part {
    /// What a name in it says: of what, and what is there. Nothing if it says nothing of a file.
    fn read(&self, name: Vec<u8>) -> Result<Option<(Vec<u8>, Node)>, Error> {
        let node = Node::read(self.folder.as_fd(), &name)?;
        if !self.names_say {
            return Ok(Some((name, node)));
        }
        Ok(match (says(&name), &node.kind) {
            (Says::File, _) => Some((name, node)),
            // Where the file is there as well, it has come after.
            (Says::Gone(gone), NodeKind::Regular { .. }) if !self.has(gone)? => {
                Some((gone.to_vec(), node.into_whiteout()))
            }
            _ => None,
        })
    }

    fn has(&self, name: &[u8]) -> Result<bool, Error> {
        is_there(self.folder.as_fd(), name)
    }
}

/// What a layer has of this name in a folder of it, and whether it hides what layers below have
/// there. Nothing if it says nothing of it.
pub(super) fn look(
    layer: &LayerRoot,
    folder: BorrowedFd<'_>,
    name: &[u8],
) -> Result<Option<(Node, bool)>, Error> {
    let mark = [PREFIX, name].concat();
    match Node::read(folder, name) {
        Err(error) if error.errno != Errno::NOENT => Err(error),
        Ok(node) => {
            let is_opaque = is_opaque(folder, name, &node, layer.names_say)?;
            Ok(Some((node, is_opaque)))
        }
        Err(_) if layer.names_say && is_there(folder, &mark)? => {
            Ok(Some((Node::read(folder, &mark)?.into_whiteout(), false)))
        }
        Err(_) => Ok(None),
    }
}

fn is_opaque(
    folder: BorrowedFd<'_>,
    name: &[u8],
    node: &Node,
    names_say: bool,
) -> Result<bool, Error> {
    let is_said = || is_there(folder, &[name, b"/", OPAQUE].concat());
    Ok(node.is_opaque() || names_say && node.kind == NodeKind::Folder && is_said()?)
}

fn is_there(folder: BorrowedFd<'_>, path: &[u8]) -> Result<bool, Error> {
    match statat(folder, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(false),
        Err(errno) => Err(errno).or_error("fstatat", || display(path)),
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
