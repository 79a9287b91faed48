//! Processes of ours are killed at random moments, and containers come and go many times.
//!
//! `TINYO_CHAOS_SECONDS` says how long (6), `TINYO_CHAOS_SEED` in which way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

const CONTAINERS: usize = 20;
const POLICIES: [&str; 4] = ["no", "always", "on-failure", "unless-stopped"];

/// The next of a row of numbers that look as if they were random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Some have a network and ports, some a policy, a health check, volumes; some end by themselves.
fn run(number: usize) -> Vec<String> {
    let mut words = format!("run -d --name c{number} --restart {}", POLICIES[number % 4]);
    words += match number / 4 % 3 {
        0 => " --network none",
        1 => " --network bridge",
        _ => " --network own",
    };
    if !(number / 4).is_multiple_of(3) {
        words += &format!(" -p {}:80", 27_000 + number);
    }
    if number.is_multiple_of(5) {
        words += " --health-cmd true --health-interval 1s";
    }
    if number.is_multiple_of(7) {
        words += " -v /anonymous";
    }
    words += " box sh -c";
    let script = if number.is_multiple_of(3) {
        "sleep 1; exit 3"
    } else {
        "while :; do echo x; sleep 0.2; done"
    };
    words.split(' ').map(str::to_owned).chain([script.to_owned()]).collect()
}

fn command(random: &mut Random) -> Vec<String> {
    let number = random.below(CONTAINERS);
    let words = random.pick(&[
        "run",
        "run",
        "run",
        "run",
        "stop -t 0 ",
        "start ",
        "restart -t 0 ",
        "rm -f -v ",
        "kill ",
        "pause ",
        "unpause ",
        "ps -a ",
        "logs ",
        "exec -d SLEEP ",
        "update --memory 64m ",
        "commit IMAGE ",
        "cp FILE ",
        "top ",
        "inspect ",
        "network connect other ",
        "network disconnect other ",
        "run --rm -d -v /x box sleep 1 ",
        "container prune -f ",
        "system check --quick ",
    ]);
    match words {
        "run" => run(number),
        "exec -d SLEEP " => {
            ["exec", "-d", &format!("c{number}"), "sleep", "3"].map(str::to_owned).to_vec()
        }
        "commit IMAGE " => ["commit", &format!("c{number}"), "made"].map(str::to_owned).to_vec(),
        "cp FILE " => {
            ["cp", "/etc/hostname", &format!("c{number}:/data/copied")].map(str::to_owned).to_vec()
        }
        words
            if words.starts_with("ps")
                || words.contains("box")
                || words.contains("prune")
                || words.contains("check") =>
        {
            words.split_ascii_whitespace().map(str::to_owned).collect()
        }
        words => format!("{words}c{number}").split(' ').map(str::to_owned).collect(),
    }
}

/// Commands, monitors, and the first processes of containers.
fn ours(engine: &Engine) -> Vec<i32> {
    let store = engine.store.to_string_lossy().into_owned();
    let is_ours = |pid: i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        if words.contains(&store) {
            return words.contains("tinyo");
        }
        let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let id =
            group.split("/tinyo/").nth(1).map(|rest| rest.chars().take(64).collect::<String>());
        words.starts_with("/dev/tino")
            && id.is_some_and(|id| engine.store.join("containers").join(id).exists())
    };
    let own = std::process::id().cast_signed();
    processes::all()
        .into_iter()
        .map(|(pid, _)| pid)
        .filter(|it| *it != own && is_ours(*it))
        .collect()
}

