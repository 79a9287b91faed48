//! Mounts: what a container gets, and what it must not get.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use ::kernel::mount::{Assembly, AttributeCall, Propagation, attach_root, enter_root, move_root};
use anyhow::{Context as _, Result};
use sys::rustix::fs::{AtFlags, CWD, Gid, Mode, Uid, chownat, mkfifoat};
use sys::rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind};

use super::jail::{self, mounted, parse, rooted};
use crate::expect_eq;

/// As `runc spec` has them, but for the cgroups.
const DEFAULT: [&str; 6] = [
    "proc /proc proc -",
    "tmpfs /dev tmpfs nosuid,strictatime,mode=755,size=65536k",
    "devpts /dev/pts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
    "shm /dev/shm tmpfs nosuid,noexec,nodev,mode=1777,size=65536k",
    "mqueue /dev/mqueue mqueue nosuid,noexec,nodev",
    "sysfs /sys sysfs nosuid,noexec,nodev,ro",
];

const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/no_such_file",
    "/proc/cpuinfo/below_a_file",
    "/proc/scsi",
    "/sys/firmware",
];

pub(crate) fn the_default_mounts_of_a_container() -> Result<()> {
    default_mounts(AttributeCall::MountSetattr)
}

pub(crate) fn the_default_mounts_on_an_old_kernel() -> Result<()> {
    default_mounts(AttributeCall::Remount)
}

fn default_mounts(call: AttributeCall) -> Result<()> {
    let root = jail::enter(&jail::folder("root")?)?;
    let mut assembly = Assembly::with(&root, false, call);
    for line in DEFAULT {
        let mut mount = parse(line)?;
        mount.keep = mount.target == rooted("/dev");
        assembly.mount(&mount)?;
    }
    assembly.mask(&MASKED.map(rooted), "")?;
    assembly.protect(&["/proc/sys", "/proc/none"].map(rooted))?;
    assembly.protect_root()?;
    assembly.finish()?;
    enter_root(&root, Propagation::DEFAULT, None)?;

    for (place, kind, options) in [
        ("/", None, "ro"),
        ("/proc", Some("proc"), "rw,relatime"),
        ("/dev", Some("tmpfs"), "rw,nosuid"),
        ("/dev/pts", Some("devpts"), "rw,nosuid,noexec,relatime"),
        ("/dev/shm", Some("tmpfs"), "rw,nosuid,nodev,noexec,relatime"),
        ("/dev/mqueue", Some("mqueue"), "rw,nosuid,nodev,noexec,relatime"),
        ("/sys", Some("sysfs"), "ro,nosuid,nodev,noexec,relatime"),
        ("/proc/sys", Some("proc"), "ro,relatime"),
        ("/sys/firmware", Some("tmpfs"), "ro,nosuid,nodev,noexec,relatime"),
    ] {
        let line = mounted(place)?;
        if let Some(kind) = kind {
            expect_eq!(line.kind, kind, "{place}");
        }
        let read_only = line.options.split(',').next().unwrap_or_default();
        let wanted = if kind.is_none() { read_only } else { &line.options };
        expect_eq!(wanted, options, "{place}");
        expect_eq!(line.optional.contains("shared"), false, "{place}");
    }
    let devpts = mounted("/dev/pts")?;
    expect_eq!(devpts.super_options, "rw,gid=5,mode=620,ptmxmode=666");
    expect_eq!(fs::read("/proc/timer_list")?, b"");
    expect_eq!(fs::read_dir("/sys/firmware")?.count(), 0);
    expect_eq!(fs::write("/sys/firmware/x", "").is_err(), true);
    // Nothing of the machine is left.
    expect_eq!(fs::exists("/usr")?, false);
    let outside = jail::mounts()?
        .into_iter()
        .filter(|line| !["/", "/proc", "/dev", "/sys"].iter().any(|it| line.place.starts_with(it)));
    expect_eq!(outside.count(), 0);
    Ok(())
}

