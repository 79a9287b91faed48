//! What all commands need to know.

use crate::failure::{OrFail, Result, fail};
use crate::log::Log;
use runtime::{Bus, CgroupDriver, ContainerId, ListenFds};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use sys::identity::started_as_root;
use sys::rustix::fs::stat;
use tinyort::flags;
use tinyort::parse::{Flags, Line};

/// A command line, with what its environment adds.
pub(crate) struct Context<'a> {
    /// The folder that holds a folder for each container; absolute.
    pub(crate) root: PathBuf,
    /// All flags.
    pub(crate) flags: &'a Flags,
    /// What is no flag.
    pub(crate) words: &'a [OsString],
    /// Where records go.
    pub(crate) log: &'a Log,
    /// Where the service manager wants to hear of readiness, sd_notify(3).
    pub(crate) notify_socket: Option<PathBuf>,
    listen_fd_names: Option<String>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(line: &'a Line, log: &'a Log) -> Result<Context<'a>> {
        let root = match line.flags.path(&flags::ROOT) {
            Some(root) => std::path::absolute(root).or_fail("--root")?,
            None => default_root(),
        };
        if is_root_folder(&root) {
            let root = root.display();
            return fail(format_args!(
                "--root {root}: containers would be mixed with other folders"
            ));
        }
        let listen_fd_names = std::env::var("LISTEN_FDNAMES").ok();
        let notify_socket = std::env::var_os("NOTIFY_SOCKET").filter(|it| !it.is_empty());
        Ok(Context {
            root,
            flags: &line.flags,
            words: &line.words,
            log,
            notify_socket: notify_socket.map(PathBuf::from),
            listen_fd_names,
        })
    }

    /// Records what is not as it was asked for.
    pub(crate) fn warn(&self, warnings: &[String]) {
        warnings.iter().for_each(|warning| self.log.warn(warning));
    }

    /// The container that the first word names.
    pub(crate) fn id(&self) -> Result<ContainerId> {
        let word = self.words.first().or_fail("the container's id is missing")?;
        Ok(ContainerId::new(&word.to_string_lossy())?)
    }

    /// The second word and those after it.
    pub(crate) fn rest(&self) -> &'a [OsString] {
        self.words.get(1..).unwrap_or_default()
    }

    /// A word that must be text.
    pub(crate) fn text(word: &OsString) -> Result<&str> {
        word.to_str().or_fail(format_args!("{word:?} is not UTF-8"))
    }

    /// Who makes cgroups.
    pub(crate) fn cgroup_driver(&self) -> Result<CgroupDriver> {
        let default = if self.flags.is_on(&flags::SYSTEMD_CGROUP) { "systemd" } else { "cgroupfs" };
        Ok(match self.flags.text(&flags::CGROUP_MANAGER).unwrap_or(default) {
            "systemd" => CgroupDriver::Systemd(self.bus()?),
            "disabled" => CgroupDriver::None,
            _ => CgroupDriver::Files,
        })
    }

    /// The systemd that is asked: the user's own, unless he is root.
    fn bus(&self) -> Result<Bus> {
        if started_as_root() && !self.rootless() {
            return Ok(Bus::System);
        }
        let runtime_folder = std::env::var("XDG_RUNTIME_DIR")
            .or_fail("where the user's systemd is: $XDG_RUNTIME_DIR is not set")?;
        Ok(Bus::User { runtime_folder, address: std::env::var("DBUS_SESSION_BUS_ADDRESS").ok() })
    }

    /// Whether cgroups may be denied to us.
    pub(crate) fn rootless(&self) -> bool {
        match self.flags.text(&flags::ROOTLESS) {
            Some("true") => true,
            Some("false") => false,
            _ => is_rootless(),
        }
    }

    /// The sockets that were passed to us, sd_listen_fds(3).
    pub(crate) fn listen_fds(&self) -> Option<ListenFds<'_>> {
        let for_us = variable("LISTEN_PID").is_some_and(|pid| pid == std::process::id());
        let count = variable("LISTEN_FDS").filter(|count| for_us && *count > 0)?;
        Some(ListenFds { count, names: self.listen_fd_names.as_deref() })
    }

    /// How many descriptors are passed on.
    pub(crate) fn preserve_fds(&self) -> Result<u32> {
        Ok(self.flags.number(&flags::PRESERVE_FDS)?.unwrap_or(0))
    }
}

fn variable(name: &str) -> Option<u32> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether we have no rights outside. Podman without rights starts us as root of a user namespace,
/// and where `USER` is root, too, that one is taken for a machine of its own, as by runc.
fn is_rootless() -> bool {
    /// The number of the machine's own namespace: `USER_NS_INIT_INO`, linux/nsfs.h.
    const OF_MACHINE: u64 = 0xefff_fffd;
    if !started_as_root() {
        return true;
    }
    if std::env::var_os("USER").is_some_and(|user| user == "root")
        || stat(c"/proc/self/ns/user").is_ok_and(|it| it.st_ino == OF_MACHINE)
    {
        return false;
    }
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && !map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// `/run/tinyort`, or `$XDG_RUNTIME_DIR/tinyort` for somebody who is not root.
fn default_root() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|own| !own.is_empty());
    match own.filter(|_| is_rootless()) {
        Some(own) => Path::new(&own).join("tinyort"),
        None => PathBuf::from("/run/tinyort"),
    }
}

/// `/`, in any spelling.
fn is_root_folder(path: &Path) -> bool {
    use std::path::Component::{CurDir, Normal, ParentDir, Prefix, RootDir};
    let mut depth = 0_usize;
    for component in path.components() {
        match component {
            Normal(_) => depth += 1,
            ParentDir => depth = depth.saturating_sub(1),
            CurDir | RootDir | Prefix(_) => {}
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use super::is_root_folder;
    use std::path::Path;

    #[test]
    fn the_root_folder_in_all_spellings() {
        for path in ["/", "//", "/.", "/../..", "/a/..", "/a/../../b/.."] {
            assert!(is_root_folder(Path::new(path)), "{path}");
        }
        for path in ["/a", "/a/../b", "/../a"] {
            assert!(!is_root_folder(Path::new(path)), "{path}");
        }
    }
}
