//! The Debian packages that the tests need, installed where that is possible.

use super::tiers::Tier;
use crate::build;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Installs what the tiers lack, and returns what each then still lacks.
pub(super) fn provide(tiers: &[&'static Tier]) -> Result<Vec<(&'static Tier, Vec<&'static str>)>> {
    let wanted: Vec<_> = tiers.iter().flat_map(|tier| tier.packages.iter().copied()).collect();
    let missing = missing(&wanted)?;
    if !missing.is_empty() {
        println!("missing packages: {}", missing.join(" "));
        if can_install() {
            install(&missing)?;
        } else {
            println!("install them for all tests: apt-get install {}", missing.join(" "));
        }
    }
    tiers.iter().map(|tier| Ok((*tier, self::missing(tier.packages)?))).collect()
}

fn can_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists()
}

/// Which of these are not installed. On another distribution nothing is known of packages, and
/// every test looks for its programs itself.
fn missing(packages: &[&'static str]) -> Result<Vec<&'static str>> {
    if !Path::new("/usr/bin/dpkg-query").exists() {
        return Ok(Vec::new());
    }
    let format = "${Package} ${db:Status-Status}\n";
    // It exits with 1 when it does not know one of the names, which then is not installed.
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", format])
        .args(packages)
        .output()
        .context("dpkg-query")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut missing: Vec<_> = packages
        .iter()
        .copied()
        .filter(|name| !text.lines().any(|line| line == format!("{name} installed")))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    Ok(missing)
}

/// One by one if together fails: a package that this release of Debian lacks must not keep the
/// others away.
fn install(packages: &[&str]) -> Result<()> {
    build::check(apt_get().args(["update", "-q"]))?;
    if install_together(packages).is_ok() {
        return Ok(());
    }
    for package in packages {
        if let Err(error) = install_together(&[package]) {
            eprintln!("{error:#}");
        }
    }
    Ok(())
}

fn install_together(packages: &[&str]) -> Result<()> {
    build::check(apt_get().args(["install", "-q", "-y", "--no-install-recommends"]).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // Run level 1 keeps packages from starting daemons; the tests start their own.
    command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    command.stdin(std::process::Stdio::null());
    command
}
