//! SIGKILL at random moments, to one command or to two at a time. Whatever was being done, the
//! store is whole afterwards, and the next command works.
//!
//! `TINYO_KILLS` says how many processes are killed (200), `TINYO_KILLS_SEED` which moments it
//! is: the seed of a run is printed when it fails.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result};

use super::hardship::disk;
use super::support::Engine;
use crate::expect_eq;
use crate::support::scratch;

/// Numbers that look random, always the same ones after the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

pub(crate) fn at_200_random_moments() -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let seed = number("TINYO_KILLS_SEED").unwrap_or(u64::from(now.subsec_nanos()) | 1);
    let kills = number("TINYO_KILLS").unwrap_or(200);
    kill_at_random(kills, &mut Random(seed)).with_context(|| format!("TINYO_KILLS_SEED={seed}"))
}

fn kill_at_random(kills: u64, random: &mut Random) -> Result<()> {
    let engine = Engine::new();
    // In memory: what is synced to a disk is not what this is about.
    disk(&engine, "64m")?;
    let saved = images(&engine)?;
    let load = ["load", "--quiet", "-i", &saved];
    let pull = ["pull", "--quiet", &format!("docker-archive:{saved}")];
    let commands: [&[&str]; 4] = [&load, &pull, &["rmi", "-a"], &["prune", "-a", "-f"]];
    let begin = Instant::now();
    engine.ok(&load)?;
    let longest = begin.elapsed();
    let mut killed = 0;
    while killed < kills {
        let count = 1 + random.below(2);
        let mut running = Vec::new();
        for _ in 0..count {
            let words = commands[usize::try_from(random.below(4))?];
            running.push(start(&engine, words)?);
        }
        for mut child in running {
            sleep(longest.mul_f64(random.below(1000) as f64 / 1000.0 / count as f64));
            // It may have ended by itself, which is not counted.
            child.kill()?;
            killed += u64::from(child.wait()?.code().is_none());
        }
        engine.is_clean().with_context(|| format!("after {killed} kills"))?;
        if random.below(4) == 0 {
            engine.ok(&load).with_context(|| format!("after {killed} kills"))?;
            expect_eq!(engine.names()?.len(), 3);
        }
    }
    engine.ok(&load)?;
    engine.ok(&["system", "prune", "-f"])?;
    engine.is_clean()?;
    for folder in ["incoming", "unpacking"] {
        expect_eq!(engine.files(folder)?, Vec::<String>::new(), "{folder}");
    }
    expect_eq!(engine.files("layers/sha256")?.len(), 3);
    Ok(())
}

/// An archive of three images, which are no longer in the store.
fn images(engine: &Engine) -> Result<String> {
    let mut names = Vec::new();
    for (image, folders) in [("one", 3), ("two", 5), ("three", 7)] {
        let files: Vec<_> =
            (0..60).map(|number| format!("{image}{}/{number}", number % folders)).collect();
        engine.import(image, &files.iter().map(String::as_str).collect::<Vec<_>>(), &[])?;
        names.push(image);
    }
    let saved = scratch("saved.tar").to_str().context("UTF-8")?.to_owned();
    engine.ok(&[&["save", "-o", &saved], &names[..]].concat())?;
    engine.ok(&["rmi", "-a"])?;
    Ok(saved)
}

fn start(engine: &Engine, words: &[&str]) -> Result<Child> {
    let mut command = engine.command(words);
    Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}
