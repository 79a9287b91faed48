//! Which namespaces a container gets.

use super::Invalid;
use kernel::namespace::{ClockOffset, IdMap, Kind, Set};
use spec::runtime::{IdMapping, Linux, NamespaceKind};
use std::path::{Path, PathBuf};
use sys::rustix::fs::stat;

/// The namespaces of a container.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// New ones.
    pub(crate) new: Set,
    /// Existing ones, by the path of their file.
    pub(crate) joined: Vec<(Kind, PathBuf)>,
    /// The maps of a new user namespace.
    pub(crate) users: Vec<IdMap>,
    pub(crate) groups: Vec<IdMap>,
    /// The clocks of a new time namespace.
    pub(crate) clocks: Vec<ClockOffset>,
}

impl Namespaces {
    pub(crate) fn new(linux: &Linux<'_>) -> Result<Namespaces, Invalid> {
        let mut all = Namespaces::default();
        for (index, namespace) in linux.namespaces.iter().enumerate() {
            let kind = kind(namespace.kind);
            if namespace.path.is_empty() {
                all.new = all.new.with(kind);
            } else if namespace.path.starts_with('/') {
                all.joined.push((kind, PathBuf::from(&*namespace.path)));
            } else {
                let path = format!("linux.namespaces[{index}].path");
                return Err(Invalid::new(path, format!("{:?} is not absolute", namespace.path)));
            }
        }
        all.users = maps(&linux.uid_mappings);
        all.groups = maps(&linux.gid_mappings);
        all.clocks = clocks(linux);
        all.check()?;
        Ok(all)
    }

    /// What belongs to a namespace without it, or is missing with it.
    fn check(&self) -> Result<(), Invalid> {
        let new_user = self.new.contains(Kind::User);
        for (field, maps) in [("uidMappings", &self.users), ("gidMappings", &self.groups)] {
            let field = format!("linux.{field}");
            if new_user && maps.is_empty() {
                return Err(Invalid::new(field, "missing, but a new user namespace needs it"));
            }
            if !self.has(Kind::User) && !maps.is_empty() {
                return Err(Invalid::new(field, "there is no user namespace in linux.namespaces"));
            }
        }
        if !self.clocks.is_empty() && !self.new.contains(Kind::Time) {
            let what = "there is no new time namespace in linux.namespaces";
            return Err(Invalid::new("linux.timeOffsets", what));
        }
        if !self.has(Kind::Mount) {
            // Everything else would be done to the host's own mounts.
            let what = "there is no mount namespace, and the container must have one";
            return Err(Invalid::new("linux.namespaces", what));
        }
        Ok(())
    }

    /// Whether the configuration names a namespace of this kind.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.new.contains(kind) || self.joined.iter().any(|(joined, _)| *joined == kind)
    }

    /// Whether the container has a namespace of this kind that is not the runtime's, which may have a
    /// path like any other.
    pub(crate) fn has_own(&self, kind: Kind) -> bool {
        let identity = |path: &Path| stat(path).map(|it| (it.st_dev, it.st_ino));
        let ours = || identity(Path::new(&format!("/proc/self/ns/{}", kind.file())));
        let mut joined = self.joined.iter().filter(|(joined, _)| *joined == kind);
        self.new.contains(kind) || joined.any(|(_, path)| identity(path) != ours())
    }
}

pub(crate) fn kind(kind: NamespaceKind) -> Kind {
    match kind {
        NamespaceKind::Cgroup => Kind::Cgroup,
        NamespaceKind::Ipc => Kind::Ipc,
        NamespaceKind::Mount => Kind::Mount,
        NamespaceKind::Network => Kind::Network,
        NamespaceKind::Pid => Kind::Pid,
        NamespaceKind::Time => Kind::Time,
        NamespaceKind::User => Kind::User,
        NamespaceKind::Uts => Kind::Uts,
    }
}

pub(super) fn maps(mappings: &[IdMapping]) -> Vec<IdMap> {
    let map =
        |it: &IdMapping| IdMap { inside: it.container_id, outside: it.host_id, length: it.size };
    mappings.iter().map(map).collect()
}

fn clocks(linux: &Linux<'_>) -> Vec<ClockOffset> {
    let clock = |(name, offset): (&spec::json::Text<'_>, &spec::runtime::TimeOffset)| ClockOffset {
        boot: name == "boottime",
        seconds: offset.secs,
        nanoseconds: offset.nanosecs,
    };
    linux.time_offsets.iter().map(clock).collect()
}
