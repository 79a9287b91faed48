//! A great many things: what is done with all of them together costs less than with each.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use crate::engine::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::scratch;

const NETWORKS: usize = 40;

/// Each time that a bridge is removed the kernel waits: it was asked once for each, with the database
/// locked all the time.
pub(crate) fn networks_are_removed_together() -> Result<()> {
    let engine = Engine::new()?;
    let names: Vec<String> = (0..NETWORKS).map(|number| format!("net{number:02}")).collect();
    for (number, name) in names.iter().enumerate() {
        let subnet = format!("10.232.{number}.0/24");
        engine.ok(&["network", "create", "--subnet", &subnet, name])?;
    }
    engine.ok(&["create", "--name", "one", "--network", "net07", "box", "true"])?;
    let trace = scratch("trace");
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-e", "trace=sendto", "-o"]).arg(&trace).arg(harness::tinyo());
    command.arg("--root").arg(&engine.store).args(["network", "prune", "-f"]);
    let Ok(done) = end_of(&mut command) else {
        return harness::skip("strace is not installed");
    };
    ensure!(done.code == Some(0), "{done:#?}");
    let removed: Vec<&str> = done.stdout.lines().collect();
    let expected: Vec<&String> = names.iter().filter(|name| *name != "net07").collect();
    ensure!(removed == expected, "{removed:?}");
    let text = std::fs::read_to_string(trace)?;
    let waits = text
        .lines()
        .filter(|line| line.contains("RTM_DELLINK") || line.contains("nlmsg_type=0x11 "))
        .count();
    ensure!((1..=NETWORKS / 10).contains(&waits), "{waits} of {NETWORKS}");
    let bridges = end_of(std::process::Command::new("ip").args(["-o", "link"]))?.stdout;
    expect_eq!(bridges.matches(": tinyo-").count(), 1, "{bridges}");
    // Twice the same, one that is in use, one that is not there, and one that can go.
    engine.ok(&["network", "create", "last"])?;
    let words = ["network", "rm", "last", "last", "net07", "lost"];
    let done = engine.run(&words)?;
    expect_eq!((done.code, done.stdout.as_str()), (Some(1), "last\n"));
    for why in ["no such network: last", "no such network: lost", "net07"] {
        ensure!(done.stderr.contains(why), "{done:#?}");
    }
    engine.ok(&["rm", "one"])?;
    engine.ok(&["network", "rm", "net07"])?;
    engine.is_clean()
}

/// What all stores of the machine share stayed for ever.
pub(crate) fn reset_leaves_no_lock() -> Result<()> {
    let engine = Engine::new()?;
    ::sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    // Other trials use it meanwhile.
    mount("none", "/run", "tmpfs", MountFlags::empty(), c"")?;
    let lock = Path::new("/run/tinyo.lock");
    engine.ok(&["network", "create", "own"])?;
    ensure!(lock.exists());
    engine.ok(&["system", "reset", "-f"])?;
    let left: Vec<_> = std::fs::read_dir("/run")?.flatten().map(|it| it.file_name()).collect();
    ensure!(left.is_empty() && !engine.store.exists(), "{left:?}");
    Ok(())
}
