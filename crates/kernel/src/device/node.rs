//! Device nodes.

use super::{Error, Folder, Step};
use crate::path::{Root, RootedPath};
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use sys::OrError;
use sys::rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fstat, major, makedev, minor,
    mknodat, openat,
};
use sys::rustix::io::Errno;
use sys::rustix::mount::{OpenTreeFlags, open_tree};

/// What kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `c`, or `u`, which the specification has for it too.
    Character,
    /// `b`.
    Block,
    /// `p`.
    Fifo,
}

/// A type that no device has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no type of a device; it must be c, u (both a character device), b or p")]
pub struct UnknownKind(String);

impl Kind {
    /// Reads the type that the runtime specification has for devices.
    ///
    /// # Errors
    /// None of them.
    pub fn parse(text: &str) -> Result<Kind, UnknownKind> {
        match text {
            "c" | "u" => Ok(Kind::Character),
            "b" => Ok(Kind::Block),
            "p" => Ok(Kind::Fifo),
            _ => Err(UnknownKind(text.to_owned())),
        }
    }

    fn file_type(self) -> FileType {
        match self {
            Kind::Character => FileType::CharacterDevice,
            Kind::Block => FileType::BlockDevice,
            Kind::Fifo => FileType::Fifo,
        }
    }
}

/// A device file to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where, in the container.
    pub path: RootedPath,
    /// What kind.
    pub kind: Kind,
    /// The number of the driver; 0 for a FIFO.
    pub major: u32,
    /// The number of the device; 0 for a FIFO.
    pub minor: u32,
    /// The permissions; bits above 0o7777 are ignored.
    pub mode: u32,
    /// The owner, an id in the container's user namespace.
    pub user: u32,
    /// The group.
    pub group: u32,
}

impl Node {
    /// Which device it is, wherever its file is and whoever owns that.
    #[must_use]
    pub fn number(&self) -> (Kind, u32, u32) {
        (self.kind, self.major, self.minor)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Character => 'c',
            Kind::Block => 'b',
            Kind::Fifo => return formatter.write_str("p"),
        };
        write!(formatter, "{kind} {}:{}", self.major, self.minor)
    }
}

/// The devices that every container has: null, zero, full, random, urandom, tty.
///
/// `others` are those of the configuration; one at the same path takes the place of a default.
/// `/dev/ptmx` is left out: it is always a link to that of the container's devpts.
#[must_use]
pub fn default_nodes(others: Vec<Node>) -> Vec<Node> {
    let defaults = [
        (c"dev/null", 1, 3),
        (c"dev/zero", 1, 5),
        (c"dev/full", 1, 7),
        (c"dev/random", 1, 8),
        (c"dev/urandom", 1, 9),
        (c"dev/tty", 5, 0),
    ];
    let mut nodes: Vec<Node> = Vec::with_capacity(defaults.len() + others.len());
    for (path, major, minor) in defaults {
        let path = RootedPath::known(path);
        if others.iter().all(|other| other.path != path) {
            let kind = Kind::Character;
            nodes.push(Node { path, kind, major, minor, mode: 0o666, user: 0, group: 0 });
        }
    }
    nodes.extend(others.into_iter().filter(|it| it.path.as_c_str() != c"dev/ptmx"));
    nodes
}