/// Mounts each line of [`parse`], and changes into the root.
fn enter(folder: &Path, lines: &[&str]) -> Result<()> {
    let root = jail::enter(folder)?;
    let mut assembly = Assembly::new(&root, false);
    mount_all(&mut assembly, lines)?;
    assembly.finish()?;
    enter_root(&root, Propagation::DEFAULT, None)?;
    Ok(())
}

fn mount_all(assembly: &mut Assembly<'_>, lines: &[&str]) -> Result<()> {
    for line in lines {
        let mut mount = parse(line)?;
        mount.keep = mount.target == rooted("/dev");
        assembly.mount(&mount).with_context(|| (*line).to_owned())?;
    }
    Ok(())
}

/// A mount of the machine, shared with nobody, with another one in it.
fn source(name: &str) -> Result<PathBuf> {
    let source = jail::folder(name)?;
    sys::process::unshare_namespaces(jail::MOUNTS)?;
    ::kernel::mount::isolate(Propagation::parse("rprivate").context("a word")?)?;
    mount("source", &source, "tmpfs", MountFlags::empty(), None)?;
    fs::create_dir(source.join("below"))?;
    fs::write(source.join("file"), "content")?;
    let flags = MountFlags::NODEV;
    mount("below", source.join("below"), "tmpfs", flags, None)?;
    Ok(source)
}

pub(crate) fn bind_mounts_have_what_was_asked_and_keep_the_rest() -> Result<()> {
    let source = source("source")?;
    let source = source.display();
    let lines = [
        "proc /proc proc -",
        &format!("{source} /plain bind -"),
        &format!("{source} /whole - rbind,ro,noexec"),
        &format!("{source} /deep - rbind,rro,rnosuid,rnoatime,suid"),
        &format!("{source}/below /back bind dev,strictatime,nosymfollow"),
        &format!("{source}/file /some/file - bind,ro"),
    ];
    enter(&jail::folder("root")?, &lines)?;
    for (place, options) in [
        ("/plain", "rw,relatime"),
        ("/whole", "ro,noexec,relatime"),
        ("/whole/below", "rw,nodev,relatime"),
        // The words with an r come after the others, whatever their place.
        ("/deep", "ro,nosuid,noatime"),
        ("/deep/below", "ro,nosuid,nodev,noatime"),
        ("/back", "rw,nosymfollow"),
        ("/some/file", "ro,relatime"),
    ] {
        expect_eq!(mounted(place)?.options, options, "{place}");
    }
    expect_eq!(mounted("/plain/below").is_err(), true, "not recursive");
    expect_eq!(fs::read("/some/file")?, b"content");
    expect_eq!(fs::read("/plain/file")?, b"content");
    Ok(())
}

pub(crate) fn a_new_tmpfs_is_as_the_folder_it_covers_unless_told() -> Result<()> {
    let folder = jail::folder("root")?;
    for (name, mode) in [("covered", 0o1751), ("told", 0o1751)] {
        fs::create_dir(folder.join(name))?;
        fs::set_permissions(folder.join(name), Permissions::from_mode(mode))?;
    }
    let lines = [
        "proc /proc proc -",
        "tmpfs /covered tmpfs noexec",
        "tmpfs /told tmpfs mode=0700,size=4k",
        "tmpfs /made tmpfs size=4k",
    ];
    enter(&folder, &lines)?;
    for (place, mode) in [("/covered", 0o1751), ("/told", 0o700), ("/made", 0o1777)] {
        expect_eq!(fs::metadata(place)?.permissions().mode() & 0o7777, mode, "{place}");
    }
    expect_eq!(mounted("/told")?.super_options.contains("size=4k"), true);
    Ok(())
}

