//! Whether two trees are the same, down to the last attribute.

use super::node::{Node, NodeKind, open};
use super::walk::{Child, Folder, Place};
use crate::input::FileReader;
use kernel::path::Root;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::io::Errno;
use sys::{Error, OrError};

/// Something that is not the same in both trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where; empty for the root.
    pub path: Vec<u8>,
    /// What of it.
    pub what: &'static str,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}: {}", String::from_utf8_lossy(&self.path), self.what)
    }
}

/// What of `found` is not as in `expected`; at most `most` differences.
///
/// # Errors
/// One of the trees cannot be read.
pub fn compare(expected: &Root, found: &Root, most: usize) -> Result<Vec<Difference>, Error> {
    let mut differences = Vec::new();
    let roots = [expected, found].map(|root| Node::read(root.as_fd(), b"."));
    let [expected_root, found_root] = roots;
    let what = difference(&expected_root?, &found_root?);
    differences.extend(what.map(|what| Difference { path: Vec::new(), what }));
    let mut places = vec![Place::root(1)];
    while let Some(place) = places.pop()
        && differences.len() < most
    {
        let folders = [expected, found].map(|root| Folder::of_root(root, &place));
        let [expected, found] = folders;
        let pair = Pair { expected: expected?, found: found? };
        pair.compare(&mut differences, &mut places)?;
    }
    differences.truncate(most);
    Ok(differences)
}

/// A folder in both trees.
struct Pair {
    expected: Folder,
    found: Folder,
}

impl Pair {
    fn compare(
        &self,
        differences: &mut Vec<Difference>,
        places: &mut Vec<Place>,
    ) -> Result<(), Error> {
        let mut found: BTreeMap<_, _> =
            self.found.children()?.into_iter().map(|child| (child.name.clone(), child)).collect();
        let mut add = |name: &[u8], what| {
            differences.push(Difference { path: self.expected.path_of(name), what });
        };
        for child in self.expected.children()? {
            let Some(other) = found.remove(&child.name) else {
                add(&child.name, "missing");
                continue;
            };
            if let Some(what) = difference(&child.node, &other.node) {
                add(&child.name, what);
            }
            match (&child.node.kind, &other.node.kind) {
                (NodeKind::Folder, NodeKind::Folder) => places.push(self.expected.place(&child)),
                (NodeKind::Regular { size }, NodeKind::Regular { size: other_size })
                    if size == other_size && !self.has_same_data(&child, &other)? =>
                {
                    add(&child.name, "its contents");
                }
                _ => {}
            }
        }
        found.keys().for_each(|name| add(name, "not in the layer"));
        Ok(())
    }

    fn has_same_data(&self, child: &Child, other: &Child) -> Result<bool, Error> {
        let open = |folder: Option<BorrowedFd<'_>>, child: &Child| -> Result<OwnedFd, Error> {
            let folder = folder.ok_or_else(|| Error::new("openat", "", Errno::NOENT))?;
            open(folder, &child.name, &child.node.kind)
        };
        let one = open(self.expected.in_layer(child.layer), child)?;
        let two = open(self.found.in_layer(other.layer), other)?;
        let (mut one, mut two) = (FileReader::new(one), FileReader::new(two));
        let (mut buffer, mut other_buffer) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            let count = fill(&mut one, &mut buffer)?;
            let other_count = fill(&mut two, &mut other_buffer)?;
            if buffer[..count] != other_buffer[..other_count] {
                return Ok(false);
            }
            if count == 0 {
                return Ok(true);
            }
        }
    }
}

/// Reads until the buffer is full or the file ends. A disk that cannot be read is a difference,
/// but one that the caller must hear of as it is.
fn fill(reader: &mut FileReader<OwnedFd>, buffer: &mut [u8]) -> Result<usize, Error> {
    let mut filled = 0;
    while filled < buffer.len() {
        let count = reader.read(&mut buffer[filled..]);
        let count = count.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
        match count.or_error("pread64", String::new)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// The first thing that differs, the data aside.
fn difference(expected: &Node, found: &Node) -> Option<&'static str> {
    let same_size = |one: &NodeKind, two: &NodeKind| match (one, two) {
        (NodeKind::Regular { size: one }, NodeKind::Regular { size: two }) => one == two,
        _ => true,
    };
    let kind = std::mem::discriminant::<NodeKind>;
    let checks = [
        (kind(&expected.kind) == kind(&found.kind), "its type"),
        (same_size(&expected.kind, &found.kind), "its size"),
        (expected.kind == found.kind, "what it leads to"),
        (expected.mode == found.mode, "its mode"),
        ((expected.user, expected.group) == (found.user, found.group), "its owner"),
        (expected.modified == found.modified, "its time"),
        (expected.attributes == found.attributes, "its attributes"),
        (expected.kind == NodeKind::Folder || expected.links == found.links, "its number of names"),
    ];
    checks.into_iter().find(|(is_same, _)| !is_same).map(|(_, what)| what)
}
