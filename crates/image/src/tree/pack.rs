//! From a tree to an archive.

use super::Mends;
use super::node::{Node, NodeKind, open};
use super::walk::{Child, Folder, LayerRoot, Place};
use crate::input::FileReader;
use crate::tar::{Entry, Kind, Name, Writer};
use crate::unpack::{Owners, is_ignored_attribute};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// What an archive is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// All files, as a container sees them.
    Files,
    /// The same, but for the root itself: whoever unpacks it keeps the folder as it is.
    Below,
    /// What one layer changes, as layers say it: names that begin with `.wh.` are of what is gone.
    Changes,
}

/// Writes a tree into an archive: layers, uppermost first, laid over each other. The same tree
/// gives the same bytes. Sockets are left away, for no archive has them. `owners` says whom files
/// belong to in the archive; those of others are nobody's.
///
/// A folder's entry is followed by all that is in it: tar sets the folder's time when it comes
/// across something else, and would not do so again.
///
/// # Errors
/// The tree cannot be read, or the archive not written; a name means something else in layers.
pub fn pack<Sink: Write>(
    layers: &[LayerRoot],
    mends: &Mends,
    content: Content,
    owners: &Owners,
    writer: &mut Writer<Sink>,
) -> io::Result<()> {
    let mut packing = Packing { mends, content, owners, writer, first_names: BTreeMap::new() };
    let Some(top) = layers.first() else { return Ok(()) };
    let node = Node::read(top.root.as_fd(), b".").map_err(io::Error::other)?;
    let mut folders =
        vec![(Place::root(layers.len()), vec![entry(&node, Name::default(), Kind::Folder)])];
    if content == Content::Below {
        folders[0].1.clear();
    }
    while let Some((place, entries)) = folders.pop() {
        entries.into_iter().try_for_each(|entry| packing.put(entry))?;
        let folder = Folder::open(layers, &place).map_err(io::Error::other)?;
        let mut below = Vec::new();
        for child in folder.children().map_err(io::Error::other)? {
            if child.node.kind == NodeKind::Folder {
                below.push((folder.place(&child), packing.folder(&folder, &child)?));
            } else {
                packing.child(&folder, &child)?;
            }
        }
        // The first one is to be the next.
        folders.extend(below.into_iter().rev());
    }
    Ok(())
}

/// A user and a group on every Linux.
const NOBODY: u32 = 65_534;

struct Packing<'a, Sink> {
    mends: &'a Mends,
    content: Content,
    owners: &'a Owners,
    writer: &'a mut Writer<Sink>,
    /// What files with several names were called first.
    first_names: BTreeMap<(usize, (u64, u64)), Name>,
}

impl<Sink: Write> Packing<'_, Sink> {
    fn put(&mut self, mut entry: Entry) -> io::Result<()> {
        let owner = self.owners.outside(entry.user, entry.group);
        (entry.user, entry.group) = owner.unwrap_or((NOBODY, NOBODY));
        self.writer.entry(&entry)
    }

    /// The entries of a folder, in front of all that is in it.
    fn folder(&self, above: &Folder, child: &Child) -> io::Result<Vec<Entry>> {
        let name = self.name(above, child)?;
        let node = self.mends.of(name.as_bytes()).unwrap_or(&child.node);
        let mut entries = vec![entry(node, name, Kind::Folder)];
        if self.content == Content::Changes && child.is_opaque {
            let opaque = [&child.name[..], b"/.wh..wh..opq"].concat();
            entries.push(mark(above, child, &opaque)?);
        }
        Ok(entries)
    }

    /// Anything else.
    fn child(&mut self, folder: &Folder, child: &Child) -> io::Result<()> {
        if child.node.is_whiteout() {
            if self.content == Content::Changes {
                let gone = [b".wh.", &child.name[..]].concat();
                self.put(mark(folder, child, &gone)?)?;
            }
            return Ok(());
        }
        let name = self.name(folder, child)?;
        if child.node.links > 1 {
            let file = (child.layer, child.node.inode);
            if let Some(first) = self.first_names.get(&file) {
                let entry = entry(&child.node, name, Kind::HardLink(first.clone()));
                return self.put(entry);
            }
            self.first_names.insert(file, name.clone());
        }
        let node = self.mends.of(name.as_bytes()).unwrap_or(&child.node);
        let kind = match &node.kind {
            NodeKind::Regular { .. } => Kind::Regular,
            NodeKind::Folder => Kind::Folder,
            NodeKind::Link(target) => Kind::SymbolicLink(target.clone()),
            NodeKind::CharacterDevice(major, minor) => Kind::CharacterDevice(*major, *minor),
            NodeKind::BlockDevice(major, minor) => Kind::BlockDevice(*major, *minor),
            NodeKind::Fifo => Kind::Fifo,
            NodeKind::Socket => return Ok(()),
        };
        self.put(entry(node, name, kind))?;
        match (&child.node.kind, folder.in_layer(child.layer)) {
            (NodeKind::Regular { .. }, Some(place)) => self.data(place, child),
            _ => Ok(()),
        }
    }

    fn name(&self, folder: &Folder, child: &Child) -> io::Result<Name> {
        if self.content == Content::Changes && child.name.starts_with(b".wh.") {
            let name = String::from_utf8_lossy(&child.name).into_owned();
            return Err(io::Error::other(format!("{name:?} means that something is gone")));
        }
        name(&folder.path_of(&child.name))
    }

    fn data(&mut self, folder: BorrowedFd<'_>, child: &Child) -> io::Result<()> {
        let file = open(folder, &child.name, &child.node.kind).map_err(io::Error::other)?;
        let mut reader = FileReader::new(file);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(()),
                count => self.writer.data(&buffer[..count])?,
            }
        }
    }
}

/// An empty file whose name says something.
fn mark(folder: &Folder, child: &Child, mark: &[u8]) -> io::Result<Entry> {
    let entry = Entry::new(name(&folder.path_of(mark))?, Kind::Regular, 0);
    Ok(Entry { modified: child.node.modified, ..entry })
}

fn name(path: &[u8]) -> io::Result<Name> {
    Name::new(path).map_err(io::Error::other)
}

pub(super) fn entry(node: &Node, name: Name, kind: Kind) -> Entry {
    let size = match (&kind, &node.kind) {
        (Kind::Regular, NodeKind::Regular { size }) => *size,
        _ => 0,
    };
    let attributes = node.attributes.iter().filter(|(name, _)| !is_ignored_attribute(name));
    Entry {
        name,
        kind,
        mode: node.mode,
        user: node.user,
        group: node.group,
        modified: node.modified,
        accessed: None,
        size,
        fragments: None,
        attributes: attributes.cloned().collect(),
    }
}
