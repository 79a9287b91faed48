//! Whoever owns the files of a container attacks the runtime that mounts in them. Each trial
//! plays an attack that a peer fell for, by both ways to resolve paths.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use ::kernel::mount::{Assembly, Error};
use ::kernel::path::{Resolver, Root};
use anyhow::{Context as _, Result, ensure};
use sys::rustix::mount::{UnmountFlags, mount_bind, unmount};

use super::jail::{self, Racer, parse, rooted};
use crate::expect_eq;
use crate::support::until;

/// A root folder and one outside of it with a file in it.
struct Scene {
    folder: PathBuf,
    outside: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Result<Scene> {
        let (folder, outside) = (jail::folder(name)?, jail::folder(&format!("{name}-outside"))?);
        fs::write(outside.join("file"), "of the machine")?;
        Ok(Scene { folder, outside })
    }

    fn enter(&self, resolver: Resolver) -> Result<Root> {
        let root = jail::enter(&self.folder)?;
        Ok(Root::from_descriptor(root.as_fd().try_clone_to_owned()?).with(resolver))
    }

    /// Whether anything is mounted outside, or was made there.
    fn expect_untouched(&self) -> Result<()> {
        let outside = self.outside.display().to_string();
        let mounts = jail::mounts()?;
        let found = mounts.iter().find(|line| line.place.starts_with(&outside));
        ensure!(found.is_none(), "{found:?}");
        let names: Vec<_> =
            fs::read_dir(&self.outside)?.flatten().map(|it| it.file_name()).collect();
        expect_eq!(names, ["file"]);
        Ok(())
    }
}

fn for_both(attack: impl Fn(Resolver) -> Result<()>) -> Result<()> {
    for resolver in [Resolver::Kernel, Resolver::Walk] {
        // Each in namespaces of its own.
        let child = crate::support::sys::fork(0, || {
            attack(resolver).map_or_else(
                |error| {
                    eprintln!("{resolver:?}: {error:#}");
                    1
                },
                |()| 0,
            )
        })?;
        let (_, change) = crate::support::sys::wait(child, 0)?.context("it ends")?;
        expect_eq!(change, crate::support::sys::Change::Exited(0), "{resolver:?}");
    }
    Ok(())
}

fn mount(root: &Root, line: &str) -> Result<(), Error> {
    let mount = parse(line).expect("a good line");
    Assembly::new(root, false).mount(&mount)
}

/// CVE-2019-18837, CVE-2021-30465: the target of a mount is a link out of the root.
pub(crate) fn a_target_that_is_a_link_stays_inside() -> Result<()> {
    for_both(|resolver| {
        let scene = Scene::new(&format!("{resolver:?}"))?;
        let outside = scene.outside.display();
        symlink(&scene.outside, scene.folder.join("data"))?;
        symlink(scene.outside.join("file"), scene.folder.join("file"))?;
        symlink("../../../../../../..", scene.folder.join("up"))?;
        let root = scene.enter(resolver)?;
        mount(&root, "tmpfs /data tmpfs -")?;
        mount(&root, "tmpfs /data/below tmpfs -")?;
        mount(&root, "/etc/hostname /file - bind,ro")?;
        mount(&root, &format!("tmpfs /up{outside} tmpfs -"))?;
        scene.expect_untouched()?;
        let inside = scene.folder.join(scene.outside.strip_prefix("/")?);
        expect_eq!(jail::mounted(&inside.display().to_string())?.kind, "tmpfs");
        Ok(())
    })
}

/// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: `/proc` or `/sys` is a link,
/// so that the program would take files of the image for the kernel's.
pub(crate) fn proc_and_sys_must_be_folders() -> Result<()> {
    for_both(|resolver| {
        for (number, name) in ["proc", "sys"].into_iter().enumerate() {
            let scene = Scene::new(&format!("{resolver:?}{number}"))?;
            let place = scene.folder.join(name);
            fs::create_dir(scene.folder.join("fake"))?;
            symlink("fake", &place)?;
            let root = scene.enter(resolver)?;
            let kind = if name == "proc" { "proc" } else { "sysfs" };
            let lines = [
                format!("{kind} /{name} {kind} -"),
                format!("/{name} /{name} - rbind"),
                format!("{kind} /{name}/below/it {kind} -"),
            ];
            let refused = |what: &str| -> Result<()> {
                for line in &lines {
                    // Inside of /proc nothing but some files can be mounted anyway.
                    let Ok(request) = parse(line) else { continue };
                    let error = Assembly::new(&root, false).mount(&request).err();
                    let error = error.with_context(|| format!("{what}: {line}"))?.to_string();
                    expect_eq!(
                        error.contains("must be mounted on ordinary directory"),
                        true,
                        "{error}"
                    );
                }
                Ok(())
            };
            refused("a link")?;
            fs::remove_file(&place)?;
            fs::write(&place, "")?;
            refused("a file")?;
            fs::remove_file(&place)?;
            mount(&root, &lines[0]).context("a missing folder is made")?;
        }
        Ok(())
    })
}

/// CVE-2019-16884: something mounted over a file of procfs takes the label that was to be set.
pub(crate) fn nothing_is_mounted_over_files_of_proc_by_a_detour() -> Result<()> {
    for_both(|resolver| {
        let scene = Scene::new(&format!("{resolver:?}"))?;
        for (link, target) in [
            ("detour", "proc/self/attr"),
            ("detour-of-root", "proc"),
            ("absolute", "/proc/sys/kernel"),
        ] {
            symlink(target, scene.folder.join(link))?;
        }
        let root = scene.enter(resolver)?;
        fs::create_dir(scene.folder.join("proc"))?;
        let refused = |line: &str| -> Result<()> {
            let error = mount(&root, line).err().with_context(|| line.to_owned())?;
            ensure!(matches!(error, Error::InsideProc { .. }), "{line}: {error}");
            Ok(())
        };
        // Before there is a procfs, it is what becomes one.
        refused("tmpfs /detour-of-root tmpfs -")?;
        mount(&root, "proc /proc proc -")?;
        refused("tmpfs /detour-of-root tmpfs -")?;
        refused("tmpfs /detour tmpfs -")?;
        refused("/etc/hostname /detour/exec - bind")?;
        refused("/etc/hostname /absolute/core_pattern - bind")?;
        let fake = format!("{} /proc - bind", scene.outside.display());
        let error = mount(&root, &fake).err().context("a folder is no procfs")?;
        ensure!(matches!(error, Error::NotProc { .. }), "{error}");
        mount(&root, "/etc/hostname /proc/uptime - bind").context("as lxcfs does")?;
        mount(&root, "/proc /proc - rbind").context("of a procfs")?;
        Ok(())
    })
}

/// CVE-2021-30465 again, by somebody who races: a component of the target becomes a link while
/// the mount is made.
pub(crate) fn a_target_that_becomes_a_link_stays_inside() -> Result<()> {
    for_both(|resolver| {
        let scene = Scene::new(&format!("{resolver:?}"))?;
        fs::create_dir_all(scene.folder.join("a/file"))?;
        fs::remove_dir(scene.folder.join("a/file"))?;
        fs::write(scene.folder.join("a/file"), "")?;
        symlink(&scene.outside, scene.folder.join("link"))?;
        let root = scene.enter(resolver)?;
        let racer = Racer::exchange(&scene.folder.join("a"), &scene.folder.join("link"))?;
        let mut mounted = 0;
        for number in 0..300 {
            mounted += usize::from(mount(&root, "/etc/hostname /a/file - bind").is_ok());
            let made = format!("tmpfs /a/{number} tmpfs -");
            mounted += usize::from(mount(&root, &made).is_ok());
            scene.expect_untouched()?;
        }
        ensure!(mounted > 0, "nothing was ever mounted");
        // A runtime that goes by paths is led out.
        let target = scene.folder.join("a/file");
        until("the attack succeeds", || {
            _ = mount_bind("/etc/hostname", &target);
            scene.expect_untouched().is_err()
        })?;
        racer.end()
    })
}

