//! However an image is made, it takes neither all memory nor a page of error message.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::registry::Registry;
use super::support::{Engine, end_of, tar};
use crate::support::scratch;

/// Three layers demand windows of 64 MiB each, and are pulled at the same time.
pub(crate) fn of_layers_with_large_windows() -> Result<()> {
    let engine = Engine::new();
    let registry = Registry::start()?;
    let mut layers = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let folder = scratch(name);
        fs::create_dir_all(&folder)?;
        File::create(folder.join(name))?.set_len(80 << 20)?;
        layers.push(tar(&folder, &scratch(&format!("{name}.tar")), &[name])?);
    }
    let layers: Vec<&Path> = layers.iter().map(AsRef::as_ref).collect();
    let (layers, other) = layers.split_at(3);
    // From a pipe: if it knew how little there is, it would demand less.
    let zstd = |window: u32| format!("cat $0 | zstd -1 --long={window} -q -c");
    let image = registry.add_packed("large", layers, &["sh", "-c", &zstd(26)])?;
    let mut child = engine.command(&["pull", "--quiet", &image]).spawn()?;
    let peak = peak(&mut child)?;
    ensure!(child.wait()?.success(), "pull");
    // One window, and what a pull takes without any.
    ensure!(peak < (64 + 64) << 10, "{peak} kB");
    // What is demanded beyond that is refused.
    let image = registry.add_packed("huge", other, &["sh", "-c", &zstd(28)])?;
    engine.fails(&["pull", "--quiet", &image], "it takes 256 MiB of memory to inflate")?;
    engine.is_clean()
}

/// The highest resident size in kB of a process until it ends.
fn peak(child: &mut Child) -> Result<u64> {
    let mut highest = 0;
    while child.try_wait()?.is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let size = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        highest = highest.max(size.unwrap_or(0));
        sleep(Duration::from_millis(2));
    }
    Ok(highest)
}

/// A folder in a folder in a folder: nobody wants to read all of it.
pub(crate) fn of_long_names() -> Result<()> {
    let engine = Engine::new();
    fs::create_dir_all(scratch("files"))?;
    fs::write(scratch("files/a"), "a")?;
    let archive = scratch("deep.tar");
    // Longer than a path can be; and with a part that is longer than a name can be.
    for name in ["folder/".repeat(10_000) + "a", "n".repeat(300) + "/" + &"f/".repeat(1000) + "a"] {
        let mut command = Command::new("tar");
        command.arg("-C").arg(scratch("files")).arg("-cf").arg(&archive);
        let renamed = format!("--transform=s|^a$|{name}|");
        let done = end_of(command.arg(renamed).arg("a"))?;
        ensure!(done.code == Some(0), "{done:?}");
        let done = engine.fails(&["import", archive.to_str().context("UTF-8")?, "deep"], "[..]")?;
        ensure!(done.stderr.len() < 1000, "{} bytes", done.stderr.len());
    }
    engine.is_clean()
}
