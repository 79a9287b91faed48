//! SIGKILL at random moments, to one command or to two at a time. Whatever was being done, the
//! store is whole afterwards, and the next command works.
//!
//! `TINYO_KILLS` says how many processes are killed, `TINYO_KILLS_SEED` which moments it
//! is: the seed of a run is printed when it fails.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};

use super::hardship::disk;
use super::registry::Registry;
use super::support::{Engine, archive, tar};
use crate::expect_eq;
use crate::support::{scratch, until};

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

/// 200 moments are four trials, so that none takes long on a machine that has much else to do.
pub(crate) fn at_50_random_moments() -> Result<()> {
    of_loads(50)
}

pub(crate) fn at_50_more() -> Result<()> {
    of_loads(50)
}

pub(crate) fn at_a_third_50() -> Result<()> {
    of_loads(50)
}

pub(crate) fn at_a_fourth_50() -> Result<()> {
    of_loads(50)
}

fn of_loads(kills: u64) -> Result<()> {
    let engine = Engine::new();
    // In memory: what is synced to a disk is not what this is about.
    disk(&engine, "64m")?;
    let saved = images(&engine)?;
    let load = ["load", "--quiet", "-i", &saved];
    let pull = ["pull", "--quiet", &format!("docker-archive:{saved}")];
    kill_at_random(&engine, kills, [&load, &pull])
}

pub(crate) fn of_pulls_from_a_registry() -> Result<()> {
    let engine = Engine::new();
    disk(&engine, "256m")?;
    let registry = Registry::start()?;
    let layers = ["one", "two", "three"].map(|image| files(image, 5));
    let [one, two, three] = layers.map(|files| layer(&files));
    // Long enough to come in several parts at once.
    let folder = scratch("large");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("large"), vec![7; 20 << 20])?;
    let large = tar(&folder, &scratch("large.tar"), &["large"])?;
    let first = registry.add("first", &[&one?, &large])?;
    let second = registry.add("second", &[&large, &two?, &three?])?;
    let pulls = [["pull", "--quiet", &first], ["pull", "--quiet", &second]];
    kill_at_random(&engine, 40, [&pulls[0], &pulls[1]])
}

/// Each left as much as it had written, under a name of its own, for ever.
pub(crate) fn of_saves() -> Result<()> {
    let engine = Engine::new();
    let (folder, out) = (scratch("large"), scratch("out"));
    fs::create_dir_all(&folder)?;
    fs::create_dir_all(&out)?;
    fs::write(folder.join("large"), vec![7; 64 << 20])?;
    let large = tar(&folder, &scratch("large.tar"), &["large"])?;
    engine.ok(&["import", large.to_str().context("UTF-8")?, "large"])?;
    let file = out.join("saved.tar");
    let name = file.to_str().context("UTF-8")?;
    let save = ["save", "-o", name, "large"];
    let mut killed = 0;
    for _ in 0..20 {
        let mut child = start(&engine, &save)?;
        let io = format!("/proc/{}/io", child.id());
        let has_begun = |text: String| {
            let count = text.lines().find_map(|line| line.strip_prefix("wchar: "));
            count.is_some_and(|it| it.parse::<u64>().is_ok_and(|it| it > 1 << 20))
        };
        until("it writes", || fs::read_to_string(&io).is_ok_and(has_begun))?;
        child.kill()?;
        killed += u64::from(child.wait()?.code().is_none());
    }
    let left = || -> Result<Vec<_>> {
        Ok(fs::read_dir(&out)?.flatten().map(|it| it.file_name()).collect())
    };
    ensure!(killed > 3, "{killed} were killed");
    ensure!(left()?.iter().all(|it| it == "saved.tar"), "{:?}", left()?);
    // One that is there is replaced.
    fs::write(&file, "old")?;
    engine.ok(&save)?;
    expect_eq!(left()?, ["saved.tar"]);
    engine.ok(&["load", "-q", "-i", name]).map(drop)
}

/// `comings` are commands that bring three layers, or four, of which each alone brings some.
fn kill_at_random(engine: &Engine, usual: u64, comings: [&[&str]; 2]) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let seed = number("TINYO_KILLS_SEED").unwrap_or(u64::from(now.subsec_nanos()) | 1);
    let kills = number("TINYO_KILLS").unwrap_or(usual);
    let result = kill_with(engine, kills, comings, &mut Random(seed));
    result.with_context(|| format!("TINYO_KILLS_SEED={seed}"))
}

fn kill_with(
    engine: &Engine,
    kills: u64,
    comings: [&[&str]; 2],
    random: &mut Random,
) -> Result<()> {
    let commands: [&[&str]; 4] = [comings[0], comings[1], &["rmi", "-a"], &["prune", "-a", "-f"]];
    let all = || -> Result<(usize, usize)> {
        comings.iter().try_for_each(|words| engine.ok(words).map(drop))?;
        Ok((engine.names()?.len(), engine.files("layers/sha256")?.len()))
    };
    let begin = Instant::now();
    let whole = all()?;
    let longest = begin.elapsed() / 2;
    let mut killed = 0;
    while killed < kills {
        let count = 1 + random.below(2);
        let mut running = Vec::new();
        for _ in 0..count {
            let words = commands[usize::try_from(random.below(4))?];
            running.push(start(engine, words)?);
        }
        for mut child in running {
            sleep(longest.mul_f64(random.below(1000) as f64 / 1000.0 / count as f64));
            // It may have ended by itself, which is not counted.
            child.kill()?;
            killed += u64::from(child.wait()?.code().is_none());
        }
        engine.is_clean().with_context(|| format!("after {killed} kills"))?;
        if random.below(8) == 0 {
            let (images, _) = all().with_context(|| format!("after {killed} kills"))?;
            expect_eq!(images, whole.0);
        }
    }
    all()?;
    engine.ok(&["system", "prune", "-f"])?;
    engine.is_clean()?;
    for folder in ["incoming", "unpacking"] {
        expect_eq!(engine.files(folder)?, Vec::<String>::new(), "{folder}");
    }
    expect_eq!(engine.files("layers/sha256")?.len(), whole.1);
    Ok(())
}

fn files(image: &str, folders: usize) -> Vec<String> {
    (0..60).map(|number| format!("{image}{}/{number}", number % folders)).collect()
}

fn layer(files: &[String]) -> Result<PathBuf> {
    archive(&files[0].replace('/', "_"), &files.iter().map(String::as_str).collect::<Vec<_>>())
}

/// An archive of three images, which are no longer in the store.
fn images(engine: &Engine) -> Result<String> {
    let mut names = Vec::new();
    for (image, folders) in [("one", 3), ("two", 5), ("three", 7)] {
        engine.import(
            image,
            &files(image, folders).iter().map(String::as_str).collect::<Vec<_>>(),
            &[],
        )?;
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
