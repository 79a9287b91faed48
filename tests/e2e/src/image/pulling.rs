//! Pulls from a registry while others remove, prune and check: all end well, or say that what they
//! meant is gone, and the store is whole.
//!
//! `TINYO_ROUNDS` says how often (6).

use std::fs;
use std::process::{Child, Stdio};

use anyhow::{Result, ensure};

use super::hardship::disk;
use super::registry::Registry;
use super::support::{Engine, archive, tar};
use crate::support::scratch;

pub(crate) fn everything_at_once() -> Result<()> {
    let engine = Engine::new();
    // In memory: what is synced to a disk is not what this is about.
    disk(&engine, "256m")?;
    let registry = Registry::start()?;
    let folder = scratch("large");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("large"), vec![7; 12 << 20])?;
    let large = tar(&folder, &scratch("large.tar"), &["large"])?;
    let (small, other) = (archive("small", &["a", "b/c"])?, archive("other", &["b/d"])?);
    let one = registry.add("one", &[&small, &large])?;
    let two = registry.add("two", &[&large, &other])?;
    let rounds = std::env::var("TINYO_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(6);
    for round in 0..rounds {
        let commands: [&[&str]; 7] = [
            &["pull", "--quiet", &one],
            &["rmi", "--quiet", "-a"],
            &["pull", "--quiet", &two],
            &["prune", "-a", "-f"],
            &["pull", "--quiet", &one],
            &["system", "check", "--quiet"],
            &["rmi", "--quiet", &two],
        ];
        let start = |words: &&[&str]| -> Result<Child> {
            let mut command = engine.command(words);
            Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
        };
        let children = commands.iter().map(start).collect::<Result<Vec<_>>>()?;
        for (child, words) in children.into_iter().zip(commands) {
            let output = child.wait_with_output()?;
            let text = String::from_utf8_lossy(&output.stderr);
            let is_gone = words[0] == "rmi" && text.contains("is here");
            ensure!(output.status.success() || is_gone, "round {round}: {words:?}: {output:?}");
        }
        engine.is_clean()?;
        for name in [&one, &two] {
            engine.ok(&["pull", "--quiet", name])?;
        }
        engine.is_clean()?;
    }
    Ok(())
}