/// Makes device files. `own` are folders that this process has made (see [`Folder`]); with `bind`,
/// in a user namespace, those of the machine are mounted instead.
///
/// # Errors
/// See [`Error`]. A file that is there already is left if it is that device; otherwise the
/// machine's is mounted over it.
pub fn make_nodes<'a>(
    root: &Root,
    nodes: &[Node],
    bind: bool,
    own: impl Fn(&RootedPath) -> Option<BorrowedFd<'a>>,
) -> Result<(), Error> {
    // Most are in one folder.
    let mut last: Option<(RootedPath, Folder<'a>)> = None;
    for node in nodes {
        let Some((parent, name)) = node.path.split() else { continue };
        let folder = match last.take() {
            Some((path, folder)) if path == parent => folder,
            _ => Folder::find(root, &parent, &own)?,
        };
        if bind && node.kind != Kind::Fifo {
            mount_node(&folder, name, node)?;
        } else {
            make_node(&folder, name, node)?;
        }
        last = Some((parent, folder));
    }
    Ok(())
}

fn make_node(folder: &Folder<'_>, name: &CStr, node: &Node) -> Result<(), Error> {
    let failed = Error::at(Step::Node, &node.path);
    let arguments = || format!("{}, {name:?}, {node}", folder.as_fd().as_raw_fd());
    let mode = Mode::from_raw_mode(node.mode & 0o7777);
    let device = makedev(node.major, node.minor);
    match mknodat(folder, name, node.kind.file_type(), mode, device) {
        Ok(()) => {}
        Err(Errno::EXIST) if is_there(folder, name, node).map_err(&failed)? => return Ok(()),
        // Something else has its name, or this process may not make devices.
        Err(Errno::EXIST | Errno::PERM) if node.kind != Kind::Fifo => {
            return mount_node(folder, name, node);
        }
        result => result.or_error("mknodat", arguments).map_err(&failed)?,
    }
    if (node.user, node.group) == (0, 0) {
        return Ok(());
    }
    let (user, group) = (Some(Uid::from_raw(node.user)), Some(Gid::from_raw(node.group)));
    let changed = if folder.is_own() {
        chownat(folder, name, user, group, AtFlags::SYMLINK_NOFOLLOW)
    } else {
        // Only what was made, not what has taken its name since.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(folder, name, flags, Mode::empty())
            .or_error("openat", arguments)
            .map_err(&failed)?;
        let status = fstat(&made).or_error("fstat", arguments).map_err(&failed)?;
        if !is_node(&status, node) {
            return Err(Errno::EXIST).or_error("mknodat", arguments).map_err(failed);
        }
        chownat(&made, c"", user, group, AtFlags::EMPTY_PATH)
    };
    changed.or_error("fchownat", arguments).map_err(failed)
}

/// Mounts the machine's file of the same path, if it is that device.
fn mount_node(folder: &Folder<'_>, name: &CStr, node: &Node) -> Result<(), Error> {
    let failed = Error::at(Step::Bind, &node.path);
    let path = CString::new(node.path.to_string()).unwrap_or_default();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, &path, flags)
        .or_error("open_tree", || format!("{path:?}, OPEN_TREE_CLONE"))
        .map_err(&failed)?;
    let status = fstat(&tree).or_error("fstat", || format!("{path:?}")).map_err(&failed)?;
    if !is_node(&status, node) {
        let (path, wanted) = (node.path.to_string(), node.to_string());
        return Err(Error::OtherDevice { path, wanted });
    }
    folder.mount_file(tree.as_fd(), name).map_err(failed)
}

/// Whether a file that was there before is the device.
fn is_there(folder: &Folder<'_>, name: &CStr, node: &Node) -> Result<bool, sys::Error> {
    let status = sys::rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .or_error("fstatat", || format!("{name:?}"))?;
    Ok(is_node(&status, node))
}

fn is_node(status: &Stat, node: &Node) -> bool {
    let number = (major(status.st_rdev), minor(status.st_rdev));
    FileType::from_raw_mode(status.st_mode) == node.kind.file_type()
        && (node.kind == Kind::Fifo || number == (node.major, node.minor))
}

#[cfg(test)]
mod tests {
    use super::{Kind, Node, default_nodes};
    use crate::path::RootedPath;

    fn node(path: &str) -> Node {
        let path = RootedPath::parse(path).unwrap();
        Node { path, kind: Kind::Character, major: 10, minor: 229, mode: 0o600, user: 1, group: 2 }
    }

    #[test]
    fn every_container_has_six() {
        let nodes = default_nodes(vec![]);
        let list: Vec<_> = nodes.iter().map(|node| format!("{} {node}", node.path)).collect();
        assert_eq!(
            list,
            [
                "/dev/null c 1:3",
                "/dev/zero c 1:5",
                "/dev/full c 1:7",
                "/dev/random c 1:8",
                "/dev/urandom c 1:9",
                "/dev/tty c 5:0"
            ]
        );
        assert!(nodes.iter().all(|node| node.mode == 0o666));
    }

    #[test]
    fn the_configuration_may_replace_one_but_not_ptmx() {
        let nodes = default_nodes(vec![node("/dev/tty"), node("/dev/fuse"), node("/dev/ptmx")]);
        assert_eq!(nodes.len(), 7);
        assert!(nodes.contains(&node("/dev/tty")));
        assert!(!nodes.contains(&node("/dev/ptmx")));
    }

    #[test]
    fn types_are_those_of_the_specification() {
        assert_eq!(Kind::parse("u"), Ok(Kind::Character));
        assert_eq!(Kind::parse("b"), Ok(Kind::Block));
        let error = Kind::parse("a").unwrap_err().to_string();
        assert!(error.contains("\"a\" is no type"), "{error}");
    }
}
