//! From a tree to an archive.

use super::Mends;
use super::node::{Node, NodeKind, open};
use super::walk::{Child, Folder, Place};
use crate::input::FileReader;
use crate::tar::{Entry, Kind, Name, Writer};
use crate::unpack::is_ignored_attribute;
use kernel::path::Root;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// What an archive is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// All files, as a container sees them.
    Files,
    /// What one layer changes, as layers say it: names that begin with `.wh.` are of what is gone.
    Changes,
}

/// Writes a tree into an archive: layers, uppermost first, laid over each other. The same tree
/// gives the same bytes. Sockets are left away, for no archive has them.
///
/// # Errors
/// The tree cannot be read, or the archive not written; a name means something else in layers.
pub fn pack<Sink: Write>(
    layers: &[Root],
    mends: &Mends,
    content: Content,
    writer: &mut Writer<Sink>,
) -> io::Result<()> {
    let mut packing = Packing { mends, content, writer, first_names: BTreeMap::new() };
    let Some(top) = layers.first() else { return Ok(()) };
    packing.write(&Node::read(top.as_fd(), b".").map_err(io::Error::other)?, Name::default())?;
    let mut places = vec![Place::root(layers.len())];
    while let Some(place) = places.pop() {
        let folder = Folder::open(layers, &place).map_err(io::Error::other)?;
        let mut folders = Vec::new();
        for child in folder.children().map_err(io::Error::other)? {
            packing.child(&folder, &child)?;
            if child.node.kind == NodeKind::Folder {
                folders.push(folder.place(&child));
            }
        }
        // The first one is to be the next.
        places.extend(folders.into_iter().rev());
    }
    Ok(())
}

struct Packing<'a, Sink> {
    mends: &'a Mends,
    content: Content,
    writer: &'a mut Writer<Sink>,
    /// What files with several names were called first.
    first_names: BTreeMap<(usize, (u64, u64)), Name>,
}

impl<Sink: Write> Packing<'_, Sink> {
    fn child(&mut self, folder: &Folder, child: &Child) -> io::Result<()> {
        if child.node.is_whiteout() {
            return match self.content {
                Content::Files => Ok(()),
                Content::Changes => self.mark(folder, child, &[b".wh.", &child.name[..]].concat()),
            };
        }
        if self.content == Content::Changes && child.name.starts_with(b".wh.") {
            let name = String::from_utf8_lossy(&child.name).into_owned();
            return Err(io::Error::other(format!("{name:?} means that something is gone")));
        }
        let name = name(&folder.path_of(&child.name))?;
        if child.node.links > 1 && child.node.kind != NodeKind::Folder {
            let file = (child.layer, child.node.inode);
            if let Some(first) = self.first_names.get(&file) {
                let entry = entry(&child.node, name, Kind::HardLink(first.clone()));
                return self.writer.entry(&entry);
            }
            self.first_names.insert(file, name.clone());
        }
        let node = self.mends.of(name.as_bytes()).unwrap_or(&child.node);
        self.write(node, name)?;
        if let NodeKind::Regular { .. } = child.node.kind
            && let Some(place) = folder.in_layer(child.layer)
        {
            self.data(place, child)?;
        }
        if self.content == Content::Changes && child.node.is_opaque() {
            let opaque = [&child.name[..], b"/.wh..wh..opq"].concat();
            self.mark(folder, child, &opaque)?;
        }
        Ok(())
    }

    fn write(&mut self, node: &Node, name: Name) -> io::Result<()> {
        let kind = match &node.kind {
            NodeKind::Regular { .. } => Kind::Regular,
            NodeKind::Folder => Kind::Folder,
            NodeKind::Link(target) => Kind::SymbolicLink(target.clone()),
            NodeKind::CharacterDevice(major, minor) => Kind::CharacterDevice(*major, *minor),
            NodeKind::BlockDevice(major, minor) => Kind::BlockDevice(*major, *minor),
            NodeKind::Fifo => Kind::Fifo,
            NodeKind::Socket => return Ok(()),
        };
        self.writer.entry(&entry(node, name, kind))
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

    /// An empty file whose name says something.
    fn mark(&mut self, folder: &Folder, child: &Child, mark: &[u8]) -> io::Result<()> {
        self.writer.entry(&Entry {
            name: name(&folder.path_of(mark))?,
            kind: Kind::Regular,
            mode: 0,
            user: 0,
            group: 0,
            modified: child.node.modified,
            accessed: None,
            size: 0,
            fragments: None,
            attributes: Vec::new(),
        })
    }
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
