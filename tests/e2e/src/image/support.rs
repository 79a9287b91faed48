//! A store of its own, and images for it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

pub(super) use crate::support::tinyo::{Done, end_of};
use crate::support::{scratch, tinyo};

/// `tinyo` with a store of its own, and no configuration of the machine's.
pub(super) struct Engine {
    pub(super) store: PathBuf,
}

impl Engine {
    pub(super) fn new() -> Engine {
        Engine { store: scratch("store") }
    }

    pub(super) fn command<Word: AsRef<OsStr>>(&self, words: &[Word]) -> Command {
        tinyo::command(&self.store, words)
    }

    pub(super) fn run(&self, words: &[&str]) -> Result<Done> {
        end_of(&mut self.command(words))
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub(super) fn ok(&self, words: &[&str]) -> Result<String> {
        let done = self.run(words)?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(done.stdout.trim_end_matches('\n').to_owned())
    }

    /// The same, for what prints JSON.
    pub(super) fn json(&self, words: &[&str]) -> Result<Value> {
        serde_json::from_str(&self.ok(words)?).with_context(|| format!("{words:?}"))
    }

    /// Runs a command that must fail with 1 and say this.
    pub(super) fn fails(&self, words: &[&str], expected: &str) -> Result<Done> {
        let done = self.run(words)?;
        ensure!(
            done.code == Some(1)
                && done.stderr.contains(expected)
                && done.stderr.lines().any(|line| line.starts_with("tinyo: ")),
            "{words:?}: expected {expected:?}: {done:#?}"
        );
        Ok(done)
    }

    /// Makes an image with these files, which hold their own names, and returns its id.
    pub(super) fn import(&self, name: &str, files: &[&str], changes: &[&str]) -> Result<String> {
        let archive = archive(&name.replace(['/', ':'], "_"), files)?;
        let mut words = vec!["import"];
        changes.iter().for_each(|change| words.extend(["--change", change]));
        self.ok(&[&words[..], &[archive.to_str().context("UTF-8")?, name]].concat())
    }

    /// `repository:tag` of all images, in the order of `tinyo images`.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let text = self.ok(&["images", "--format={{.Repository}}:{{.Tag}}"])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The names in a folder of the store.
    pub(super) fn files(&self, folder: &str) -> Result<Vec<String>> {
        let entries = fs::read_dir(self.store.join(folder))?;
        let mut names: Vec<_> = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        names.sort();
        Ok(names)
    }

    /// `system check` finds nothing.
    pub(super) fn is_clean(&self) -> Result<()> {
        let findings = self.json(&["system", "check", "--quiet", "--format=json"])?;
        ensure!(findings == serde_json::json!([]), "{findings:#}");
        Ok(())
    }
}

/// A tar file.
pub(super) fn archive(name: &str, files: &[&str]) -> Result<PathBuf> {
    let folder = scratch(&format!("{name}.files"));
    for file in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::write(path, file)?;
    }
    fs::create_dir_all(&folder)?;
    tar(&folder, &scratch(&format!("{name}.tar")), &["."])
}

/// A tar file of these files in a folder, each named so; the same files give the same bytes.
pub(super) fn tar(folder: &Path, archive: &Path, names: &[&str]) -> Result<PathBuf> {
    let mut command = Command::new("tar");
    command.arg("-C").arg(folder).args(["--mtime=@1000", "--sort=name", "-cf"]).arg(archive);
    // A folder that is named has what is in it only if it is all that is named.
    if names != ["."] {
        command.arg("--no-recursion");
    }
    let done = end_of(command.args(names))?;
    ensure!(done.code == Some(0), "{done:#?}");
    Ok(archive.to_owned())
}

/// The names in a tar file, without those of folders.
pub(super) fn listed(archive: &Path) -> Result<Vec<String>> {
    let done = end_of(Command::new("tar").arg("-tf").arg(archive))?;
    ensure!(done.code == Some(0), "{done:#?}");
    let names = done.stdout.lines().filter(|line| !line.ends_with('/'));
    Ok(names.map(|name| name.trim_start_matches("./").to_owned()).collect())
}
