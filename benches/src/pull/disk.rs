//! A disk that nothing was on before.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// Of the file behind it, which takes only the room that is used.
const SIZE: u64 = 8 << 30;

/// What this process mounts from now on goes when it ends, however it ends.
pub(super) fn keep_mounts_private() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("unshare: this benchmark needs root")?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    Ok(mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?)
}

/// A new ext4, mounted until this is dropped.
pub(super) struct Disk {
    file: PathBuf,
    pub(super) root: PathBuf,
}

impl Disk {
    pub(super) fn new(folder: &Path) -> Result<Disk> {
        let disk = Disk { file: folder.join("disk"), root: folder.join("store") };
        File::create(&disk.file)?.set_len(SIZE)?;
        fs::create_dir(&disk.root)?;
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F", "-E", "lazy_itable_init=1,nodiscard"]).arg(&disk.file);
        run(&mut make)?;
        // noinit_itable: nothing else is to write to it.
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", "loop,noinit_itable"]).arg(&disk.file).arg(&disk.root);
        run(&mut mount)?;
        Ok(disk)
    }

    /// Waits until all is written.
    pub(super) fn sync(&self) -> Result<()> {
        run(Command::new("sync").arg("--file-system").arg(&self.root))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Podman leaves a mount of its own in it.
        let _ = umount2(&self.root, MntFlags::MNT_DETACH);
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_dir(&self.root);
    }
}

fn run(command: &mut Command) -> Result<()> {
    ensure!(command.status().with_context(|| format!("{command:?}"))?.success(), "{command:?}");
    Ok(())
}
