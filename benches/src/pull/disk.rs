//! A disk that nothing was on before.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// Room for what the largest image takes: its blob and its files, twice over.
const SIZE: usize = 4 << 30;

/// What this process mounts from now on goes when it ends, however it ends.
pub(super) fn keep_mounts_private() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("unshare: this benchmark needs root")?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    Ok(mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?)
}

/// A file that stands for a disk. All of its blocks have been written once, and it is read and
/// written past the page cache: a flush of this disk has nothing to do with what the rest of the
/// machine writes, as one of a disk of its own would not.
pub(super) struct Disk {
    file: PathBuf,
    root: PathBuf,
}

impl Disk {
    pub(super) fn new(folder: &Path) -> Result<Disk> {
        let disk = Disk { file: folder.join("disk"), root: folder.join("store") };
        fs::create_dir(&disk.root)?;
        let mut file = File::create(&disk.file)?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..SIZE / zeros.len() {
            file.write_all(&zeros).context("room for the disk")?;
        }
        file.sync_all()?;
        Ok(disk)
    }

    /// Makes a new ext4 on it, and mounts that until the result is dropped.
    pub(super) fn format(&self) -> Result<Formatted<'_>> {
        let mut make = Command::new("mkfs.ext4");
        run(make.args(["-q", "-F", "-E", "lazy_itable_init=1,nodiscard"]).arg(&self.file))?;
        // noinit_itable: nothing else is to write to it.
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", "loop,noinit_itable"]).arg(&self.file).arg(&self.root);
        run(&mut mount)?;
        let formatted = Formatted { root: &self.root };
        let mut find = Command::new("findmnt");
        let device = find.args(["--noheadings", "--output", "SOURCE"]).arg(&self.root).output()?;
        let device = String::from_utf8(device.stdout)?;
        run(Command::new("losetup").args(["--direct-io=on", device.trim()]))?;
        Ok(formatted)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_dir(&self.root);
    }
}

/// A file system that nothing was on before.
pub(super) struct Formatted<'a> {
    pub(super) root: &'a Path,
}

impl Formatted<'_> {
    /// Waits until all is written.
    pub(super) fn sync(&self) -> Result<()> {
        run(Command::new("sync").arg("--file-system").arg(self.root))
    }
}

impl Drop for Formatted<'_> {
    fn drop(&mut self) {
        // Podman leaves a mount of its own in it.
        let _ = umount2(self.root, MntFlags::MNT_DETACH);
    }
}

fn run(command: &mut Command) -> Result<()> {
    ensure!(command.status().with_context(|| format!("{command:?}"))?.success(), "{command:?}");
    Ok(())
}
