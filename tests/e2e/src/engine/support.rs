//! A store of its own with an image of busybox, and what is left of containers in the end.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

pub(super) use crate::support::tinyo::{Done, end_of};
use crate::support::{Launch, processes, scratch, tinyo, until};

/// What the image can do.
const APPLETS: [&str; 24] = [
    "sh", "cat", "echo", "sleep", "ls", "id", "env", "pwd", "hostname", "kill", "ps", "touch",
    "rm", "true", "false", "stat", "mount", "seq", "test", "grep", "head", "dd", "mkdir", "stty",
];

/// `tinyo` with a store of its own. Dropping it removes all of its containers.
pub(super) struct Engine {
    pub(super) store: PathBuf,
}

impl Engine {
    /// With the image `box`.
    pub(super) fn new() -> Result<Engine> {
        if !rustix::process::geteuid().is_root() {
            harness::skip("only root makes containers without a user namespace")?;
        }
        // Its bridges and its firewall are nobody else's.
        sys::process::unshare_namespaces(libc::CLONE_NEWNET as u64)?;
        sys::interface::bring_up(c"lo")?;
        Engine::beside("store")
    }

    /// One more in the same network namespace.
    pub(super) fn beside(store: &str) -> Result<Engine> {
        let engine = Engine { store: scratch(store) };
        let image = image()?;
        engine.ok(&["import", image.to_str().context("UTF-8")?, "box"])?;
        Ok(engine)
    }

    pub(super) fn command<Word: AsRef<OsStr>>(&self, words: &[Word]) -> Command {
        tinyo::command(&self.store, words)
    }

    /// The same, to be started on a terminal or with signals.
    pub(super) fn launch(&self, words: &[&str]) -> Launch {
        Launch::new(harness::tinyo()).words(&["--root"]).words(&[&self.store]).words(words)
    }

    pub(super) fn run(&self, words: &[&str]) -> Result<Done> {
        end_of(&mut self.command(words))
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub(super) fn ok(&self, words: &[&str]) -> Result<String> {
        let done = self.run(words)?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(done.stdout.trim_end_matches('\n').to_owned())
    }

    /// Runs a command that must fail like this.
    pub(super) fn fails(&self, words: &[&str], code: i32, expected: &str) -> Result<()> {
        let done = self.run(words)?;
        let is_so = done.code == Some(code) && done.stderr.contains(expected);
        ensure!(is_so, "{words:?}: expected {code} and {expected:?}: {done:#?}");
        Ok(())
    }

    /// What a shell in a new container prints.
    pub(super) fn shell(&self, flags: &[&str], script: &str) -> Result<String> {
        self.ok(&[&["run", "--rm"], flags, &["box", "sh", "-c", script]].concat())
    }

    /// Starts a container that stays, and returns its id.
    pub(super) fn start(&self, name: &str, flags: &[&str], script: &str) -> Result<String> {
        self.ok(&[&["run", "-d", "--name", name], flags, &["box", "sh", "-c", script]].concat())
    }

    /// What it is doing.
    pub(super) fn status(&self, name: &str) -> Result<String> {
        let filter = format!("--filter=name={name}");
        self.ok(&["ps", "-a", &filter, "--format={{.State}}"])
    }

    /// A field of `ps`.
    pub(super) fn field(&self, name: &str, field: &str) -> Result<String> {
        let filter = format!("--filter=name={name}");
        self.ok(&["ps", "-a", &filter, &format!("--format={{{{.{field}}}}}")])
    }

    /// The device of a network.
    pub(super) fn bridge(&self, network: &str) -> Result<String> {
        let field = "{{index .Options \"com.docker.network.bridge.name\"}}";
        self.ok(&["network", "inspect", "-f", field, network])
    }

    /// Waits until it is doing this.
    pub(super) fn until_status(&self, name: &str, status: &str) -> Result<()> {
        until(&format!("{name} is {status}"), || {
            self.status(name).is_ok_and(|found| found == status)
        })
    }

    /// The process of its monitor.
    pub(super) fn monitor(&self, id: &str) -> Result<i32> {
        let folder = self.store.join("run/started").join(id);
        let is_it = |pid: i32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| {
                let words = String::from_utf8_lossy(&words).into_owned();
                words.contains("monitor") && words.contains(&*folder.to_string_lossy())
            })
        };
        let found = processes::all().into_iter().map(|(pid, _)| pid).find(|pid| is_it(*pid));
        found.with_context(|| format!("container {id} has no monitor"))
    }

    /// Nothing is left of any container: no row, folder, process, cgroup, mount.
    pub(super) fn is_clean(&self) -> Result<()> {
        ensure!(self.ok(&["ps", "-aq"])?.is_empty(), "there are containers");
        for folder in ["containers", "pods", "run/runtime", "run/started"] {
            let path = self.store.join(folder);
            // Its row goes first, and a monitor may be at the rest.
            until(&format!("{folder} is empty"), || {
                fs::read_dir(&path).into_iter().flatten().next().is_none()
            })?;
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let ours = self.store.to_string_lossy().into_owned();
        ensure!(!mounts.contains(&format!("{ours}/")), "a mount is left");
        until("all monitors have ended", || {
            !processes::all().iter().any(|(pid, _)| {
                fs::read(format!("/proc/{pid}/cmdline"))
                    .is_ok_and(|words| String::from_utf8_lossy(&words).contains(&ours))
            })
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The guard kills what lives, but cgroups would stay.
        let _ = self.run(&["pod", "rm", "-f", "-a", "-t", "0"]);
        let _ = self.run(&["rm", "-f", "-a", "-v"]);
    }
}

/// A tar file of a root file system.
pub(super) fn image() -> Result<PathBuf> {
    let (root, archive) = (scratch("box"), scratch("box.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    for folder in ["bin", "etc", "tmp", "data"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let busybox = Path::new("/bin/busybox");
    if !busybox.exists() {
        harness::skip("busybox-static is not installed")?;
    }
    fs::copy(busybox, root.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\nweb:x:34:\nlog:x:4:web\n")?;
    fs::write(root.join("data/given"), "by the image")?;
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".");
    let done = end_of(&mut tar)?;
    ensure!(done.code == Some(0), "{done:#?}");
    Ok(archive)
}

/// The fields of a line of JSON.
pub(super) fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| text.to_owned())
}
