//! Paths in a root, by both ways to resolve them.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use ::kernel::path::{Links, Resolver, Root, read_at, write_at};
use anyhow::{Context as _, Result};
use sys::rustix::fs::{Mode, OFlags, open, rename};
use sys::rustix::io::Errno;

use super::jail::{self, Racer, rooted};
use crate::expect_eq;
use crate::support::until;

const BOTH: [Resolver; 2] = [Resolver::Kernel, Resolver::Walk];

pub(super) fn root(folder: &Path, resolver: Resolver) -> Result<Root> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Root::from_descriptor(open(folder, flags, Mode::empty())?).with(resolver))
}

fn errno<T>(result: Result<T, sys::Error>) -> Option<Errno> {
    result.err().map(|error| error.errno)
}

pub(crate) fn links_and_dots_stay_in_the_root() -> Result<()> {
    let folder = jail::folder("root")?;
    fs::create_dir_all(folder.join("a/b"))?;
    fs::write(folder.join("a/b/file"), "inside")?;
    fs::write(folder.parent().context("a parent")?.join("file"), "outside")?;
    symlink("/a/b", folder.join("absolute"))?;
    symlink("../../../../a/b", folder.join("a/up"))?;
    symlink("b", folder.join("a/relative"))?;
    symlink("/a/b", folder.join("a/b/from-the-root"))?;
    symlink("loop", folder.join("loop"))?;
    symlink("/../file", folder.join("out"))?;
    let file = fs::metadata(folder.join("a/b/file"))?.ino();
    for resolver in BOTH {
        let root = root(&folder, resolver)?;
        for path in [
            "/a/b/file",
            "/absolute/file",
            "/a/up/file",
            "/a/relative/file",
            "/a/b/from-the-root/file",
        ] {
            let place = root.resolve(&rooted(path), Links::Follow).with_context(|| path)?;
            expect_eq!(sys::rustix::fs::fstat(&place)?.st_ino, file, "{resolver:?} {path}");
        }
        for (path, wanted) in [
            ("/out", Errno::NOENT),
            ("/loop", Errno::LOOP),
            ("/a/b/file/x", Errno::NOTDIR),
            ("/a/none", Errno::NOENT),
        ] {
            let found = errno(root.resolve(&rooted(path), Links::Follow));
            expect_eq!(found, Some(wanted), "{resolver:?} {path}");
        }
        for path in ["/absolute", "/absolute/file", "/a/relative/file"] {
            let found = errno(root.resolve(&rooted(path), Links::Refuse));
            expect_eq!(found, Some(Errno::LOOP), "{resolver:?} {path}");
        }
        let found = errno(root.resolve_directory(&rooted("/a/b/file"), Links::Follow));
        expect_eq!(found, Some(Errno::NOTDIR), "{resolver:?}");
        let whole = root.resolve(&rooted("/"), Links::Follow)?;
        expect_eq!(sys::rustix::fs::fstat(&whole)?.st_ino, fs::metadata(&folder)?.ino());
    }
    Ok(())
}

pub(crate) fn links_of_procfs_lead_nowhere() -> Result<()> {
    for resolver in BOTH {
        let root = root(Path::new("/"), resolver)?;
        for path in ["/proc/self/root/etc", "/proc/self/cwd", "/proc/self/exe"] {
            let found = errno(root.resolve(&rooted(path), Links::Follow));
            expect_eq!(found, Some(Errno::LOOP), "{resolver:?} {path}");
        }
        let own = root.resolve(&rooted("/proc/self/status"), Links::Follow);
        expect_eq!(own.is_ok(), true, "{resolver:?}: an ordinary link of procfs");
    }
    Ok(())
}

pub(crate) fn what_is_missing_is_made_inside() -> Result<()> {
    for resolver in BOTH {
        let folder = jail::folder(&format!("{resolver:?}"))?;
        let root = root(&folder, resolver)?;
        fs::create_dir(folder.join("etc"))?;
        // As images of distributions have it.
        symlink("../run/stub/resolv.conf", folder.join("etc/resolv.conf"))?;
        symlink("/../../var/far", folder.join("far"))?;
        let mode = Mode::from_raw_mode(0o700);
        root.make_file(&rooted("/etc/resolv.conf"), Links::Follow, mode)?;
        root.create_directory(&rooted("/far/x"), Links::Follow, mode)?;
        root.create_directory(&rooted("/far/x"), Links::Follow, mode).context("once more")?;
        expect_eq!(fs::metadata(folder.join("run/stub/resolv.conf"))?.is_file(), true);
        let made = fs::metadata(folder.join("var/far/x"))?.permissions().mode() & 0o777;
        expect_eq!(made, 0o700, "of what was asked for");
        let made = fs::metadata(folder.join("var/far"))?.permissions().mode() & 0o777;
        expect_eq!(made, 0o755, "of what is on the way");
        let found = errno(root.create_directory(&rooted("/far/y"), Links::Refuse, mode));
        expect_eq!(found, Some(Errno::LOOP), "{resolver:?}");
        let found =
            errno(root.create_directory(&rooted("/etc/resolv.conf/x"), Links::Follow, mode));
        expect_eq!(found, Some(Errno::NOTDIR), "{resolver:?}");
        let deep = "/deep".repeat(60);
        root.create_directory(&rooted(&deep), Links::Follow, mode).context("60 at once")?;
    }
    Ok(())
}