pub(crate) fn a_read_only_tmpfs_is_filled_first() -> Result<()> {
    let lines = [
        "proc /proc proc -",
        "tmpfs /dev tmpfs ro,mode=755",
        "tmpfs /run tmpfs ro,nosuid",
        "tmpfs /run/lock tmpfs -",
        "shm /dev/shm tmpfs -",
        "/dev/null /dev/log - bind",
    ];
    enter(&jail::folder("root")?, &lines)?;
    expect_eq!(mounted("/dev")?.options, "ro,relatime");
    expect_eq!(mounted("/run")?.options, "ro,nosuid,relatime");
    expect_eq!(mounted("/run/lock")?.options, "rw,relatime");
    expect_eq!(mounted("/dev/shm")?.options, "rw,relatime");
    expect_eq!(mounted("/dev/log")?.options.starts_with("rw"), true);
    Ok(())
}

/// What was kept open is not used any more once something is mounted over it.
pub(crate) fn a_later_mount_covers_an_earlier_one() -> Result<()> {
    let folder = jail::folder("root")?;
    symlink("/dev", folder.join("link"))?;
    let lines = [
        "proc /proc proc -",
        "tmpfs /dev tmpfs mode=755",
        "tmpfs /dev tmpfs mode=711",
        "tmpfs /dev/a tmpfs -",
        "tmpfs /link tmpfs mode=700",
        "tmpfs /dev/b tmpfs -",
    ];
    enter(&folder, &lines)?;
    let devs = jail::mounts()?.into_iter().filter(|line| line.place == "/dev").count();
    expect_eq!(devs, 3);
    expect_eq!(fs::metadata("/dev")?.permissions().mode() & 0o777, 0o700, "the last is on top");
    expect_eq!(fs::exists("/dev/a")?, false);
    expect_eq!(fs::exists("/dev/b")?, true);
    Ok(())
}

