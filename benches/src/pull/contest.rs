//! How each contestant gets an image.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::disk::Disk;
use crate::contestant::Contestant;

/// What one pull took.
pub(super) struct Sample {
    seconds: f64,
    /// Until everything was on the disk.
    synced: f64,
    /// Processor time of all processes.
    processor: f64,
    peak_kb: f64,
}

impl Sample {
    /// In the order of the lines of the table.
    pub(super) fn numbers(&self) -> [f64; 4] {
        [self.seconds, self.synced, self.processor, self.peak_kb]
    }
}

/// A way from a registry to root file systems.
pub(super) enum Way {
    Tinyo(Contestant),
    Podman,
    SkopeoAndUmoci,
    Containerd,
}

impl Way {
    pub(super) fn all(tinyo: Contestant) -> Vec<Way> {
        vec![Way::Tinyo(tinyo), Way::Podman, Way::SkopeoAndUmoci, Way::Containerd]
    }

    pub(super) fn contestant(&self) -> Contestant {
        match self {
            Way::Tinyo(contestant) => contestant.clone(),
            Way::Podman => Contestant::installed("podman"),
            Way::SkopeoAndUmoci => {
                Contestant { name: "skopeo + umoci".to_owned(), ..Contestant::installed("umoci") }
            }
            Way::Containerd => {
                Contestant { name: "containerd".to_owned(), ..Contestant::installed("ctr") }
            }
        }
    }

    /// Pulls to an empty disk.
    pub(super) fn turn(&self, disk: &Disk, name: &str) -> Result<Sample> {
        let disk = disk.format()?;
        // What is still to be written must not slow anybody down.
        ensure!(Command::new("sync").status()?.success(), "sync");
        let before = processor()?;
        let (begin, ended, peak_kb) = self.pull(disk.root, name)?;
        let processor = processor()? - before;
        // The daemon of containerd has ended in between, which is not counted.
        let syncing = Instant::now();
        disk.sync()?;
        let seconds = (ended - begin).as_secs_f64();
        let synced = seconds + syncing.elapsed().as_secs_f64();
        Ok(Sample { seconds, synced, processor, peak_kb })
    }

    /// When it began and ended, and the peak.
    fn pull(&self, store: &Path, name: &str) -> Result<(Instant, Instant, f64)> {
        let begin = Instant::now();
        let mut peak = 0.0;
        let mut run = |command: &mut Command| -> Result<()> {
            peak = peak_of(command)?.max(peak);
            Ok(())
        };
        match self {
            Way::Tinyo(tinyo) => {
                let mut command = Command::new(tinyo.path.as_ref().context("tinyo")?);
                run(command.arg("--root").arg(store.join("root")).args(["pull", "--quiet", name]))?;
            }
            Way::Podman => {
                let mut command = Command::new("podman");
                command
                    .arg("--root")
                    .arg(store.join("root"))
                    .arg("--runroot")
                    .arg(store.join("run"));
                command.args([
                    "--storage-driver=overlay",
                    "pull",
                    "--quiet",
                    "--tls-verify=false",
                    name,
                ]);
                run(&mut command)?;
            }
            Way::SkopeoAndUmoci => {
                let layout = format!("{}:x", store.join("layout").display());
                let mut copy = Command::new("skopeo");
                copy.args(["copy", "--quiet", "--insecure-policy", "--src-tls-verify=false"]);
                run(copy.arg(format!("docker://{name}")).arg(format!("oci:{layout}")))?;
                let mut unpack = Command::new("umoci");
                run(unpack.args(["unpack", "--image", &layout]).arg(store.join("bundle")))?;
            }
            Way::Containerd => return containerd(store, name),
        }
        Ok((begin, Instant::now(), peak))
    }
}

/// The daemon is started anew for each turn; its start does not count.
fn containerd(store: &Path, name: &str) -> Result<(Instant, Instant, f64)> {
    let socket = store.join("socket");
    let config = store.join("config.toml");
    fs::write(&config, "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n")?;
    let mut command = Command::new("containerd");
    command.arg("--config").arg(config).arg("--root").arg(store.join("root")).arg("--state");
    command.arg(store.join("state")).arg("--address").arg(&socket).stderr(Stdio::null());
    let mut daemon =
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("containerd")?;
    let result = (|| {
        wait_until("containerd listens", || socket.exists())?;
        let mut pull = Command::new("ctr");
        pull.arg("--address").arg(&socket).args(["images", "pull", "--plain-http", name]);
        let begin = Instant::now();
        peak_of(&mut pull)?;
        Ok((begin, Instant::now(), peak(&daemon)))
    })();
    let _ = daemon.kill();
    daemon.wait()?;
    result
}

/// Processor time of all children that have ended.
fn processor() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Runs a command, which must succeed, and returns its highest resident size in kB.
fn peak_of(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let mut highest: f64 = 0.0;
    let status = loop {
        highest = highest.max(peak(&child));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        sleep(Duration::from_millis(2));
    };
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        std::io::Read::read_to_string(&mut stderr, &mut text)?;
    }
    ensure!(status.success(), "{command:?}: {status}: {}", text.lines().last().unwrap_or_default());
    Ok(highest)
}

fn peak(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
}

/// Asks until the answer is yes, at most ten seconds.
pub(super) fn wait_until(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        if Instant::now() > deadline {
            bail!("gave up waiting until {what}");
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
