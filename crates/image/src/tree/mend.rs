//! Folders that a layer puts files into without saying what they are like.
//!
//! They were unpacked with a default owner and mode, which overlayfs shows instead of what a layer
//! below says: a `/tmp` that nobody can write to, because the layer above has a file in it. So
//! whoever lays layers over each other has to say it once more above them all.

use super::node::{Node, NodeKind, display};
use super::pack::entry;
use super::walk::{LayerRoot, look, resolve};
use crate::tar::{Entry, Kind, Name};
use crate::unpack::{make_like, set_file_times};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::fs::{Mode, OFlags, mkdirat, openat};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// Paths of folders.
pub(crate) type Paths = BTreeSet<Vec<u8>>;

/// What folders are really like, by path. The folders above those that a layer leaves unsaid are
/// among them; a root is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mends(BTreeMap<Vec<u8>, Node>);

impl Mends {
    /// Looks for them. `layers` are uppermost first, and `implied` says of each one which of its
    /// folders it says nothing of.
    ///
    /// # Errors
    /// A layer cannot be read.
    pub(crate) fn find(layers: &[LayerRoot], implied: &[Paths]) -> Result<Mends, Error> {
        let mut mends = Mends::default();
        for path in implied.iter().flatten().collect::<BTreeSet<_>>() {
            let consists_of = folder_in(layers, path)?;
            let says = consists_of.iter().find(|layer| !implied[**layer].contains(path));
            // The uppermost one says it, or none at all does.
            if says.is_none() || says == consists_of.first() {
                continue;
            }
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            for end in ends.map(|(end, _)| end).chain([path.len()]) {
                mends.add(layers, implied, &path[..end])?;
            }
        }
        Ok(mends)
    }

    fn add(&mut self, layers: &[LayerRoot], implied: &[Paths], path: &[u8]) -> Result<(), Error> {
        let consists_of = folder_in(layers, path)?;
        let says = consists_of.iter().find(|layer| !implied[**layer].contains(path));
        if let Some(layer) = says.or(consists_of.first()) {
            let folder = resolve(&layers[*layer].root, path)?;
            self.0.insert(path.to_vec(), Node::read(folder.as_fd(), b".")?);
        }
        Ok(())
    }

    /// What a folder is like, if its layer does not say it.
    pub(super) fn of(&self, path: &[u8]) -> Option<&Node> {
        self.0.get(path)
    }

    /// Makes the folders in an empty one, which lies above all layers.
    ///
    /// # Errors
    /// One cannot be made.
    pub(crate) fn make(&self, upper: BorrowedFd<'_>) -> Result<(), Error> {
        // A folder sorts before what is in it.
        let mut made = Vec::new();
        for (path, node) in &self.0 {
            let folder = make_folder(upper, path)?;
            make_like(folder.as_fd(), &folder_entry(path, node))?;
            made.push((folder, node));
        }
        for (folder, node) in made {
            set_file_times(folder.as_fd(), node.modified, None)?;
        }
        Ok(())
    }
}

/// Gives a folder the owner, mode, attributes and time that another one has.
///
/// # Errors
/// One of the two cannot be read or changed.
pub(crate) fn make_alike(folder: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Result<(), Error> {
    let mut node = Node::read(other, b".")?;
    match make_like(folder, &folder_entry(b"", &node)) {
        // A user namespace lacks the owner, as that of the machine's own files: there it is root.
        Err(error) if error.errno == Errno::INVAL => {
            (node.user, node.group) = (0, 0);
            make_like(folder, &folder_entry(b"", &node))?;
        }
        result => result?,
    }
    set_file_times(folder, node.modified, None)
}

fn folder_entry(path: &[u8], node: &Node) -> Entry {
    entry(node, Name::new(path).unwrap_or_default(), Kind::Folder)
}

/// Nobody else writes to the folder, so each part is what was made here before.
fn make_folder(upper: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = openat(upper, c".", flags, Mode::empty()).or_error("openat", String::new)?;
    for name in path.split(|byte| *byte == b'/') {
        match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            result => result.or_error("mkdirat", || display(path))?,
        }
        folder =
            openat(&folder, name, flags, Mode::empty()).or_error("openat", || display(path))?;
    }
    Ok(folder)
}

/// The layers that a folder consists of, uppermost first; none if it is no folder, or is gone.
fn folder_in(layers: &[LayerRoot], path: &[u8]) -> Result<Vec<usize>, Error> {
    let mut consists_of: Vec<usize> = (0..layers.len()).collect();
    let mut above: &[u8] = b"";
    for name in path.split(|byte| *byte == b'/') {
        let mut next = Vec::new();
        for layer in consists_of {
            let folder = resolve(&layers[layer].root, above)?;
            let Some((node, is_opaque)) = look(&layers[layer], folder.as_fd(), name)? else {
                continue;
            };
            if node.kind != NodeKind::Folder {
                break;
            }
            next.push(layer);
            if is_opaque {
                break;
            }
        }
        consists_of = next;
        let end = if above.is_empty() { name.len() } else { above.len() + 1 + name.len() };
        above = &path[..end];
    }
    Ok(consists_of)
}
