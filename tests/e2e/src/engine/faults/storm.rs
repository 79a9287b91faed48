//! Commands at random, of which some are killed, as are monitors and first processes of containers;
//! and what must be true and what must be gone when that is over.
//!
//! `TINYO_CHAOS_SECONDS` says how long (6), `TINYO_CHAOS_SEED` in which way.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

use crate::engine::support::{Engine, json};
use crate::expect_eq;
use crate::support::{processes, until};

/// How many commands run at once.
const AT_ONCE: usize = 6;

/// The next of a row of numbers that look as if they were random (xorshift).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Result<Random> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let seed = number("TINYO_CHAOS_SEED").unwrap_or(clock) | 1;
        println!("TINYO_CHAOS_SEED={seed}");
        Ok(Random(seed))
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    pub(super) fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

pub(super) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Containers and pods that there were at some time, by the names of their cgroups.
pub(super) type Known = BTreeSet<String>;

/// The names in a folder of the store.
fn names(engine: &Engine, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(engine.store.join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn note(engine: &Engine, known: &mut Known) {
    let is_id = |name: &String| name.len() == 64;
    known.extend(names(engine, "containers").into_iter().filter(is_id));
    let pods = names(engine, "pods").into_iter().filter(is_id);
    known.extend(pods.map(|id| format!("pod-{id}")));
}

/// Whether it is a command, a monitor, or the first process of a container.
fn is_ours(engine: &Engine, pid: i32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    if words.contains(&*engine.store.to_string_lossy()) {
        return words.contains("tinyo");
    }
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mut parts = group.split(|it: char| !it.is_ascii_alphanumeric());
    let is_container =
        |part: &str| part.len() == 64 && engine.store.join("containers").join(part).exists();
    words.starts_with("/dev/tino") && parts.any(is_container)
}

fn ours(engine: &Engine) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let all = processes::all().into_iter().map(|(pid, _)| pid);
    all.filter(|it| *it != own && is_ours(engine, *it)).collect()
}

/// False if it has ended. Its number may be another trial's by now, so that it is looked at again once
/// it is held.
fn kill(engine: &Engine, pid: i32) -> bool {
    let Some(held) = Pid::from_raw(pid) else { return false };
    let Ok(held) = pidfd_open(held, PidfdFlags::empty()) else { return false };
    is_ours(engine, pid) && pidfd_send_signal(&held, Signal::KILL).is_ok()
}

/// Runs commands and kills processes for a while.
pub(super) fn rage(
    engine: &Engine,
    random: &mut Random,
    command: impl Fn(&mut Random) -> String,
) -> Result<Known> {
    let time = Duration::from_secs(number("TINYO_CHAOS_SECONDS").unwrap_or(6));
    let (begin, mut running, mut kills, mut known) = (Instant::now(), Vec::new(), 0, Known::new());
    while begin.elapsed() < time || kills < AT_ONCE {
        if running.len() < AT_ONCE {
            let words = command(random);
            let words: Vec<&str> = words.split(' ').collect();
            let mut command = engine.command(&words);
            running.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        std::thread::sleep(Duration::from_millis(random.below(40) as u64));
        let all = ours(engine);
        if !all.is_empty() && kill(engine, all[random.below(all.len())]) {
            kills += 1;
        }
        running.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        note(engine, &mut known);
    }
    for mut child in running {
        until("a command ends", || matches!(child.try_wait(), Ok(Some(_))))?;
    }
    note(engine, &mut known);
    Ok(known)
}

/// Each that is said to run has a first process and a monitor, no other has; and those that are to
/// run whatever happens do, unless somebody has stopped them.
pub(super) fn what_is_told_is_true(engine: &Engine) -> Result<()> {
    // To look puts in order.
    engine.ok(&["ps", "-a"])?;
    let format = "--format={{.Names}} {{.ID}} {{.State}} {{.Pid}}";
    for line in engine.ok(&["ps", "-a", "--no-trunc", format])?.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, id, status, pid] = fields[..] else { continue };
        match status {
            "running" | "paused" => {
                let first: i32 = pid.parse()?;
                // It may have ended meanwhile, or run again, with another process.
                until(&format!("{line}: its process and monitor are there"), || {
                    processes::alive(first) && engine.monitor(id).is_ok()
                        || engine.field(name, "Pid").is_ok_and(|now| now != pid)
                })?;
            }
            "exited" | "created" => {
                // With a container of its pod it may run again, or be gone by itself.
                let is_so = || engine.field(name, "State").is_ok_and(|now| now == status);
                until(&format!("no monitor of {name}"), || {
                    engine.monitor(id).is_err() || !is_so()
                })?;
                if !is_so() {
                    continue;
                }
                let told = json(&engine.ok(&["inspect", "--format", "{{json .}}", id])?)?;
                let is_over = status == "created" || !is_to_run(engine, id, &told)?;
                ensure!(is_over, "{line}: not started again: {}", told["State"]);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether it should run, whatever was killed.
fn is_to_run(engine: &Engine, id: &str, told: &Value) -> Result<bool> {
    let was_stopped = |id: &str| engine.store.join("containers").join(id).join("stopped").exists();
    let policy = told["HostConfig"]["RestartPolicy"]["Name"].as_str().unwrap_or_default();
    // Its first process was killed before there was a program: whoever started it was told so, and
    // it is not for a policy to go on.
    let never_began =
        told["State"]["StartedAt"].as_str().is_some_and(|time| time.starts_with("0001"));
    if !matches!(policy, "always" | "unless-stopped") || was_stopped(id) || never_began {
        return Ok(false);
    }
    let Some(pod) = told["Pod"].as_str().filter(|pod| !pod.is_empty()) else { return Ok(true) };
    let infra = engine.ok(&["pod", "inspect", "-f", "{{.InfraContainerID}}", pod])?;
    Ok(!was_stopped(&infra))
}

/// The cgroups that belong to some of these.
fn groups(known: &Known) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let root = Path::new("/sys/fs/cgroup");
    let mut places = vec![root.join("tinyo")];
    places.extend(folders(root).into_iter().map(|folder| folder.join("tinyo")));
    for place in places.iter().flat_map(|place| folders(place)) {
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if known.contains(&name) {
            found.push(place);
        }
    }
    found
}

/// Removes everything, and looks for what is left.
pub(super) fn nothing_is_left(engine: &Engine, known: &Known) -> Result<()> {
    engine.ok(&["system", "check"])?;
    engine.ok(&["pod", "rm", "-f", "-a", "-t", "0"])?;
    engine.ok(&["rm", "-f", "-a", "-v"])?;
    engine.ok(&["container", "prune", "-f"])?;
    engine.ok(&["volume", "prune", "-f", "-a"])?;
    engine.ok(&["network", "prune", "-f"])?;
    engine.ok(&["system", "check"])?;
    engine.is_clean()?;
    // The kernel takes its time.
    until("all devices are gone", || {
        fs::read_to_string("/proc/self/net/dev")
            .is_ok_and(|all| !all.lines().any(|line| line.trim_start().starts_with("ve")))
    })?;
    until(&format!("all cgroups are gone: {:?}", groups(known)), || groups(known).is_empty())?;
    // On a busy machine no container may have come so far that there are such folders.
    let folders = ["runtime", "rootfs", "networks", "started", "guard"];
    let mut left = names(engine, "run");
    left.retain(|name| folders.iter().all(|known| name != known));
    ensure!(left.is_empty(), "sockets are left: {left:?}");
    for file in names(engine, "run/networks") {
        let text = fs::read_to_string(engine.store.join("run/networks").join(&file))?;
        ensure!(text.is_empty(), "names are left in {file:?}: {text}");
    }
    let volumes = names(engine, "volumes");
    ensure!(volumes.iter().all(|name| name == ".lock"), "volumes are left: {volumes:?}");
    expect_eq!(engine.ok(&["network", "ls", "-fdriver=bridge", "--format={{.Name}}"])?, "bridge");
    let table = std::process::Command::new("nft").args(["list", "table", "inet", "tinyo"]).output();
    let table = String::from_utf8_lossy(&table?.stdout).into_owned();
    // A bridge may have such digits in its name.
    let is_port = |word: &str| word.len() == 5 && word.starts_with("270");
    let has_port = |line: &&str| line.split(|it: char| !it.is_ascii_alphanumeric()).any(is_port);
    let left: Vec<&str> = table.lines().filter(has_port).collect();
    ensure!(left.is_empty(), "ports are left: {left:?}");
    Ok(())
}
