//! An attacker who changes the root file system while the container is being made: two names
//! change places as fast as the machine allows.
//!
//! A race that is lost by the attacker shows nothing; these tests run many rounds, and the
//! programs that fell for it in the past fall for it in one of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use super::support::kernel::KERNELS;
use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::sys;
use crate::support::{Finished, scratch};

/// How often the container is made.
const ROUNDS: usize = 40;

/// A process that lets two names change places until it is dropped.
pub(super) struct Swapper(i32);

impl Swapper {
    pub(super) fn start(one: &Path, other: &Path) -> Result<Self> {
        let (one, other) = (one.to_owned(), other.to_owned());
        let pid = sys::fork(0, || {
            loop {
                // It fails while one of the names is being replaced.
                let _ = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
            }
        })?;
        Ok(Self(pid))
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        let _ = sys::send(self.0, libc::SIGKILL);
        let _ = sys::wait(self.0, 0);
    }
}

/// A folder of the machine in which nothing may ever appear.
pub(super) fn decoy() -> Result<PathBuf> {
    let folder = scratch("decoy");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Runs the container again and again on each kernel.
fn again_and_again(
    container: &Container,
    mut check: impl FnMut(&Finished) -> Result<()>,
) -> Result<()> {
    for kernel in KERNELS {
        for round in 0..ROUNDS {
            let finished = kernel.under(container.launch_new("run", &[])).finish()?;
            let context = || format!("{kernel:?}, round {round}: {finished:?}");
            check(&finished).with_context(context)?;
            container.expect_gone().with_context(context)?;
        }
    }
    Ok(())
}

/// CVE-2021-30465 and CVE-2024-45310: a folder on the way to mount targets changes places with a
/// link out of the root. A naive runtime checks the path and then mounts by its name, so that some
/// mounts end up on the machine's folder and are lost, and folders and files are made there.
pub(crate) fn mount_targets_that_change_places() -> Result<()> {
    let decoy = decoy()?;
    let mut bundle = Bundle::script("cat /proc/self/mountinfo")?;
    let work = bundle.rootfs().join("work");
    fs::create_dir(work.join("volume"))?;
    symlink(&decoy, work.join("swapped"))?;
    const MOUNTS: usize = 20;
    for number in 0..MOUNTS {
        let target = format!("/work/volume/deep/{number}");
        bundle = bundle.mount(&target, "tmpfs", format!("mount-{number}"), "");
    }
    bundle = bundle.mount("/work/volume/file", "bind", "/etc/hostname", "bind");
    let container = Container::new(bundle)?;
    let _swapper = Swapper::start(&work.join("volume"), &work.join("swapped"))?;
    again_and_again(&container, |finished| {
        let made: Vec<_> = fs::read_dir(&decoy)?.flatten().map(|it| it.file_name()).collect();
        ensure!(made.is_empty(), "on the machine there appeared {made:?}");
        if finished.code()? == 0 {
            let kept = finished.stdout.lines().filter(|line| line.contains(" mount-")).count();
            expect_eq!(kept, MOUNTS, "mounts in the root");
        }
        Ok(())
    })
}

/// youki GHSA-3q8j-pf29-vwv8: a path is resolved once to bind it onto itself and once more to make
/// that read-only. In between a folder on the way changes places with another one, and a naive
/// runtime makes the wrong one read-only.
pub(crate) fn read_only_paths_that_change_places() -> Result<()> {
    let bundle = Bundle::script("cat /proc/self/mountinfo")?;
    let work = bundle.rootfs().join("work");
    for name in ["one", "two"] {
        fs::create_dir(work.join(name))?;
        for number in 0..10 {
            fs::write(work.join(name).join(number.to_string()), name)?;
        }
    }
    // Those of the second folder come when those of the first are bound already: a name that
    // means another file by now is a mount point all the same.
    let paths: Vec<String> = ["one", "two"]
        .iter()
        .flat_map(|name| (0..10).map(move |number| format!("/work/{name}/{number}")))
        .collect();
    let bundle = bundle.set("/linux/readonlyPaths", json!(paths)).set("/root/readonly", false);
    let container = Container::new(bundle)?;
    let _swapper = Swapper::start(&work.join("one"), &work.join("two"))?;
    again_and_again(&container, |finished| {
        if finished.code()? != 0 {
            return Ok(());
        }
        let below = finished.stdout.lines().filter(|line| line.contains(" /work/"));
        let options: Vec<&str> = below.filter_map(|line| line.split(' ').nth(5)).collect();
        expect_eq!(options.len(), 20, "read-only paths that were bound");
        ensure!(options.iter().all(|it| it.starts_with("ro")), "writable ones: {options:?}");
        Ok(())
    })
}

/// CVE-2025-31133, CVE-2025-62161: `/dev` is a volume in which the attacker exchanges `null` for a
/// link. A naive runtime makes the device, and later binds what then has its name over the paths
/// to mask.
pub(crate) fn a_null_device_that_changes_places() -> Result<()> {
    let secret = "cat /work/*.secret; stat -c %F:%t:%T /work/*.secret | sort | uniq -c";
    let bundle = Bundle::script(secret)?;
    let (dev, work) = (scratch("dev"), bundle.rootfs().join("work"));
    fs::create_dir(&dev)?;
    fs::write(work.join("own"), "attacker's\n")?;
    symlink("/work/own", dev.join("swapped"))?;
    let paths: Vec<String> = (0..10).map(|number| format!("/work/{number}.secret")).collect();
    for number in 0..10 {
        fs::write(work.join(format!("{number}.secret")), "secret\n")?;
    }
    let bundle = ["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev"]
        .iter()
        .fold(bundle, |bundle, target| bundle.without_mount(target))
        .mount("/dev", "bind", &dev, "bind")
        .set("/linux/maskedPaths", json!(paths));
    let container = Container::new(bundle)?;
    // The first run makes the device that then changes places.
    container.run()?;
    let _swapper = Swapper::start(&dev.join("null"), &dev.join("swapped"))?;
    again_and_again(&container, |finished| {
        if finished.code()? == 0 {
            expect_eq!(finished.stdout.trim(), "10 character special file:1:3");
        }
        ensure!(!finished.stdout.contains("secret\n"), "a secret can be read");
        Ok(())
    })
}

/// CVE-2023-27561 and its kin, with a race: `/proc` is a folder and a link in turn.
pub(crate) fn proc_that_changes_places() -> Result<()> {
    let bundle = Bundle::script("stat -f -c %T /proc /work; [ -L /proc ] || echo folder")?;
    let rootfs = bundle.rootfs();
    symlink("work", rootfs.join("swapped"))?;
    let container = Container::new(bundle)?;
    let swapper = Swapper::start(&rootfs.join("proc"), &rootfs.join("swapped"))?;
    for round in 0..ROUNDS * 2 {
        let finished = container.run()?;
        // Where it runs at all, procfs is never where the link leads.
        let mounted: Vec<&str> = finished.stdout.lines().collect();
        let wrong = mounted.get(1).is_some_and(|kind| *kind == "proc") && mounted.len() == 3;
        ensure!(!wrong, "round {round}: procfs is mounted on /work: {finished:?}");
    }
    drop(swapper);
    container.expect_gone()
}

/// Whoever may rename the folder on which procfs is mounted takes the mount along with it. What is to
/// be hidden or read-only in there is not found then, and the container has a procfs with all that
/// the machine's root may write, in another place.
pub(crate) fn what_is_protected_in_proc_and_sys_goes_with_them() -> Result<()> {
    for (name, protected) in [("proc", "/sys"), ("sys", "/kernel")] {
        let bundle = Bundle::script("cat /*/self/mountinfo")?
            .set("/linux/maskedPaths", json!([]))
            .set("/linux/readonlyPaths", json!([format!("/{name}{protected}")]));
        let rootfs = bundle.rootfs();
        fs::create_dir(rootfs.join("swapped"))?;
        let container = Container::new(bundle)?;
        let _swapper = Swapper::start(&rootfs.join(name), &rootfs.join("swapped"))?;
        let mut seen = 0;
        again_and_again(&container, |finished| {
            // It is not seen where it has changed its place just then.
            if finished.stdout.is_empty() {
                return Ok(());
            }
            seen += 1;
            let mut mounts =
                finished.stdout.lines().map(|line| line.split(' ').collect::<Vec<_>>());
            let is_protected =
                mounts.any(|mount| mount[3] == protected && mount[5].starts_with("ro"));
            ensure!(is_protected, "{protected} of /{name} is not read-only");
            Ok(())
        })?;
        ensure!(seen > 0, "no container has shown its mounts");
    }
    Ok(())
}
