//! One mount as the configuration asks for it, read and checked.

use super::target::{self, Relation};
use super::{Attributes, FileSystemFlags, Options, ParseError, Propagation};
use crate::path::RootedPath;
use std::ffi::CString;

/// A mount, plain data for the child.
#[derive(Debug)]
pub struct Mount {
    /// Where, in the container.
    pub target: RootedPath,
    /// What.
    pub source: Source,
    /// Of the mount itself.
    pub attributes: Attributes,
    /// Of a bind mount: what its source may have besides, and is taken off where it is not locked
    /// (mount_namespaces(7)). See [`Mount::leave_to_options`].
    pub besides: Attributes,
    /// Of the mount and all below it.
    pub recursive: Attributes,
    /// Applied one after the other, when all else is done.
    pub propagation: Vec<Propagation>,
    /// Whether other mounts or devices come directly into this new tmpfs. It is kept open then,
    /// so that they need not be looked up: nobody but the child can put anything there yet.
    pub keep: bool,
}

/// What is mounted.
#[derive(Debug)]
pub enum Source {
    /// A new file system.
    New(FileSystem),
    /// Something that exists on the machine.
    Bind(Bind),
    /// What is mounted there already, changed.
    Remount(Remount),
}

/// A change of what is mounted.
#[derive(Debug)]
pub struct Remount {
    /// Only of the mount (`bind,remount`), not of the file system.
    pub only_mount: bool,
    /// Flags for the file system.
    pub flags: FileSystemFlags,
    /// Options for the file system.
    pub data: CString,
}

/// A file system that is made.
#[derive(Clone, Debug)]
pub struct FileSystem {
    /// Its type: `tmpfs`, `proc`, ...
    pub kind: CString,
    /// What mount(8) calls the device. For most types only a name in the list of mounts.
    pub device: CString,
    /// Its flags.
    pub flags: FileSystemFlags,
    /// Its options, joined with commas.
    pub data: CString,
    /// Whether it begins with a copy of the folder it covers (tmpfs only).
    pub copy_up: bool,
    /// The SELinux label of its root, for a type that has no option for it (mqueue).
    pub label: Option<CString>,
}

impl FileSystem {
    /// Whether it is the kernel's own and shows nothing that depends on who mounts it, nor takes
    /// memory for what is in it.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        let kinds = [c"proc", c"sysfs", c"tmpfs", c"devpts", c"mqueue"];
        kinds.contains(&self.kind.as_c_str()) && !self.copy_up
    }
}

/// A bind mount.
#[derive(Debug)]
pub struct Bind {
    /// Of what is at this path of the machine.
    pub from: CString,
    /// With all that is mounted below.
    pub recursive: bool,
    /// Whether the ids of files are mapped (`idmap`: false, `ridmap`: true, for all below too).
    /// The child cannot do that: see [`Bind::open_in`].
    pub idmap: Option<bool>,
}

impl Mount {
    /// Reads a mount from its texts: the place, the type if any, the source if any, the options.
    ///
    /// It is a bind mount if the options have `bind` or `rbind`, or the type is `bind`. `options`
    /// tells what of [`Options`] the mount itself does not.
    ///
    /// # Errors
    /// What the user wrote cannot be mounted, and why.
    pub fn parse<'a>(
        destination: &str,
        kind: Option<&str>,
        source: Option<&str>,
        options: impl IntoIterator<Item = &'a str>,
    ) -> Result<Mount, ParseError> {
        let options = Options::parse(options);
        let target = RootedPath::parse(destination).map_err(ParseError::Destination)?;
        if target.is_root() {
            return Err(ParseError::OverRoot);
        }
        let binds = options.bind.is_some() || kind == Some("bind");
        let is_proc = kind == Some("proc") && !binds;
        match target::relation_to_proc(&target) {
            Relation::Itself if !is_proc && !binds => return Err(ParseError::NotProc),
            Relation::Inside => return Err(ParseError::InsideProc(target.to_string())),
            _ => {}
        }
        let Options { attributes, recursive, ref propagation, .. } = options;
        let propagation = propagation.clone();
        let source = parse_source(kind, source, binds, options)?;
        let besides = Attributes::default();
        Ok(Mount { target, source, attributes, besides, recursive, propagation, keep: false })
    }

    /// Has a bind mount with options of its own get only what they say, as mount(2) with
    /// `MS_REMOUNT|MS_BIND` does it: it is not read-only, for one, because its source is. One
    /// without options has all that its source has; access times are its source's in any case.
    #[must_use]
    pub fn leave_to_options(mut self) -> Mount {
        let own = self.attributes;
        if matches!(self.source, Source::Bind(_)) && !own.is_empty() {
            self.besides = Attributes::UNRESTRICTED.without(own);
        }
        self
    }
}

