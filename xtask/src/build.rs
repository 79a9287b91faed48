//! Builds packages of this workspace.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `.cargo/config.toml` builds for.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// A `cargo` command in the workspace, the same cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command and takes anything but success for an error.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// The target folder, which `CARGO_TARGET_DIR` may have moved.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |path| root().join(path))
}

/// Builds release binaries of these packages, static ones, and returns their folder.
pub(crate) fn release(packages: &[&str]) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release", "--quiet"]);
    packages.iter().for_each(|package| {
        command.args(["-p", package]);
    });
    check(&mut command)?;
    Ok(target().join(TARGET).join("release"))
}

/// Builds what tests the programs, as the unit tests are built, and returns its folder.
pub(crate) fn trials(package: &str) -> Result<PathBuf> {
    check(cargo().args(["build", "--quiet", "-p", package]))?;
    Ok(target().join(TARGET).join("debug"))
}