/// youki GHSA-3q8j-pf29-vwv8: paths to hide and to protect are resolved, and then resolved again.
pub(crate) fn what_is_hidden_and_protected_stays_inside() -> Result<()> {
    for_both(|resolver| {
        let scene = Scene::new(&format!("{resolver:?}"))?;
        fs::create_dir(scene.folder.join("a"))?;
        fs::write(scene.folder.join("a/file"), "")?;
        symlink(&scene.outside, scene.folder.join("link"))?;
        let root = scene.enter(resolver)?;
        let racer = Racer::exchange(&scene.folder.join("a"), &scene.folder.join("link"))?;
        let paths = ["/a", "/a/file", "/link/file"].map(rooted);
        for _ in 0..150 {
            let mut assembly = Assembly::new(&root, false);
            // Half of the time there is nothing to hide.
            assembly.mask(&paths, "")?;
            assembly.protect(&paths)?;
            scene.expect_untouched()?;
        }
        racer.end()
    })
}

/// CVE-2025-31133, CVE-2025-62161: `/dev/null` is something else while paths are hidden behind it.
pub(crate) fn nothing_is_hidden_behind_a_fake_null() -> Result<()> {
    for_both(|resolver| {
        let scene = Scene::new(&format!("{resolver:?}"))?;
        fs::create_dir(scene.folder.join("dev"))?;
        symlink("/secret", scene.folder.join("dev/null"))?;
        fs::write(scene.folder.join("secret"), "")?;
        let root = scene.enter(resolver)?;
        let path = ["/secret"].map(rooted);
        // That of the container does not count.
        Assembly::new(&root, false).mask(&path, "")?;
        let hidden = fs::metadata(scene.folder.join("secret"))?.rdev();
        expect_eq!(hidden, sys::rustix::fs::makedev(1, 3));
        unmount(scene.folder.join("secret"), UnmountFlags::DETACH)?;
        // That of the machine is looked at.
        for fake in ["/dev/zero", "/etc/hostname"] {
            mount_bind(fake, "/dev/null")?;
            let error = Assembly::new(&root, false).mask(&path, "").err();
            expect_eq!(error, Some(Error::NotNull), "{fake}");
            unmount("/dev/null", UnmountFlags::DETACH)?;
        }
        Ok(())
    })
}

/// A folder with the name of what is a file elsewhere is hidden all the same.
pub(crate) fn a_folder_named_like_a_file_of_the_kernel_is_hidden() -> Result<()> {
    let scene = Scene::new("keys")?;
    for name in ["proc/keys", "proc/acpi"] {
        std::fs::create_dir_all(scene.folder.join(name))?;
        std::fs::write(scene.folder.join(name).join("secret"), "secret")?;
    }
    let root = scene.enter(Resolver::Kernel)?;
    Assembly::new(&root, false).mask(&["/proc/keys", "/proc/acpi"].map(rooted), "")?;
    for name in ["proc/keys", "proc/acpi"] {
        expect_eq!(std::fs::read_dir(scene.folder.join(name))?.count(), 0, "{name}");
    }
    Ok(())
}

/// A failure to hide is an error, but for what does not exist.
pub(crate) fn what_cannot_be_hidden_is_an_error() -> Result<()> {
    for_both(|resolver| {
        let scene = Scene::new(&format!("{resolver:?}"))?;
        symlink("loop", scene.folder.join("loop"))?;
        symlink("nothing", scene.folder.join("dangling"))?;
        let root = scene.enter(resolver)?;
        let hide = |path: &str| Assembly::new(&root, false).mask(&[rooted(path)], "");
        let protect = |path: &str| Assembly::new(&root, false).protect(&[rooted(path)]);
        for path in ["/loop", "/loop/below"] {
            ensure!(hide(path).is_err() && protect(path).is_err(), "{path}");
        }
        for path in ["/dangling", "/nothing", "/nothing/below"] {
            ensure!(hide(path).is_ok() && protect(path).is_ok(), "{path}");
        }
        Ok(())
    })
}

/// The source of a mount over the root, or a mount of nothing, is found before anything is done.
pub(crate) fn the_root_itself_is_never_covered() -> Result<()> {
    for_both(|resolver| {
        let scene = Scene::new(&format!("{resolver:?}"))?;
        symlink("/", scene.folder.join("slash"))?;
        symlink("../..", scene.folder.join("up"))?;
        let root = scene.enter(resolver)?;
        for target in ["/slash", "/up"] {
            let error = mount(&root, &format!("tmpfs {target} tmpfs -")).err();
            ensure!(matches!(error, Some(Error::OverRoot { .. })), "{target}: {error:?}");
        }
        Ok(())
    })
}
