//! How the contestants are called.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::bundle::Kind;
use super::machine::Machine;
use crate::contestant::OF_CARGO;

/// The file name of the program that does nothing but the system calls.
pub(crate) const BARE: &str = "bench-bare";

/// A contestant on the prepared machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runtime<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// Where it runs.
    pub(crate) machine: &'a Machine,
}

impl<'a> Runtime<'a> {
    /// Whether it is the bare program, which can do nothing but [`Runtime::run`].
    pub(crate) fn is_bare(self) -> bool {
        self.program.ends_with(BARE)
    }

    /// The command for the whole life of a container of its own.
    pub(crate) fn run(self, kind: Kind) -> Result<Command> {
        let bundle = kind.bundle(&self.machine.folder);
        let id = self.machine.fresh_id();
        if !self.is_bare() {
            let mut command = self.command("run")?;
            command.arg("--bundle").arg(bundle).arg(id);
            return Ok(command);
        }
        ensure!(kind == Kind::Plain, "knows no configuration but the default one");
        let mut command = Command::new(self.program);
        command.arg(self.machine.version.to_string()).arg(bundle.join("rootfs"));
        command.args(self.machine.groups_for(&id));
        Ok(quiet(command))
    }

    /// `PROGRAM --root STATE VERB`.
    pub(crate) fn command(self, verb: &str) -> Result<Command> {
        if self.is_bare() {
            bail!("knows no command but `run`");
        }
        let mut command = Command::new(self.program);
        let state = self.program.to_string_lossy().replace('/', "-");
        command.arg("--root").arg(self.machine.states().join(state)).arg(verb);
        Ok(quiet(command))
    }

    /// Runs a command that must succeed, and returns how long it took. Standard error goes to a
    /// file, so that nobody has to read it meanwhile.
    pub(crate) fn time(self, command: &mut Command) -> Result<Duration> {
        let errors = self.machine.folder.join("errors");
        command.stderr(File::create(&errors)?);
        let start = Instant::now();
        let status = command.status().with_context(|| format!("{command:?}"))?;
        let elapsed = start.elapsed();
        let errors = || fs::read_to_string(&errors).unwrap_or_default();
        ensure!(status.success(), "{command:?}: {status}: {}", errors().trim_end());
        Ok(elapsed)
    }

    /// Creates a container whose program waits for ever, and returns how long it took.
    pub(crate) fn create(self) -> Result<(Container<'a>, Duration)> {
        let id = self.machine.fresh_id();
        let pid_file = self.machine.folder.join("pid");
        let mut create = self.command("create")?;
        create.arg("--bundle").arg(Kind::Waiting.bundle(&self.machine.folder));
        create.arg("--pid-file").arg(&pid_file).arg(&id);
        let mut container = Container { runtime: self, id, pid: 0 };
        let elapsed = self.time(&mut create)?;
        container.pid = fs::read_to_string(&pid_file)?.trim().parse().context("the pid file")?;
        Ok((container, elapsed))
    }
}

/// A container that was created. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Container<'a> {
    runtime: Runtime<'a>,
    id: String,
    pid: u32,
}

impl Container<'_> {
    /// Runs `VERB ID WORDS`, and returns how long it took.
    pub(crate) fn tell(&self, verb: &str, words: &[&str]) -> Result<Duration> {
        self.runtime.time(self.runtime.command(verb)?.arg(&self.id).args(words))
    }

    /// Kills its program and waits for its end.
    pub(crate) fn kill(&self) -> Result<()> {
        self.tell("kill", &["KILL"])?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.lives() {
            ensure!(Instant::now() < deadline, "the container does not end");
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The most memory that its cgroup has had at one time, in kB. The kernel counts it in steps of
    /// 256 kB for each processor that was used.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let peak = self.memory("memory.max_usage_in_bytes", "memory.peak")?;
        Ok(peak.trim().parse::<u64>()? / 1024)
    }

    /// Of it, what is the kernel's own: objects for mounts, namespaces, files, and page tables, in kB.
    /// It is counted exactly; on v2 what there is now, as there is no peak of it.
    pub(crate) fn kernel_memory(&self) -> Result<u64> {
        let text = self.memory("memory.kmem.max_usage_in_bytes", "memory.stat")?;
        let bytes = text.lines().find_map(|line| line.strip_prefix("kernel ")).unwrap_or(&text);
        Ok(bytes.trim().parse::<u64>()? / 1024)
    }

    /// What is charged to its cgroup at this moment, in kB: its pages and what is the kernel's. It waits
    /// until the kernel has counted the pages, which it does every two seconds.
    pub(crate) fn memory_now(&self) -> Result<u64> {
        sleep(Duration::from_millis(2500));
        let stat = self.memory("memory.stat", "memory.stat")?;
        let field =
            |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        let both = |v1: &str, v2: &str| field(v1).or_else(|| field(v2)).unwrap_or(0_u64);
        let kernel = match field("kernel ") {
            Some(bytes) => bytes,
            None => self.memory("memory.kmem.usage_in_bytes", "memory.stat")?.trim().parse()?,
        };
        Ok((both("rss ", "anon ") + both("cache ", "file ") + kernel) / 1024)
    }

    /// What a file of its cgroup says.
    fn memory(&self, v1: &str, v2: &str) -> Result<String> {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", self.pid))?;
        let file = text.lines().find_map(|line| file_of_memory(line, v1, v2));
        let file = file.context("no memory cgroup is known")?;
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    }

    /// A zombie does not live; nor does one whose process id is gone.
    fn lives(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if let Ok(mut delete) = self.runtime.command("delete") {
            let _ = delete.args(["--force", &self.id]).status();
        }
    }
}

/// The file for a line of `/proc/PID/cgroup`; version 2 has a peak since Linux 5.19.
fn file_of_memory(line: &str, v1: &str, v2: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, group) = (fields.next()?, fields.next()?.trim_start_matches('/'));
    let root = Path::new("/sys/fs/cgroup");
    let file = match controllers {
        "memory" => root.join("memory").join(group).join(v1),
        "" => root.join(group).join(v2),
        _ => return None,
    };
    file.exists().then_some(file)
}

fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env_remove(OF_CARGO);
    command
}
