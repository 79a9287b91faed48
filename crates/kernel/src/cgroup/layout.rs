//! What is mounted: found once, with two reads at most.

use std::os::fd::OwnedFd;

use sys::OrError as _;
use sys::process::Spent;
use sys::rustix::fs::{self, CWD, FsWord, Mode, OFlags};

use super::error::{Error, Result};
use super::folder;

/// Where cgroups are mounted on practically every machine.
const USUAL: &str = "/sys/fs/cgroup";

/// From `linux/magic.h`.
const CGROUP2_SUPER_MAGIC: FsWord = 0x6367_7270;

/// The controllers that a v1 mount may name among its options. No more will come: new ones are
/// for v2 alone.
const V1_CONTROLLERS: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "net_cls",
    "blkio",
    "perf_event",
    "net_prio",
    "hugetlb",
    "pids",
    "rdma",
    "misc",
    "debug",
];

/// One hierarchy that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// As `/proc/self/cgroup` spells them: `cpu,cpuacct`, `name=systemd`; nothing for v2.
    pub(super) controllers: String,
    /// Where.
    pub(super) mount_point: String,
    /// Which group of the hierarchy is seen there.
    pub(super) root: String,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) v1: Vec<Hierarchy>,
    pub(super) v2: Option<Hierarchy>,
}

impl Layout {
    /// Looks. One call on a machine with cgroup v2 alone.
    pub(super) fn find(spent: &mut Spent) -> Result<Layout> {
        let usual = fs::statfs(USUAL);
        if usual.is_ok_and(|found| found.f_type == CGROUP2_SUPER_MAGIC) {
            let v2 = Hierarchy {
                controllers: String::new(),
                mount_point: USUAL.to_owned(),
                root: "/".to_owned(),
            };
            return Ok(Layout { v1: Vec::new(), v2: Some(v2) });
        }
        Ok(parse_mounts(&read_file("/proc/self/mountinfo", spent)?))
    }
}

/// Reads a file of procfs.
fn read_file(path: &str, spent: &mut Spent) -> Result<String> {
    let file = open(path)?;
    let text = folder::read(&file).or_error("read", || format!("{path:?}"))?;
    spent.add([file]);
    Ok(text)
}

fn open(path: &str) -> Result<OwnedFd> {
    Ok(fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .or_error("open", || format!("{path:?}"))?)
}

/// Finds the hierarchies in a `mountinfo`, as proc_pid_mountinfo(5) describes it. Of several
/// mounts of one hierarchy that below `/sys/fs/cgroup` is taken, or else the first.
pub(super) fn parse_mounts(mountinfo: &str) -> Layout {
    let mut layout = Layout::default();
    for (hierarchy, is_v2) in mountinfo.lines().filter_map(parse_mount) {
        if is_v2 {
            if layout.v2.as_ref().is_none_or(|old| is_better(&hierarchy, old)) {
                layout.v2 = Some(hierarchy);
            }
            continue;
        }
        match layout.v1.iter_mut().find(|old| old.controllers == hierarchy.controllers) {
            Some(old) if is_better(&hierarchy, old) => *old = hierarchy,
            Some(_) => {}
            None => layout.v1.push(hierarchy),
        }
    }
    layout
}

fn is_better(new: &Hierarchy, old: &Hierarchy) -> bool {
    new.mount_point.starts_with(USUAL) && !old.mount_point.starts_with(USUAL)
}

/// One line: `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS...] - TYPE SOURCE SUPER-OPTIONS`.
fn parse_mount(line: &str) -> Option<(Hierarchy, bool)> {
    let (mount, system) = line.split_once(" - ")?;
    let mut system = system.split(' ');
    let is_v2 = match system.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let controllers = if is_v2 { String::new() } else { controllers_of(system.nth(1)?) };
    let mut mount = mount.split(' ').skip(3);
    let (root, mount_point) = (unescape(mount.next()?), unescape(mount.next()?));
    let complete = is_v2 || !controllers.is_empty();
    complete.then_some((Hierarchy { controllers, mount_point, root }, is_v2))
}

/// The options of a super block that name a hierarchy.
fn controllers_of(options: &str) -> String {
    let is_controller =
        |option: &&str| V1_CONTROLLERS.contains(option) || option.starts_with("name=");
    options.split(',').filter(is_controller).collect::<Vec<_>>().join(",")
}

/// Octal escapes stand for spaces, tabs, line ends and backslashes.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                result.push(char::from(code));
                result.push_str(&part[3..]);
            }
            None => {
                result.push('\\');
                result.push_str(part);
            }
        }
    }
    result
}

