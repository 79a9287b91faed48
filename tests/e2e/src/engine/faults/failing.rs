//! A disk that fails while containers run, and that the kernel makes read-only for that.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};

use crate::engine::support::{Done, Engine, end_of};
use crate::expect_eq;
use crate::support::{scratch, until};

/// A store on a disk in a file, which its own file system has less room for than it pretends.
struct Failing {
    engine: Engine,
    below: PathBuf,
    run: PathBuf,
}

impl Failing {
    fn new() -> Result<Failing> {
        if !rustix::process::geteuid().is_root() {
            harness::skip("only root mounts disks")?;
        }
        ::sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        let (store, below, run) = (scratch("store"), scratch("below"), scratch("run"));
        fs::create_dir_all(&store)?;
        fs::create_dir_all(&below)?;
        mount("none", &below, "tmpfs", MountFlags::empty(), c"size=30m")?;
        fs::File::create(below.join("disk"))?.set_len(200 << 20)?;
        let options = ["-q", "-F", "-b", "4096", "-J", "size=4", "-E", "lazy_itable_init=1"];
        let made = Command::new("mkfs.ext4").args(options).arg(below.join("disk")).output();
        if !made.is_ok_and(|it| it.status.success()) {
            harness::skip("mkfs.ext4 (e2fsprogs) is not installed")?;
        }
        mount_disk(&below, &store)?;
        Ok(Failing { engine: Engine::new()?, below, run })
    }

    /// What is not to outlive the machine is elsewhere, as it is on a real one.
    fn run(&self, words: &str) -> Result<Done> {
        let run = self.run.to_str().context("UTF-8")?;
        let words: Vec<&str> = ["--runroot", run].into_iter().chain(words.split(' ')).collect();
        self.engine.run(&words)
    }

    fn ok(&self, words: &str) -> Result<String> {
        let done = self.run(words)?;
        ensure!(done.code == Some(0), "{words}: {done:#?}");
        Ok(done.stdout.trim_end().to_owned())
    }

    fn is(&self, name: &str, expected: &str) -> Result<()> {
        let all = self.ok("ps -a --format={{.Names}}:{{.State}}:{{.ExitCode}}")?;
        ensure!(all.lines().any(|line| line == format!("{name}:{expected}")), "{all}");
        Ok(())
    }

    /// Writes until the disk fails, and the kernel has seen it.
    fn fail(&self) -> Result<()> {
        let mut file = fs::File::create(self.engine.store.join("filler"))?;
        until("the disk is read-only", || {
            for _ in 0..64 {
                // It fails some day.
                let _ = file.write(&[1; 1 << 18]);
            }
            let _ = file.sync_all();
            let probe = fs::File::create(self.engine.store.join("probe"));
            probe.is_err_and(|error| error.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
        })
    }

    /// It works again, and is checked as when a machine starts.
    fn mend(&self) -> Result<()> {
        mount_remount(&self.below, MountFlags::empty(), c"size=300m")?;
        let store = &self.engine.store;
        until("nobody has the disk", || {
            rustix::mount::unmount(store, rustix::mount::UnmountFlags::empty()).is_ok()
        })?;
        mount_disk(&self.below, store)
    }
}

fn mount_disk(below: &Path, store: &Path) -> Result<()> {
    let mut mount = Command::new("mount");
    mount.args(["-o", "loop,errors=remount-ro"]).arg(below.join("disk")).arg(store);
    let mounted = end_of(&mut mount)?;
    if mounted.code != Some(0) {
        harness::skip(format!("no loop device: {}", mounted.stderr.trim()))?;
    }
    Ok(())
}

/// Nothing could be stopped, since that could not be written down; and a monitor that could not write
/// what it had seen ended, and its container with it.
pub(crate) fn a_disk_that_fails() -> Result<()> {
    let failing = Failing::new()?;
    let lines = "while :; do echo x; sleep 0.02; done";
    let start = |flags: &str, script: &str| -> Result<()> {
        let head = format!("run -d --network=none {flags} box sh -c");
        let run = failing.run.to_str().context("UTF-8")?;
        let words: Vec<&str> =
            ["--runroot", run].into_iter().chain(head.split(' ')).chain([script]).collect();
        failing.engine.ok(&words).map(drop)
    };
    start("--name always --restart always", lines)?;
    start("--name once", "trap 'exit 7' TERM; while :; do sleep 0.1; done")?;
    let flags = "--name ill --health-interval=1s --health-retries=1 --health-cmd=false";
    start(flags, "sleep 1000")?;
    rustix::fs::sync();
    failing.fail()?;
    until("its health is known", || {
        failing.ok("inspect -f {{.State.Health.Status}} ill").is_ok_and(|it| it == "unhealthy")
    })?;
    for name in ["always", "once", "ill"] {
        failing.is(name, "running:0")?;
    }
    expect_eq!(failing.ok("exec always echo hi")?, "hi");
    for words in ["create box true", "volume create more", "rename once twice"] {
        let done = failing.run(words)?;
        let said = done.stderr.to_lowercase();
        let is_said = said.contains("read-only") && said.contains("hint: mount the disk writable");
        ensure!(done.code.is_some_and(|it| it > 0) && is_said, "{words}: {done:#?}");
    }
    // How it ended is known, too.
    failing.ok("stop once")?;
    failing.is("once", "exited:7")?;
    let done = failing.run("stop -t 0 always")?;
    let is_said = done.stderr.contains("was ended, but its restart policy will start it again");
    ensure!(done.code == Some(1) && is_said, "{done:#?}");
    // Whether it was asked to end or killed first.
    failing.is("always", "exited:143").or_else(|_| failing.is("always", "exited:137"))?;
    failing.ok("kill ill")?;
    until("it has ended", || failing.is("ill", "exited:137").is_ok())?;
    failing.mend()?;
    failing.is("once", "exited:7")?;
    failing.ok("start once")?;
    failing.is("once", "running:0")?;
    failing.ok("stop once")?;
    failing.is("once", "exited:7")?;
    failing.ok("rm -f -a")?;
    failing.ok("system check")?;
    failing.engine.is_clean()
}
