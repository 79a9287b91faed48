//! The power is cut at random moments while `tinyo` takes images in and removes them. Then the
//! store is whole, and the next pull works.
//!
//! `TINYO_POWER_CUTS` says how often (4 times on each file system), `TINYO_POWER_CUTS_SEED` when.

use crate::machine_with_busybox;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use vm::{Ending, Job, Machine, Outcome, Status};

/// Debian's xfs wants at least 300 MB.
const DISK: u64 = 512 << 20;

/// Over and over, until there is no power any more.
const BUSY: &str = "
    echo busy
    while :; do
        $tinyo pull -q docker-archive:/images.tar
        $tinyo rmi -q one
        $tinyo load -q -i /images.tar
        $tinyo rmi -q -a
        $tinyo prune -q -a -f || $tinyo prune -a -f
    done";

/// After a start, whatever was before.
const CHECK: &str = "
    $tinyo system check || exit 3
    $tinyo pull -q docker-archive:/images.tar || exit 4
    $tinyo system check || exit 5
    test \"$($tinyo images -q | grep -c .)\" -ge 1 || exit 6
    $tinyo rmi -q -a || exit 7
    sync";

pub(crate) fn on_ext4() -> Result<()> {
    cut_power("ext4", &["mkfs.ext4", "-q", "-F"])
}

pub(crate) fn on_xfs() -> Result<()> {
    cut_power("xfs", &["mkfs.xfs", "-q", "-f"])
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn cut_power(kind: &str, make: &[&str]) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let seed = number("TINYO_POWER_CUTS_SEED").unwrap_or(u64::from(now.subsec_nanos()) | 1);
    let folder = std::env::temp_dir();
    let images = images(&folder)?;
    let disk = folder.join("disk");
    File::create(&disk)?.set_len(DISK)?;
    let Ok(made) = Command::new(make[0]).args(&make[1..]).arg(&disk).status() else {
        return harness::skip(format!("{} is not installed", make[0]));
    };
    ensure!(made.success(), "{make:?}");
    let machine = machine(kind, &images, &disk)?;
    let mut random = seed;
    let rounds = number("TINYO_POWER_CUTS").unwrap_or(4);
    // Each start checks what the cut before it has left, and the last one does nothing else.
    for round in 0..=rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let context = || format!("round {round}, TINYO_POWER_CUTS_SEED={seed}");
        if round == rounds {
            let outcome = run(machine.clone(), kind, CHECK).with_context(context)?;
            ensure!(outcome.status == Some(Status::Exited(0)), "{}: {}", context(), show(&outcome));
        } else {
            let delay = Duration::from_millis(random % 3000);
            let machine = machine.clone().power_cut_after("busy", delay);
            let outcome = run(machine, kind, &[CHECK, BUSY].concat()).with_context(context)?;
            ensure!(outcome.ending == Ending::PowerCut, "{}: {}", context(), show(&outcome));
        }
    }
    Ok(())
}

fn show(outcome: &Outcome) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&outcome.stdout), text(&outcome.stderr));
    format!("{:?}, {:?}\n{stdout}{stderr}{}", outcome.ending, outcome.status, outcome.console)
}

fn run(machine: Machine, kind: &str, script: &str) -> Result<Outcome> {
    let script = format!(
        "mkdir -p /disk && mount -t {kind} /dev/vda /disk || exit 2
        export HOME=/ ; tinyo='/bin/tinyo --root /disk/store'\n{script}"
    );
    machine.run(Job::new(["/bin/sh", "-c", &script]))
}

fn machine(kind: &str, images: &Path, disk: &Path) -> Result<Machine> {
    // Room for a program with everything to debug it.
    let machine = machine_with_busybox()?
        .memory(1024)
        .time_limit(Duration::from_secs(600))
        .program("/bin/tinyo", &harness::tinyo())?
        .symlink("/bin/sync", "busybox")
        .symlink("/bin/test", "busybox")
        .file("/images.tar", 0o644, &fs::read(images)?)
        .disk(disk);
    Ok(if kind == "ext4" { machine } else { machine.module(kind) })
}

/// An archive of two images with some hundred files each.
fn images(folder: &Path) -> Result<PathBuf> {
    let saved = folder.join("images.tar");
    let tinyo = || {
        let mut command = Command::new(harness::tinyo());
        command.arg("--root").arg(folder.join("store")).env("HOME", folder);
        command
    };
    for image in ["one", "two"] {
        let files = folder.join(image);
        for number in 0..300 {
            let file = files.join(format!("{}/{number}", number % 7));
            fs::create_dir_all(file.parent().context("a folder")?)?;
            fs::write(file, format!("{image} {number} ").repeat(number * 20))?;
        }
        let archive = folder.join("files.tar");
        run_to_end(Command::new("tar").arg("-C").arg(&files).arg("-cf").arg(&archive).arg("."))?;
        run_to_end(tinyo().arg("import").arg(&archive).arg(image))?;
    }
    run_to_end(tinyo().arg("save").arg("-o").arg(&saved).args(["one", "two"]))?;
    Ok(saved)
}

fn run_to_end(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {output:?}");
    Ok(())
}
