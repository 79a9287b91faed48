//! How the contestants are called. All take the same words; they differ in the options in front.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::cell::cgroup;
use super::measure::bury;
use crate::contestant::Contestant;
use crate::process;

/// What the image is called.
const IMAGE: &str = "localhost/bench:1";

/// So that Podman does not ask for more than the hard limits, which not every root may.
const PODMAN: &str =
    "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";

/// Which command line it has.
enum Kind {
    Tinyo,
    Podman,
    /// With its daemon, which has one of containerd.
    Docker(Child),
}

/// An engine that has the image.
pub(super) struct Engine {
    kind: Kind,
    program: PathBuf,
    folder: PathBuf,
    /// In memory, as what does not outlive the machine is by default.
    run: PathBuf,
    cgroup: String,
    /// Where it publishes a port.
    port: u16,
}

impl Engine {
    /// Makes a folder of its own for it below `folder`, and imports the image.
    pub(super) fn prepare(
        contestant: &Contestant,
        folder: &Path,
        tar: &Path,
        number: u16,
    ) -> Result<Engine> {
        let program = contestant.path.clone().context("not installed")?;
        let cgroup = cgroup(folder);
        let folder = folder.join(&contestant.name);
        fs::create_dir(&folder)?;
        let run = Path::new("/run/bench").join(&contestant.name);
        fs::create_dir_all(&run)?;
        let kind = match contestant.name.as_str() {
            "podman" => {
                fs::write(folder.join("containers.conf"), PODMAN)?;
                Kind::Podman
            }
            "docker" => Kind::Docker(start_docker(&folder, &run)?),
            _ => Kind::Tinyo,
        };
        let engine = Engine { kind, program, folder, run, cgroup, port: 40_000 + number };
        if let Kind::Docker(_) = engine.kind {
            let deadline = Instant::now() + Duration::from_secs(30);
            while engine.time(engine.command().arg("info")).is_err() {
                ensure!(Instant::now() < deadline, "dockerd does not answer");
                sleep(Duration::from_millis(100));
            }
        }
        engine.time(engine.command().arg("import").arg(tar).arg(IMAGE))?;
        Ok(engine)
    }

    /// Where it keeps what it has, and what runs.
    pub(super) fn folders(&self) -> [PathBuf; 2] {
        [self.folder.join("root"), self.run.clone()]
    }

    /// Whether it is ours.
    pub(super) fn is_tinyo(&self) -> bool {
        matches!(self.kind, Kind::Tinyo)
    }

    /// The program with its folders.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let option = |name: &str, folder: PathBuf| format!("{name}={}", folder.display());
        match self.kind {
            Kind::Tinyo => {
                command
                    .arg(option("--root", self.folder.join("root")))
                    .arg(option("--runroot", self.run.clone()));
            }
            Kind::Podman => {
                command
                    .env("CONTAINERS_CONF", self.folder.join("containers.conf"))
                    .args(["--cgroup-manager=cgroupfs", "--storage-driver=overlay"])
                    .args(["--events-backend=file", "--log-level=error"])
                    .arg(option("--root", self.folder.join("root")))
                    .arg(option("--runroot", self.run.join("root")))
                    .arg(option("--tmpdir", self.run.join("tmp")))
                    .arg(option("--network-config-dir", self.folder.join("networks")));
            }
            Kind::Docker(_) => {
                command.arg(format!("--host=unix://{}", self.folder.join("socket").display()));
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// `run FLAGS IMAGE WORDS`.
    pub(super) fn run(&self, flags: &[&str], words: &[&str]) -> Command {
        let mut command = self.command();
        command.arg("run").arg("--cgroup-parent").arg(&self.cgroup).args(flags);
        // Its default is to ask the registry each time.
        command.args(matches!(self.kind, Kind::Tinyo).then_some("--pull=never"));
        command.arg(IMAGE).args(words);
        command
    }

    /// The option that publishes a port.
    pub(super) fn publish(&self) -> String {
        format!("--publish=127.0.0.1:{}:80", self.port)
    }

    /// Runs a command that must succeed, and returns how many milliseconds it took.
    pub(super) fn time(&self, command: &mut Command) -> Result<f64> {
        let errors = self.folder.join("errors");
        command.stderr(File::create(&errors)?);
        let start = Instant::now();
        let status = command.status().with_context(|| format!("{command:?}"))?;
        let elapsed = start.elapsed();
        let errors = || fs::read_to_string(&errors).unwrap_or_default();
        ensure!(status.success(), "{command:?}: {status}: {}", errors().trim_end());
        Ok(elapsed.as_secs_f64() * 1e3)
    }

    /// The memory that nobody else has, in kB, of all processes beside the containers' own
    /// programs: our monitor and our init, conmon, the shim.
    pub(super) fn keepers(&self) -> Result<u64> {
        let is_keeper = |name: &str| match self.kind {
            Kind::Tinyo => name == "tinyo" || name == "tino",
            Kind::Podman => name == "conmon",
            Kind::Docker(_) => name.starts_with("containerd-shim"),
        };
        bury();
        let mut sum = 0;
        for pid in process::all()? {
            if process::name(pid).is_ok_and(|name| is_keeper(&name)) {
                sum += process::memory(pid)?.private;
            }
        }
        Ok(sum)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Kind::Docker(daemon) = &mut self.kind {
            // The containers end with the cell.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn start_docker(folder: &Path, run: &Path) -> Result<Child> {
    let path = Contestant::installed("dockerd").path.context("dockerd is not installed")?;
    let log = File::create(folder.join("log"))?;
    let mut daemon = Command::new(path);
    daemon
        .arg(format!("--host=unix://{}", folder.join("socket").display()))
        .arg("--data-root")
        .arg(folder.join("data"))
        .arg("--exec-root")
        .arg(run.join("exec"))
        .arg("--pidfile")
        .arg(run.join("pid"))
        .args(["--storage-driver=overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut child = daemon.spawn().context("dockerd")?;
    sleep(Duration::from_millis(500));
    if let Some(status) = child.try_wait()? {
        bail!("dockerd: {status}: {}", fs::read_to_string(folder.join("log"))?);
    }
    Ok(child)
}