pub(crate) fn kills_at_random_moments() -> Result<()> {
    let engine = Engine::new()?;
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    let seed = number("TINYO_CHAOS_SEED").unwrap_or(clock) | 1;
    let time = Duration::from_secs(number("TINYO_CHAOS_SECONDS").unwrap_or(6));
    println!("TINYO_CHAOS_SEED={seed}");
    let mut random = Random(seed);
    for network in ["own", "other"] {
        engine.ok(&["network", "create", network])?;
    }
    let (begin, mut running, mut kills) = (Instant::now(), Vec::new(), 0);
    while begin.elapsed() < time {
        if running.len() < 6 {
            let mut command = engine.command(&command(&mut random));
            running.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        std::thread::sleep(Duration::from_millis(random.below(40) as u64));
        let all = ours(&engine);
        if !all.is_empty() && sys::send(all[random.below(all.len())], libc::SIGKILL).is_ok() {
            kills += 1;
        }
        running.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
    }
    for mut child in running {
        until("a command ends", || matches!(child.try_wait(), Ok(Some(_))))?;
    }
    ensure!(kills > 0);
    what_is_told_is_true(&engine)?;
    engine.ok(&["system", "check"])?;
    engine.ok(&["rm", "-f", "-a", "-v"])?;
    engine.ok(&["container", "prune", "-f"])?;
    engine.ok(&["volume", "prune", "-f"])?;
    engine.ok(&["system", "check"])?;
    engine.is_clean()?;
    nothing_is_left(&engine)
}

/// Each that is said to run has a first process and a monitor, no other has; and those that are to
/// run whatever happens do, unless somebody has stopped them.
fn what_is_told_is_true(engine: &Engine) -> Result<()> {
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
                until(&format!("no monitor of {name}"), || engine.monitor(id).is_err())?;
                let number: usize = name.trim_start_matches('c').parse().unwrap_or(0);
                let is_to_run = matches!(POLICIES[number % 4], "always" | "unless-stopped");
                let folder = engine.store.join("containers").join(id);
                let was_stopped = folder.join("stopped").exists();
                let state = engine.ok(&["inspect", "--format", "{{json .State}}", name])?;
                // Its first process was killed before there was a program: whoever started it was
                // told so, and it is not for a policy to go on.
                let never_began = state.contains("it was killed while it was set up");
                ensure!(
                    status == "created" || !is_to_run || was_stopped || never_began,
                    "{line}: not started again: {state}"
                );
            }
            _ => {}
        }
    }
    Ok(())
}

fn nothing_is_left(engine: &Engine) -> Result<()> {
    // The kernel takes its time.
    until("all devices are gone", || {
        fs::read_to_string("/proc/self/net/dev")
            .is_ok_and(|all| !all.lines().any(|line| line.trim_start().starts_with("ve")))
    })?;
    // On a busy machine no container may have come so far that there are such folders.
    let folder = |name: &str| fs::read_dir(engine.store.join(name)).into_iter().flatten().flatten();
    let run = folder("run");
    let folders = ["runtime", "rootfs", "networks", "started"];
    let left: Vec<_> =
        run.map(|it| it.file_name()).filter(|it| folders.iter().all(|known| it != known)).collect();
    ensure!(left.is_empty(), "sockets are left: {left:?}");
    for file in folder("run/networks") {
        let text = fs::read_to_string(file.path())?;
        ensure!(text.is_empty(), "names are left in {file:?}: {text}");
    }
    for volume in folder("volumes") {
        expect_eq!(volume.file_name(), ".lock");
    }
    let table = std::process::Command::new("nft").args(["list", "table", "inet", "tinyo"]).output();
    let table = String::from_utf8_lossy(&table?.stdout).into_owned();
    // A bridge may have such digits in its name.
    let is_port = |word: &str| word.len() == 5 && word.starts_with("270");
    let has_port = |line: &&str| line.split(|it: char| !it.is_ascii_alphanumeric()).any(is_port);
    let left: Vec<&str> = table.lines().filter(has_port).collect();
    ensure!(left.is_empty(), "ports are left: {left:?}");
    Ok(())
}

/// How many files there are in each folder of a store.
fn count(folder: &Path, counts: &mut BTreeMap<String, usize>) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type()?.is_dir() {
            count(&entry.path(), counts)?;
        }
        *counts.entry(folder.display().to_string()).or_default() += 1;
    }
    Ok(())
}

pub(crate) fn many_cycles_grow_nothing() -> Result<()> {
    let engine = Engine::new()?;
    let cycle = || engine.ok(&["run", "--rm", "-p", "27100:80", "-v", "/x", "box", "true"]);
    cycle()?;
    let measure = || -> Result<_> {
        let mut counts = BTreeMap::new();
        // A process that nobody waits for may be at what was removed.
        engine.is_clean()?;
        count(&engine.store, &mut counts)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?.lines().count();
        let table = std::process::Command::new("nft").args(["list", "ruleset"]).output()?;
        Ok((counts, mounts, table.stdout.len(), fs::metadata(engine.store.join("tinyo.db"))?.len()))
    };
    let before = measure()?;
    for _ in 0..number("TINYO_CHAOS_CYCLES").unwrap_or(25) {
        cycle()?;
    }
    let after = measure()?;
    expect_eq!((after.0, after.1, after.2), (before.0, before.1, before.2));
    // Rows come and go on the same pages, some of which were still in SQLite's log before.
    ensure!(after.3 <= before.3 + (128 << 10), "{} bytes, then {}", before.3, after.3);
    Ok(())
}
