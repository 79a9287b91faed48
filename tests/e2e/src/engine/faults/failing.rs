//! Disks that fail while containers run, which the kernel makes read-only for that, that do not answer
//! for a while, or that cannot do what others can.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};

use crate::engine::support::{Done, Engine, end_of};
use crate::expect_eq;
use crate::support::{scratch, sys, until};

/// With a mount namespace of its own.
fn begin() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        harness::skip("only root mounts disks")?;
    }
    ::sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(())
}

/// A store on a disk of its own. What is not to outlive the machine is elsewhere, as on a real one.
struct Store {
    engine: Engine,
    run: PathBuf,
}

impl Store {
    fn new() -> Result<Store> {
        Ok(Store { engine: Engine::new()?, run: scratch("run") })
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let run = self.run.to_str().context("UTF-8")?;
        Ok(self.engine.command(&[&["--runroot", run], words].concat()))
    }

    fn run(&self, words: &str) -> Result<Done> {
        end_of(&mut self.command(&words.split(' ').collect::<Vec<_>>())?)
    }

    fn ok(&self, words: &str) -> Result<String> {
        let done = self.run(words)?;
        ensure!(done.code == Some(0), "{words}: {done:#?}");
        Ok(done.stdout.trim_end().to_owned())
    }

    fn start(&self, flags: &str, script: &str) -> Result<()> {
        let head = format!("run -d --network=none {flags} box sh -c");
        let words: Vec<&str> = head.split(' ').chain([script]).collect();
        let done = end_of(&mut self.command(&words)?)?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(())
    }

    /// As the engine itself tells; the program that serves the store has its name.
    fn is_clean(&self) -> Result<()> {
        expect_eq!(self.ok("ps -aq")?, "");
        self.ok("system check").map(drop)
    }

    fn is(&self, name: &str, expected: &str) -> Result<()> {
        let all = self.ok("ps -a --format={{.Names}}:{{.State}}:{{.ExitCode}}")?;
        ensure!(all.lines().any(|line| line == format!("{name}:{expected}")), "{all}");
        Ok(())
    }
}

/// One on a disk in a file, which its own file system has less room for than it pretends.
struct Failing {
    store: Store,
    below: PathBuf,
}

impl Failing {
    fn new() -> Result<Failing> {
        begin()?;
        let (store, below) = (scratch("store"), scratch("below"));
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
        Ok(Failing { store: Store::new()?, below })
    }

    /// Writes until the disk fails, and the kernel has seen it.
    fn fail(&self) -> Result<()> {
        let mut file = fs::File::create(self.store.engine.store.join("filler"))?;
        until("the disk is read-only", || {
            for _ in 0..64 {
                // It fails some day.
                let _ = file.write(&[1; 1 << 18]);
            }
            let _ = file.sync_all();
            let probe = fs::File::create(self.store.engine.store.join("probe"));
            probe.is_err_and(|error| error.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
        })
    }

    /// It works again, and is checked as when a machine starts.
    fn mend(&self) -> Result<()> {
        mount_remount(&self.below, MountFlags::empty(), c"size=300m")?;
        let store = &self.store.engine.store;
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
    let disk = Failing::new()?;
    let failing = &disk.store;
    let lines = "while :; do echo x; sleep 0.02; done";
    failing.start("--name always --restart always", lines)?;
    failing.start("--name once", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done")?;
    let flags = "--name ill --health-interval=1s --health-retries=1 --health-cmd=false";
    failing.start(flags, "sleep 1000")?;
    let is_ready = |said: &str| failing.ok("logs once").is_ok_and(|log| log == said);
    until("it is ready", || is_ready("ready"))?;
    rustix::fs::sync();
    disk.fail()?;
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
    disk.mend()?;
    failing.is("once", "exited:7")?;
    failing.ok("start once")?;
    until("it is ready again", || is_ready("ready\nready"))?;
    failing.is("once", "running:0")?;
    failing.ok("stop once")?;
    failing.is("once", "exited:7")?;
    failing.ok("rm -f -a")?;
    failing.ok("system check")?;
    failing.engine.is_clean()
}

/// A store that a program serves, which can be stopped.
struct Served {
    store: Store,
    server: Server,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    fn new() -> Result<Served> {
        begin()?;
        if !Path::new("/usr/bin/fuse-overlayfs").exists() || !Path::new("/dev/fuse").exists() {
            harness::skip("there is no fuse-overlayfs, or no FUSE")?;
        }
        let all = ["store", "lower", "upper", "work"].map(scratch);
        all.iter().try_for_each(fs::create_dir_all)?;
        let [store, lower, upper, work] = &all;
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            work.display()
        );
        let mut command = Command::new("fuse-overlayfs");
        command.args(["-f", "-o", &options]).arg(store).stderr(Stdio::null());
        let server = Server(command.spawn()?);
        let below = fs::metadata(lower)?.dev();
        until("it is mounted", || fs::metadata(store).is_ok_and(|it| it.dev() != below))?;
        Ok(Served { store: Store::new()?, server })
    }
}

/// As a disk behind a network does.
pub(crate) fn a_disk_that_does_not_answer_for_a_while() -> Result<()> {
    let Served { store, server } = &Served::new()?;
    let script = "for i in $(seq 300); do echo $i; sleep 0.01; done; exec sleep 1000";
    store.start("--name one", script)?;
    let pid = server.0.id().cast_signed();
    sys::send(pid, libc::SIGSTOP)?;
    let mut ps = store.command(&["ps", "--format={{.Names}}"])?;
    let mut ps = ps.stdout(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_secs(2));
    ensure!(ps.try_wait()?.is_none(), "it was told what is on the disk");
    sys::send(pid, libc::SIGCONT)?;
    expect_eq!(String::from_utf8(ps.wait_with_output()?.stdout)?, "one\n");
    until("all is printed", || store.ok("logs one").is_ok_and(|log| log.ends_with("\n300")))?;
    let expected: Vec<String> = (1..=300).map(|number| number.to_string()).collect();
    expect_eq!(store.ok("logs one")?, expected.join("\n"));
    store.ok("stop -t 0 one")?;
    store.ok("rm one")?;
    store.is_clean()
}

/// The layers of a container in a user namespace are mapped, which FUSE has to be asked for.
pub(crate) fn a_disk_that_cannot_map_ids() -> Result<()> {
    let Served { store, .. } = &Served::new()?;
    expect_eq!(store.ok("run --rm --network=none box echo hi")?, "hi");
    for flags in ["--uidmap=0:100000:65536", "--uidmap=0:100000:65536 -v vol:/v:idmap"] {
        let done = store.run(&format!("run --rm --network=none {flags} box true"))?;
        let is_said = done.stderr.contains("its file system cannot have them mapped")
            && done.stderr.contains("or leave out --userns, --uidmap or idmap");
        ensure!(done.code == Some(125) && is_said, "{done:#?}");
    }
    store.ok("volume rm vol")?;
    store.is_clean()
}