pub(crate) fn a_tmpfs_can_begin_with_a_copy() -> Result<()> {
    let folder = jail::folder("root")?;
    let etc = folder.join("etc");
    fs::create_dir_all(etc.join("a/b"))?;
    fs::write(etc.join("a/b/file"), "x".repeat(100_000))?;
    symlink("/etc/shadow", etc.join("link"))?;
    mkfifoat(CWD, etc.join("fifo"), Mode::RUSR)?;
    for place in [etc.clone(), etc.join("a/b/file"), etc.join("link")] {
        chownat(
            CWD,
            place,
            Some(Uid::from_raw(7)),
            Some(Gid::from_raw(8)),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
    }
    for (place, mode) in [("", 0o750), ("a", 0o500), ("a/b/file", 0o4711)] {
        fs::set_permissions(etc.join(place), Permissions::from_mode(mode))?;
    }
    let time = fs::metadata(etc.join("a/b/file"))?.mtime();
    enter(&folder, &["proc /proc proc -", "tmpfs /etc tmpfs tmpcopyup,ro"])?;
    expect_eq!(mounted("/etc")?.kind, "tmpfs");
    expect_eq!(mounted("/etc")?.options, "ro,relatime");
    let facts = |place: &str| -> Result<(u32, u32, u32)> {
        let status = fs::symlink_metadata(place)?;
        Ok((status.uid(), status.gid(), status.permissions().mode() & 0o7777))
    };
    expect_eq!(facts("/etc")?, (7, 8, 0o750));
    expect_eq!(facts("/etc/a")?, (0, 0, 0o500));
    expect_eq!(facts("/etc/a/b/file")?, (7, 8, 0o4711));
    expect_eq!(fs::metadata("/etc/a/b/file")?.mtime(), time);
    expect_eq!(fs::read("/etc/a/b/file")?.len(), 100_000);
    expect_eq!(facts("/etc/link")?.0, 7);
    expect_eq!(fs::read_link("/etc/link")?, Path::new("/etc/shadow"));
    expect_eq!(fs::symlink_metadata("/etc/fifo")?.file_type().is_fifo(), true);
    Ok(())
}

pub(crate) fn remounting_changes_what_is_there() -> Result<()> {
    let lines = [
        "proc /proc proc -",
        "tmpfs /a tmpfs size=8k",
        "- /a - remount,size=16k,noexec",
        "tmpfs /b tmpfs -",
        "- /b - remount,bind,ro",
    ];
    enter(&jail::folder("root")?, &lines)?;
    expect_eq!(mounted("/a")?.options, "rw,noexec,relatime");
    expect_eq!(mounted("/a")?.super_options.contains("size=16k"), true);
    expect_eq!(mounted("/b")?.options, "ro,relatime");
    expect_eq!(mounted("/b")?.super_options.starts_with("rw"), true);
    Ok(())
}

pub(crate) fn propagation_is_as_asked() -> Result<()> {
    let source = source("source")?;
    // Without anybody in it, the namespace would be gone, and the master with it.
    let _machine = fs::File::open("/proc/self/ns/mnt")?;
    mount_bind(&source, &source)?;
    sys::rustix::mount::mount_change(&source, MountPropagationFlags::SHARED)?;
    let source = source.display();
    let lines = [
        "proc /proc proc -",
        &format!("{source} /slave - bind"),
        &format!("{source} /private - bind,private"),
        &format!("{source} /shared - bind,shared"),
        "tmpfs /shared/new tmpfs private",
        "tmpfs /unbindable tmpfs unbindable",
        "tmpfs /tmp tmpfs rprivate,nosuid",
    ];
    enter(&jail::folder("root")?, &lines)?;
    for (place, wanted) in [
        ("/", ""),
        ("/slave", "master:"),
        ("/private", ""),
        ("/shared", "shared:"),
        ("/shared/new", ""),
        ("/unbindable", "unbindable"),
        ("/tmp", ""),
    ] {
        let found = mounted(place)?.optional;
        expect_eq!(found.split(':').next(), wanted.split(':').next(), "{place}: {found}");
    }
    Ok(())
}

/// Where the whole namespace is shared with the machine's, nothing of the container leaks but
/// what is mounted in a shared bind mount.
pub(crate) fn a_shared_root_does_not_leak_mounts() -> Result<()> {
    let folder = jail::folder("root")?;
    sys::process::unshare_namespaces(jail::MOUNTS)?;
    let shared = Propagation::parse("rshared").context("a word")?;
    ::kernel::mount::isolate(Propagation::DEFAULT)?;
    ::kernel::mount::isolate(shared)?;
    let machine = jail::mounts()?.len();
    let child = crate::support::sys::fork(libc::CLONE_NEWNS, || {
        let contain = || -> Result<()> {
            ::kernel::mount::isolate(shared)?;
            let path = jail::c_string(&folder)?;
            let root = attach_root(&path, shared)?;
            let mut assembly = Assembly::new(&root, true);
            mount_all(&mut assembly, &["proc /proc proc -", "tmpfs /dev tmpfs -"])?;
            assembly.finish()?;
            enter_root(&root, shared, Some(shared))?;
            expect_eq!(mounted("/")?.optional.starts_with("shared:"), true);
            expect_eq!(mounted("/proc")?.optional.starts_with("shared:"), true);
            expect_eq!(jail::mounts()?.len(), 3);
            Ok(())
        };
        contain().map_or_else(
            |error| {
                eprintln!("{error:#}");
                1
            },
            |()| 0,
        )
    })?;
    let (_, change) = crate::support::sys::wait(child, 0)?.context("it ends")?;
    expect_eq!(change, crate::support::sys::Change::Exited(0));
    expect_eq!(jail::mounts()?.len(), machine, "mounts of the machine");
    Ok(())
}

pub(crate) fn without_pivot_the_machine_is_out_of_sight() -> Result<()> {
    let root = jail::enter(&jail::folder("root")?)?;
    let mut assembly = Assembly::new(&root, false);
    mount_all(&mut assembly, &["proc /proc proc -"])?;
    assembly.finish()?;
    move_root(&root, &[])?;
    expect_eq!(fs::exists("/usr")?, false);
    expect_eq!(fs::exists("/../usr")?, false);
    expect_eq!(mounted("/proc")?.kind, "proc");
    Ok(())
}
