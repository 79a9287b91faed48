//! Containers whose processes are killed at random moments, and that come and go many times.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::storm::{Random, nothing_is_left, number, rage, what_is_told_is_true};
use crate::engine::support::Engine;
use crate::expect_eq;

const CONTAINERS: usize = 20;
const POLICIES: [&str; 4] = ["no", "always", "on-failure", "unless-stopped"];

/// Some have a network and ports, some a policy, a health check, volumes; some end by themselves.
fn run(number: usize) -> String {
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
    words += " box sh -c ";
    // Words are parted by blanks; those of a script by tabulators.
    words += if number.is_multiple_of(3) {
        "sleep\t1;exit\t3"
    } else {
        "while\t:;do\techo\tx;sleep\t0.2;done"
    };
    words
}

fn command(random: &mut Random) -> String {
    let name = format!("c{}", random.below(CONTAINERS));
    let words = random.pick(&[
        "RUN",
        "RUN",
        "RUN",
        "RUN",
        "stop -t 0 NAME",
        "start NAME",
        "restart -t 0 NAME",
        "rm -f -v NAME",
        "kill NAME",
        "pause NAME",
        "unpause NAME",
        "ps -a",
        "logs NAME",
        "exec -d NAME sleep 3",
        "update --memory 64m NAME",
        "commit NAME made",
        "cp /etc/hostname NAME:/data/copied",
        "top NAME",
        "inspect NAME",
        "network connect other NAME",
        "network disconnect other NAME",
        "run --rm -d -v /x box sleep 1",
        "container prune -f",
        "system check --quick",
    ]);
    match words {
        "RUN" => run(random.below(CONTAINERS)),
        words => words.replace("NAME", &name),
    }
}

pub(crate) fn kills_at_random_moments() -> Result<()> {
    let engine = Engine::new()?;
    let mut random = Random::new()?;
    for network in ["own", "other"] {
        engine.ok(&["network", "create", network])?;
    }
    let known = rage(&engine, &mut random, command)?;
    what_is_told_is_true(&engine)?;
    nothing_is_left(&engine, &known)
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