/// The groups of a process, from `/proc/PID/cgroup`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    /// Controllers and path; no controllers for v2.
    lines: Vec<(String, String)>,
}

impl Membership {
    /// Of this process.
    pub(super) fn own(spent: &mut Spent) -> Result<Membership> {
        Membership::read("/proc/self/cgroup", spent)
    }

    /// Of another process.
    pub(super) fn of(pid: i32) -> Result<Membership> {
        Membership::read(&format!("/proc/{pid}/cgroup"), &mut Spent::default())
    }

    /// The kernel hands over the whole list at once if there is room, so it ends where a line does.
    fn read(path: &str, spent: &mut Spent) -> Result<Membership> {
        let file = open(path)?;
        let text = folder::read_line(&file).or_error("read", || format!("{path:?}"))?;
        spent.add([file]);
        Ok(Membership::parse(&text))
    }

    /// The group of v2, from the root of the hierarchy.
    pub(super) fn v2(&self) -> Option<&str> {
        let own = self.lines.iter().find(|(names, _)| names.is_empty());
        own.map(|(_, path)| path.as_str())
    }

    /// Lines are `ID:CONTROLLERS:PATH`; others are passed over.
    pub(super) fn parse(text: &str) -> Membership {
        let parse = |line: &str| {
            let mut fields = line.splitn(3, ':').skip(1);
            Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
        };
        Membership { lines: text.lines().filter_map(parse).collect() }
    }

    /// The group in a hierarchy, as seen from its mount point; the mount point itself when the
    /// group does not lie below what is mounted there.
    pub(super) fn path_in(&self, hierarchy: &Hierarchy) -> Result<&str> {
        let found = self.lines.iter().find(|(names, _)| *names == hierarchy.controllers);
        let (_, path) = found.ok_or_else(|| Error::Unexpected {
            file: "/proc/self/cgroup".to_owned(),
            text: format!("no line for {:?}", hierarchy.controllers),
        })?;
        let root = hierarchy.root.trim_end_matches('/');
        let below = path.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        Ok(below.filter(|path| !path.split('/').any(|name| name == "..")).unwrap_or("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Hierarchy, Membership, controllers_of, parse_mounts};

    const HYBRID: &str = "\
23 1 8:1 / / rw - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /outer /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw
42 31 0:38 / /elsewhere rw - cgroup2 cgroup2 rw
";

    #[test]
    fn hierarchies_are_found_among_other_mounts() {
        let layout = parse_mounts(HYBRID);
        let names: Vec<_> = layout.v1.iter().map(|it| it.controllers.as_str()).collect();
        assert_eq!(names, ["cpu,cpuacct", "memory", "name=systemd"]);
        assert_eq!(layout.v1[1].root, "/outer");
        assert_eq!(layout.v2.unwrap().mount_point, "/sys/fs/cgroup/uni fied");
    }

    #[test]
    fn the_usual_mount_point_wins_whatever_comes_first() {
        let line = |point: &str| format!("1 1 0:1 / {point} rw - cgroup2 cgroup2 rw\n");
        let text = line("/other") + &line("/sys/fs/cgroup") + &line("/third");
        assert_eq!(parse_mounts(&text).v2.unwrap().mount_point, "/sys/fs/cgroup");
    }

    #[test]
    fn options_that_name_no_controller_are_not_taken_for_one() {
        assert_eq!(controllers_of("rw,clone_children,noprefix,cpuset"), "cpuset");
        assert_eq!(controllers_of("rw,xattr"), "");
    }

    #[test]
    fn own_groups_are_told_as_seen_from_the_mount() {
        let own = Membership::parse("3:memory:/outer/inner\n1:cpu,cpuacct:/a:b\n0::/../x\n");
        let hierarchy = |controllers: &str, root: &str| Hierarchy {
            controllers: controllers.to_owned(),
            mount_point: "/m".to_owned(),
            root: root.to_owned(),
        };
        assert_eq!(own.path_in(&hierarchy("memory", "/outer")).unwrap(), "/inner");
        assert_eq!(own.path_in(&hierarchy("memory", "/out")).unwrap(), "/");
        assert_eq!(own.path_in(&hierarchy("cpu,cpuacct", "/")).unwrap(), "/a:b");
        assert_eq!(own.path_in(&hierarchy("", "/")).unwrap(), "/");
        assert!(own.path_in(&hierarchy("pids", "/")).is_err());
    }
}
