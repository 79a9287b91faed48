//! A disk that loses what was written. The kernel tells each open file of such an error once, and
//! then it is forgotten: whoever has to know must have asked before.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{StatVfsMountFlags, statvfs, syncfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount,
};

use super::registry::Registry;
use super::support::{Engine, end_of, tar};
use crate::expect_eq;
use crate::support::{scratch, until};

/// A file system on a file in memory. Without memory it cannot write.
struct Disk {
    memory: PathBuf,
}

impl Disk {
    fn new(engine: &Engine) -> Result<Disk> {
        sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        let memory = scratch("memory");
        fs::create_dir_all(&memory)?;
        fs::create_dir_all(&engine.store)?;
        mount("none", &memory, "tmpfs", MountFlags::empty(), c"size=100m")?;
        let file = memory.join("disk");
        File::create(&file)?.set_len(64 << 20)?;
        // Without a journal, as one that cannot be written ends all that follows.
        let mut make = Command::new("mkfs.ext4");
        run(make.args(["-q", "-F", "-O", "^has_journal"]).arg(&file))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&file).arg(&engine.store))?;
        Ok(Disk { memory })
    }

    /// From now on there is room for what was written once, and for nothing else.
    fn break_down(&self) -> Result<()> {
        let status = statvfs(&self.memory)?;
        ensure!(!status.f_flag.contains(StatVfsMountFlags::RDONLY));
        let used = (status.f_blocks - status.f_bfree) * status.f_frsize;
        let options = std::ffi::CString::new(format!("size={used}"))?;
        Ok(mount_remount(&self.memory, MountFlags::empty(), options.as_c_str())?)
    }

    fn recover(&self) -> Result<()> {
        Ok(mount_remount(&self.memory, MountFlags::empty(), c"size=100m")?)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let done = end_of(command)?;
    ensure!(done.code == Some(0), "{command:?}: {done:?}");
    Ok(())
}

/// A layer of one file that nobody else has, and of some empty ones behind it.
fn layer(name: &str, byte: u8, empty: usize) -> Result<PathBuf> {
    let folder = scratch(&format!("{name}.files"));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), vec![byte; 5 << 20])?;
    let mut names = vec![name.to_owned()];
    for number in 0..empty {
        names.push(format!("{number}"));
        fs::write(folder.join(&names[number + 1]), "")?;
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    tar(&folder, &scratch(&format!("{name}.tar")), &names)
}

/// The end of each layer that comes only when the disk has recovered. Of the second one, which
/// has 6,000 files in it, all of it is there long before all of it is unpacked: the first one's
/// failure does not interrupt it.
const LATE: usize = 3 << 20;

/// How much of the files with this name is unpacked.
fn unpacked(engine: &Engine, name: &str) -> u64 {
    let folders = fs::read_dir(engine.store.join("unpacking")).into_iter().flatten().flatten();
    let sizes =
        folders.map(|folder| fs::metadata(folder.path().join(name)).map_or(0, |it| it.len()));
    sizes.sum()
}

pub(crate) fn every_layer_learns_of_a_write_error() -> Result<()> {
    if !Path::new("/dev/loop-control").exists() {
        return harness::skip("there are no loop devices");
    }
    let engine = Engine::new();
    let disk = Disk::new(&engine)?;
    let result = lose_writes(&engine, &disk);
    // Before the file below it goes.
    unmount(&engine.store, UnmountFlags::DETACH)?;
    unmount(&disk.memory, UnmountFlags::DETACH)?;
    result
}

fn lose_writes(engine: &Engine, disk: &Disk) -> Result<()> {
    let registry = Registry::start()?;
    let (one, two) = (layer("one", 1, 0)?, layer("two", 2, LATE / 512)?);
    let name = registry.add("test", &[&one, &two])?;
    engine.ok(&["images"])?;
    let store = File::open(&engine.store)?;
    syncfs(&store)?;
    registry.keep_back(LATE);
    let pulling =
        engine.command(&["pull", "--quiet", &name]).stderr(std::process::Stdio::piped()).spawn()?;
    until("most of both layers is unpacked", || {
        ["one", "two"].iter().all(|name| unpacked(engine, name) > 1 << 20)
    })?;
    disk.break_down()?;
    let lost = syncfs(&store);
    disk.recover()?;
    registry.keep_back(0);
    ensure!(lost.is_err(), "nothing was lost, so nothing is tried here");
    let output = pulling.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1) && stderr.contains("syncfs"), "{output:?}");
    // None of the two may be there, for the next pull would believe it.
    expect_eq!(engine.files("layers/sha256")?, Vec::<String>::new());
    expect_eq!(registry.asked().len(), 2);
    // Nor may it go on with a blob of which the kernel alone still has all.
    expect_eq!(engine.files("incoming")?, Vec::<String>::new());
    engine.ok(&["pull", "--quiet", &name])?;
    expect_eq!(registry.asked().len(), 2, "layers that were got again");
    engine.is_clean()
}