/// What Podman is told of a volume and leaves in: whether a new one gets what the image has in its
/// place, which is done by then.
const OF_CALLERS: [&str; 2] = ["copy", "nocopy"];

fn parse_source(
    kind: Option<&str>,
    source: Option<&str>,
    binds: bool,
    options: Options,
) -> Result<Source, ParseError> {
    let Options { bind, remount, file_system: flags, copy_up, idmap, mut data, .. } = options;
    if copy_up && (binds || kind != Some("tmpfs")) {
        return Err(ParseError::Misplaced { option: "tmpcopyup", only: "tmpfs" });
    }
    if idmap.is_some() && !binds {
        return Err(ParseError::Misplaced { option: "idmap", only: "bind mounts" });
    }
    if binds && data.split(',').all(|option| OF_CALLERS.contains(&option)) {
        data.clear();
    }
    if binds && !data.is_empty() {
        return Err(ParseError::DataOfBind(data));
    }
    let data = c_string("options", &data)?;
    if remount {
        return Ok(Source::Remount(Remount { only_mount: binds, flags, data }));
    }
    if binds {
        let path = source.filter(|it| !it.is_empty()).ok_or(ParseError::NoSource)?;
        let from = c_string("source", path)?;
        return Ok(Source::Bind(Bind { from, recursive: bind.unwrap_or(false), idmap }));
    }
    let kind = kind.filter(|it| !it.is_empty()).ok_or(ParseError::NoType)?;
    let device = source.filter(|it| !it.is_empty()).unwrap_or(kind);
    Ok(Source::New(FileSystem {
        kind: c_string("type", kind)?,
        device: c_string("source", device)?,
        flags,
        data,
        copy_up,
        label: None,
    }))
}

fn c_string(field: &'static str, text: &str) -> Result<CString, ParseError> {
    CString::new(text).map_err(|_| ParseError::Nul(field))
}

#[cfg(test)]
mod tests {
    use super::{Mount, Source};
    use crate::mount::{Attributes, ParseError};

    fn parse(destination: &str, kind: &str, source: &str, options: &str) -> Result<Mount, String> {
        let some = |text: &'static str| Some(text).filter(|it| !it.is_empty());
        let (kind, source) = (some(kind.to_owned().leak()), some(source.to_owned().leak()));
        Mount::parse(destination, kind, source, options.split_whitespace())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_system_has_type_and_options() {
        let mount = parse("/dev", "tmpfs", "", "nosuid ro mode=755 size=64k").unwrap();
        let Source::New(file_system) = mount.source else { panic!("{mount:?}") };
        assert_eq!(file_system.kind.as_c_str(), c"tmpfs");
        assert_eq!(file_system.device.as_c_str(), c"tmpfs");
        assert_eq!(file_system.data.as_c_str(), c"mode=755,size=64k");
        assert!(mount.attributes.is_read_only());
    }

    #[test]
    fn a_bind_mount_is_one_by_option_or_by_type() {
        for (kind, options, recursive) in
            [("bind", "", false), ("", "rbind", true), ("none", "bind ro", false)]
        {
            let mount = parse("/data", kind, "/srv", options).unwrap();
            let Source::Bind(bind) = mount.source else { panic!("{mount:?}") };
            assert_eq!(bind.from.as_c_str(), c"/srv");
            assert_eq!(bind.recursive, recursive);
        }
        let mount = parse("/data", "bind", "/srv", "rro").unwrap();
        assert_eq!(mount.recursive, Attributes::READ_ONLY);
    }

    #[test]
    fn what_cannot_be_mounted_is_named() {
        for (destination, kind, source, options, wanted) in [
            ("/", "tmpfs", "", "", "destination: / is the root"),
            ("", "tmpfs", "", "", "destination: the path is empty"),
            ("/a", "bind", "", "", "source: a bind mount needs"),
            ("/a", "", "x", "ro", "type: it must be the name"),
            ("/a", "bind", "/b", "size=1", "options: \"size=1\" is for a file system"),
            ("/a", "proc", "", "tmpcopyup", "options: \"tmpcopyup\" is for tmpfs"),
            ("/a", "tmpfs", "", "idmap", "options: \"idmap\" is for bind"),
            ("/a", "tmp\0fs", "", "", "type: it has a NUL"),
            ("/proc", "tmpfs", "", "", "destination: /proc can only be of type proc"),
            ("/proc/../proc/sys", "bind", "/a", "", "destination: /proc/sys is inside /proc"),
        ] {
            let error = parse(destination, kind, source, options).unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        }
        assert!(parse("/proc/cpuinfo", "bind", "/var/lib/lxcfs/proc/cpuinfo", "").is_ok());
        assert!(parse("/proc", "bind", "/proc", "rbind").is_ok());
        let error = Mount::parse("/proc/self", Some("tmpfs"), None, []).unwrap_err();
        assert!(matches!(error, ParseError::InsideProc(_)));
    }
}
