//! What is left on the machine by containers that came and went.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::engines::Engine;
use super::measure::{bury, run};
use crate::process;

/// Runs until all that is made once is there, and the log of events has its usual length.
const WARM_UP: usize = 50;

/// Names of what is counted, in the order of [`measure`].
pub(super) const NAMES: [&str; 6] = [
    "growth: files",
    "growth: database, kB",
    "growth: mounts",
    "growth: cgroups",
    "growth: processes",
    "growth: kernel memory, kB",
];

/// How much more there is after so many runs.
pub(super) fn measure(engine: &Engine, cgroup: &str, runs: usize) -> Result<[f64; 6]> {
    let many = |runs: usize| (0..runs).try_for_each(|_| run(engine).map(drop));
    many(WARM_UP)?;
    let before = count(engine, cgroup)?;
    many(runs)?;
    let after = count(engine, cgroup)?;
    Ok(std::array::from_fn(|index| after[index] - before[index]))
}

fn count(engine: &Engine, cgroup: &str) -> Result<[f64; 6]> {
    // What the kernel frees later is freed by then.
    sleep(Duration::from_secs(2));
    bury();
    let [root, run] = engine.folders();
    let database = fs::metadata(root.join("tinyo.db"))?.len();
    let mounts = fs::read_to_string("/proc/self/mountinfo")?.lines().count();
    let hierarchies = fs::read_dir("/sys/fs/cgroup")?.flatten().map(|it| it.path());
    let own = |hierarchy: PathBuf| entries(&hierarchy.join(cgroup.trim_start_matches('/')), true);
    let groups = hierarchies.map(own).sum::<usize>();
    Ok([
        (entries(&root, false) + entries(&run, false)) as f64,
        database as f64 / 1024.0,
        mounts as f64,
        groups as f64,
        process::all()?.len() as f64,
        kernel_memory()?,
    ])
}

/// Files and folders below a folder, or folders alone.
fn entries(folder: &Path, only_folders: bool) -> usize {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let each = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => 1 + entries(&entry.path(), only_folders),
        _ => usize::from(!only_folders),
    };
    found.map(each).sum()
}

/// What the kernel has taken for itself and gives back to nobody, in kB.
fn kernel_memory() -> Result<f64> {
    const FIELDS: [&str; 4] = ["SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:"];
    let text = fs::read_to_string("/proc/meminfo")?;
    let field = |name: &&str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        number.with_context(|| format!("no {name} in /proc/meminfo"))
    };
    FIELDS.iter().map(field).sum()
}
