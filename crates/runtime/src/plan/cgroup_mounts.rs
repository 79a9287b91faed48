//! A mount of type `cgroup`: what it means depends on what the machine has.

use super::Invalid;
use kernel::cgroup::{Cgroups, Description};
use kernel::mount::{Attributes, Bind, FileSystem, FileSystemFlags, Mount, Source};
use kernel::path::RootedPath;
use std::ffi::{CString, OsStr};
use std::path::Path;
use sys::rustix::fs::{Access, access};

/// A symbolic link to be made in a file system that is mounted.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) folder: RootedPath,
    pub(crate) name: CString,
    pub(crate) target: CString,
}

/// What the container's cgroups are made of.
pub(crate) struct View<'a> {
    pub(crate) cgroups: &'a Cgroups,
    /// The container's own groups.
    pub(crate) groups: &'a Description,
    /// Whether it has a cgroup namespace, in which its own group is the root.
    pub(crate) namespace: bool,
    /// Whether it may be that no group can be made, and the container stays in that of the caller.
    pub(crate) rootless: bool,
}

impl View<'_> {
    /// The mounts in place of this one: on a machine with version 2 alone, that; otherwise a folder
    /// with one mount for each hierarchy, as the host has them, but for the type `cgroup2`.
    pub(crate) fn expand(
        &self,
        mount: Mount,
        links: &mut Vec<Link>,
    ) -> Result<Vec<Mount>, Invalid> {
        let mut all: Vec<_> = self.cgroups.mount_points().collect();
        // Who says so wants that of version 2 alone, where there are both.
        let is_v2 = matches!(&mount.source, Source::New(it) if it.kind.as_c_str() == c"cgroup2");
        if is_v2 && all.iter().any(|(controllers, _)| controllers.is_empty()) {
            all.retain(|(controllers, _)| controllers.is_empty());
        }
        if let [("", place)] = all[..] {
            let source = self.alone(place)?;
            let recursive = Self::recursive(&mount, &source);
            return Ok(vec![Mount { source, recursive, ..mount }]);
        }
        if all.is_empty() {
            return Ok(vec![mount]);
        }
        all.sort_unstable();
        let mut mounts = vec![tmpfs(&mount)];
        for (controllers, place) in all {
            let name = Path::new(place).file_name().unwrap_or(OsStr::new(controllers));
            let name = name.to_string_lossy();
            mounts.push(self.hierarchy(&mount, controllers, place, &name)?);
            for controller in controllers.split(',').filter(|it| is_alias(it, &name)) {
                links.push(Link {
                    folder: mount.target.clone(),
                    name: c_string(controller)?,
                    target: c_string(&name)?,
                });
            }
        }
        Ok(mounts)
    }

    fn hierarchy(
        &self,
        mount: &Mount,
        controllers: &str,
        place: &str,
        name: &str,
    ) -> Result<Mount, Invalid> {
        let target = RootedPath::parse(format!("{}/{name}", mount.target))
            .map_err(|error| Invalid::new("mounts", error))?;
        let source = self.source(controllers, place)?;
        let Mount { attributes, besides, .. } = *mount;
        let recursive = Self::recursive(mount, &source);
        let propagation = mount.propagation.clone();
        Ok(Mount { target, source, attributes, besides, recursive, propagation, keep: false })
    }

    /// Where the container's own group is not known, all groups are shown, and none of them may be
    /// written to: the caller may own some (CVE-2023-25809).
    fn recursive(mount: &Mount, source: &Source) -> Attributes {
        match source {
            Source::Bind(Bind { recursive: true, .. }) => {
                mount.recursive.then(Attributes::READ_ONLY)
            }
            _ => mount.recursive,
        }
    }

    /// Version 2 alone: without a cgroup namespace all of it, as runc and crun have it. The container's
    /// path in `/proc/self/cgroup` starts there, and systemd makes its groups where that says. It is
    /// no new mount, as one without `nsdelegate` would take that from the whole machine.
    fn alone(&self, place: &str) -> Result<Source, Invalid> {
        if self.namespace || self.rootless {
            return self.source("", place);
        }
        Ok(Source::Bind(Bind { from: c_string(place)?, recursive: false, idmap: None }))
    }

    /// In a cgroup namespace a mount of the hierarchy, and else the container's own folder of it,
    /// for it must not see the others.
    fn source(&self, controllers: &str, place: &str) -> Result<Source, Invalid> {
        if self.namespace {
            let kind = if controllers.is_empty() { c"cgroup2" } else { c"cgroup" };
            return Ok(Source::New(FileSystem {
                kind: kind.to_owned(),
                device: c"cgroup".to_owned(),
                flags: FileSystemFlags::default(),
                data: c_string(controllers)?,
                copy_up: false,
                label: None,
            }));
        }
        let groups = &self.groups;
        let own = match controllers {
            "" => groups.v2.as_deref(),
            _ => groups.v1.iter().find(|(it, _)| it == controllers).map(|(_, folder)| &**folder),
        };
        let own = own.filter(|folder| !self.rootless || can_be_made(Path::new(folder)));
        let from = c_string(own.unwrap_or(place))?;
        Ok(Source::Bind(Bind { from, recursive: own.is_none(), idmap: None }))
    }
}

/// Whether there is such a folder, or there may be.
fn can_be_made(folder: &Path) -> bool {
    folder.exists()
        || folder
            .ancestors()
            .skip(1)
            .find(|it| it.exists())
            .is_some_and(|parent| access(parent, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// Whether a controller is looked for by its own name in a folder that has another: `cpu` beside
/// `cpu,cpuacct`. Named hierarchies have no controller, and version 2 has no name.
fn is_alias(controller: &str, folder: &str) -> bool {
    !controller.is_empty() && !controller.contains('=') && controller != folder
}

fn tmpfs(mount: &Mount) -> Mount {
    Mount {
        target: mount.target.clone(),
        source: Source::New(FileSystem {
            kind: c"tmpfs".to_owned(),
            device: c"tmpfs".to_owned(),
            flags: FileSystemFlags::default(),
            data: c"mode=755".to_owned(),
            copy_up: false,
            label: None,
        }),
        attributes: mount.attributes,
        besides: mount.besides,
        recursive: Attributes::default(),
        propagation: mount.propagation.clone(),
        keep: true,
    }
}

fn c_string(text: &str) -> Result<CString, Invalid> {
    CString::new(text).map_err(|_| Invalid::new("mounts", "a NUL in the name of a cgroup"))
}
