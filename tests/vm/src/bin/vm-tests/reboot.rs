//! The machine is started anew: containers that are to run always do so again, by what the unit
//! of `tinyo system service install` says, and nobody takes what is left for something that runs.
//!
//! systemd is not in the machine; the command of the unit is run as it is written there.

use crate::machine_with_busybox;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use vm::{Ending, Job, Outcome, Status};

const DISK: u64 = 256 << 20;

const MOUNT: &str = "
    mkdir -p /disk && mount -t ext4 /dev/vda /disk || exit 2
    export HOME=/
    tinyo='/bin/tinyo --root /disk/store'
    state() { $tinyo ps -a --format '{{.Names}} {{.State}}'; }";

/// Everything is on the disk when the power is cut.
const FIRST: &str = "
    $tinyo import /box.tar box || exit 3
    for policy in always unless-stopped on-failure no; do
        $tinyo run -d --name $policy --restart $policy --network none \\
            box sh -c 'echo started; sleep 1000' || exit 4
    done
    $tinyo run -d --name stopped --restart unless-stopped --network none box sleep 1000 || exit 5
    $tinyo stop -t 0 stopped || exit 6
    until $tinyo logs always | grep started; do sleep 0.1; done
    $tinyo system service install --print > /disk/unit || exit 7
    state
    sync
    echo ready
    sleep 1000";

const SECOND: &str = "
    command=$(grep ^ExecStart= /disk/unit)
    ${command#ExecStart=-} || exit 3
    echo started
    state
    until [ $($tinyo logs always | grep -c started) = 2 ]; do sleep 0.1; done
    $tinyo logs always
    $tinyo system check --quick || exit 4
    command=$(grep ^ExecStop= /disk/unit)
    ${command#ExecStop=} || exit 5
    echo stopped
    state
    $tinyo rm -f -a && $tinyo system check --quick || exit 6";

pub(crate) fn what_is_to_run_always_runs_again() -> Result<()> {
    let folder = std::env::temp_dir();
    let disk = folder.join("disk");
    File::create(&disk)?.set_len(DISK)?;
    match Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk).status() {
        Ok(made) => ensure!(made.success(), "mkfs.ext4"),
        Err(_) => return harness::skip("mkfs.ext4 is not installed"),
    }
    let machine = machine_with_busybox()?
        // Room for a program with everything to debug it.
        .memory(1024)
        .time_limit(Duration::from_secs(600))
        .program("/bin/tinyo", &harness::tinyo())?
        .symlink("/bin/sync", "busybox")
        .file("/box.tar", 0o644, &fs::read(image(&folder)?)?)
        .module("overlay")
        .disk(&disk);
    let first = machine.clone().power_cut_after("ready", Duration::from_millis(300));
    let outcome = first.run(Job::new(["/bin/sh", "-c", &[MOUNT, FIRST].concat()]))?;
    ensure!(outcome.ending == Ending::PowerCut, "{}", show(&outcome));
    let outcome = machine.run(Job::new(["/bin/sh", "-c", &[MOUNT, SECOND].concat()]))?;
    ensure!(outcome.status == Some(Status::Exited(0)), "{}", show(&outcome));
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let expected = "\
started
stopped exited
no exited
on-failure exited
unless-stopped running
always running
started
started
stopped
stopped exited
no exited
on-failure exited
unless-stopped exited
always exited
";
    ensure!(text.contains(expected), "{}", show(&outcome));
    Ok(())
}

/// A tar file of a root file system that has busybox.
fn image(folder: &Path) -> Result<PathBuf> {
    let root = folder.join("box");
    fs::create_dir_all(root.join("bin"))?;
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    for applet in ["sh", "sleep"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    let archive = folder.join("box.tar");
    let mut tar = Command::new("tar");
    let status = tar.arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status();
    ensure!(status.context("tar")?.success(), "tar");
    Ok(archive)
}

fn show(outcome: &Outcome) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&outcome.stdout), text(&outcome.stderr));
    format!("{:?}, {:?}\n{stdout}{stderr}{}", outcome.ending, outcome.status, outcome.console)
}