pub(crate) fn only_regular_files_are_opened() -> Result<()> {
    let folder = jail::folder("root")?;
    fs::write(folder.join("file"), "text")?;
    sys::rustix::fs::mkfifoat(sys::rustix::fs::CWD, folder.join("fifo"), Mode::RUSR)?;
    symlink("/file", folder.join("link"))?;
    for resolver in BOTH {
        let root = root(&folder, resolver)?;
        let file = root.open_file(&rooted("/link"), OFlags::RDONLY)?;
        let mut buffer = [0; 8];
        expect_eq!(sys::rustix::io::read(&file, &mut buffer)?, 4);
        // Opening a FIFO would wait for ever.
        let found = errno(root.open_file(&rooted("/fifo"), OFlags::RDONLY));
        expect_eq!(found, Some(Errno::INVAL), "{resolver:?}");
        let found = errno(root.open_file(&rooted("/"), OFlags::RDONLY));
        expect_eq!(found, Some(Errno::INVAL), "{resolver:?}");
    }
    Ok(())
}

pub(crate) fn small_files_are_read_and_written_whole() -> Result<()> {
    let folder = jail::folder("root")?;
    fs::write(folder.join("file"), "x".repeat(5000))?;
    symlink("file", folder.join("link"))?;
    let root = root(&folder, Resolver::Kernel)?;
    expect_eq!(read_at(root.as_fd(), c"file", 5000)?.len(), 5000);
    expect_eq!(errno(read_at(root.as_fd(), c"file", 4999)), Some(Errno::FBIG));
    expect_eq!(errno(read_at(root.as_fd(), c"link", 5000)), Some(Errno::LOOP));
    expect_eq!(errno(write_at(root.as_fd(), c"link", b"y")), Some(Errno::LOOP));
    expect_eq!(errno(write_at(root.as_fd(), c"none", b"y")), Some(Errno::NOENT));
    write_at(root.as_fd(), c"file", b"y")?;
    expect_eq!(fs::read(folder.join("file"))?[..2], *b"yx");
    Ok(())
}

/// Somebody keeps replacing a folder by a link that leads out of the root. Made by its path, a
/// folder would be made there sooner or later (CVE-2024-45310).
pub(crate) fn nothing_is_made_outside_while_a_folder_becomes_a_link() -> Result<()> {
    for resolver in BOTH {
        let folder = jail::folder(&format!("{resolver:?}"))?;
        let outside = jail::folder(&format!("{resolver:?}-outside"))?;
        fs::create_dir(folder.join("a"))?;
        symlink(&outside, folder.join("link"))?;
        let racer = Racer::exchange(&folder.join("a"), &folder.join("link"))?;
        let root = root(&folder, resolver)?;
        let mode = Mode::from_raw_mode(0o755);
        let mut made = 0;
        for number in 0..2000 {
            let path = rooted(&format!("/a/{number}/b"));
            // It may fail, for what it goes through vanishes.
            made += usize::from(root.create_directory(&path, Links::Refuse, mode).is_ok());
            let path = rooted(&format!("/a/{number}f/b"));
            made += usize::from(root.make_file(&path, Links::Follow, mode).is_ok());
        }
        expect_eq!(fs::read_dir(&outside)?.count(), 0, "{resolver:?}");
        expect_eq!(made > 0, true, "{resolver:?}");
        // A program that goes by paths is led out.
        until("the attack succeeds", || {
            _ = fs::create_dir_all(folder.join("a/by-path"));
            fs::exists(outside.join("by-path")).unwrap_or(false)
        })?;
        racer.end()?;
    }
    Ok(())
}

/// A folder that is moved out of the root while `..` is resolved in it would lead out.
pub(crate) fn dots_lead_nowhere_while_folders_move_out() -> Result<()> {
    for resolver in BOTH {
        let folder = jail::folder(&format!("{resolver:?}"))?;
        let outside = jail::folder(&format!("{resolver:?}-outside"))?;
        fs::write(outside.join("secret"), "")?;
        let secret = fs::metadata(outside.join("secret"))?.ino();
        fs::create_dir_all(folder.join("a/b/c"))?;
        symlink("b/c/../../secret", folder.join("a/link"))?;
        let (inside, moved) = (folder.join("a/b"), outside.join("b"));
        let racer = Racer::run(move || {
            rename(&inside, &moved)?;
            rename(&moved, &inside)
        })?;
        let root = root(&folder, resolver)?;
        for _ in 0..20_000 {
            if let Ok(place) = root.resolve(&rooted("/a/link"), Links::Follow) {
                let found = sys::rustix::fs::fstat(&place)?.st_ino;
                expect_eq!(found == secret, false, "{resolver:?}");
            }
        }
        // A program that goes by paths is led out.
        until("the attack succeeds", || {
            fs::metadata(folder.join("a/link")).is_ok_and(|status| status.ino() == secret)
        })?;
        racer.end()?;
    }
    Ok(())
}
