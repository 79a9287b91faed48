//! A root folder in a mount namespace of its own, and what is mounted in it.

use std::ffi::CString;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use ::kernel::mount::{self, Mount, Propagation};
use ::kernel::path::{Root, RootedPath};
use anyhow::{Context as _, Result, ensure};
use sys::rustix::fs::{CWD, Mode, RenameFlags, mkdir, renameat_with};

use crate::support::scratch;

/// `CLONE_NEWNS`.
pub(super) const MOUNTS: u64 = libc::CLONE_NEWNS as u64;

const USERS: u64 = libc::CLONE_NEWUSER as u64;

/// An empty root folder.
pub(super) fn folder(name: &str) -> Result<PathBuf> {
    let path = scratch(name);
    mkdir(&path, Mode::from_raw_mode(0o755))?;
    Ok(path)
}

pub(super) fn c_string(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

pub(super) fn rooted(path: &str) -> RootedPath {
    RootedPath::parse(path).expect("the tests write good paths")
}

/// Unshares the mount namespace and makes the folder its root-to-be.
pub(super) fn enter(folder: &Path) -> Result<Root> {
    enter_with(folder, Propagation::DEFAULT)
}

/// The same, going on with the machine's mounts in this way.
pub(super) fn enter_with(folder: &Path, isolation: Propagation) -> Result<Root> {
    sys::process::unshare_namespaces(MOUNTS).context("unshare")?;
    mount::isolate(isolation)?;
    let path = c_string(folder)?;
    Ok(mount::attach_root(&path, isolation)?)
}

/// The same in a user namespace in which this process is root.
pub(super) fn enter_as_user(folder: &Path) -> Result<Root> {
    become_user()?;
    enter(folder)
}

/// Makes a user namespace in which the ids are those of the machine, and this process is root.
///
/// It is the namespace that counts: the kernel lets nobody in there make devices or change what
/// belongs to the machine's.
pub(super) fn become_user() -> Result<()> {
    let (here, there) = std::os::unix::net::UnixStream::pair()?;
    let process = std::process::id();
    // Only a process outside may map so many.
    let mapper = crate::support::sys::fork(0, || {
        let map = || -> Result<()> {
            (&there).read_exact(&mut [0])?;
            for file in ["uid_map", "gid_map"] {
                std::fs::write(format!("/proc/{process}/{file}"), "0 0 1000000\n")?;
            }
            Ok(())
        };
        i32::from(map().is_err())
    })?;
    sys::process::unshare_namespaces(USERS).context("unshare")?;
    (&here).write_all(b"x")?;
    let ended = crate::support::sys::wait(mapper, 0)?.map(|(_, change)| change);
    ensure!(ended == Some(crate::support::sys::Change::Exited(0)), "the maps: {ended:?}");
    Ok(())
}

/// Words of a configuration, as one would write them in fstab(5): source, destination, type,
/// options.
pub(super) fn parse(line: &str) -> Result<Mount> {
    let mut words = line.split_whitespace();
    let mut next = || words.next().context("source, destination, type, options");
    let (source, destination, kind, options) = (next()?, next()?, next()?, next()?);
    let known = |word| Some(word).filter(|it| *it != "-");
    let options = options.split(',').filter(|it| *it != "-");
    Ok(Mount::parse(destination, known(kind), known(source), options)?)
}

/// A line of `/proc/self/mountinfo`.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) place: String,
    pub(super) options: String,
    pub(super) optional: String,
    pub(super) kind: String,
    pub(super) super_options: String,
}

/// What is mounted below the current root.
pub(super) fn mounts() -> Result<Vec<Line>> {
    let text = std::fs::read_to_string("/proc/self/mountinfo")?;
    text.lines().map(|line| parse_line(line).with_context(|| line.to_owned())).collect()
}

fn parse_line(line: &str) -> Option<Line> {
    let (first, second) = line.split_once(" - ")?;
    let mut first = first.split(' ').skip(4).map(str::to_owned);
    let mut second = second.split(' ').map(str::to_owned);
    Some(Line {
        place: first.next()?,
        options: first.next()?,
        optional: first.collect::<Vec<_>>().join(" "),
        kind: second.next()?,
        super_options: second.nth(1)?,
    })
}

/// The topmost mount at a place.
pub(super) fn mounted(place: &str) -> Result<Line> {
    let line = mounts()?.into_iter().rev().find(|line| line.place == place);
    line.with_context(|| format!("nothing is mounted at {place}"))
}

/// Somebody who does something over and over, in a process of its own.
pub(super) struct Racer(i32);

impl Racer {
    pub(super) fn run(
        mut act: impl FnMut() -> Result<(), sys::rustix::io::Errno>,
    ) -> Result<Racer> {
        let parent = std::process::id();
        let process = crate::support::sys::fork(0, || {
            while std::os::unix::process::parent_id() == parent {
                for _ in 0..64 {
                    _ = act();
                }
            }
            0
        })?;
        Ok(Racer(process))
    }

    /// Exchanges two entries of a folder.
    pub(super) fn exchange(one: &Path, other: &Path) -> Result<Racer> {
        let (one, other) = (one.to_owned(), other.to_owned());
        Racer::run(move || renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE))
    }

    pub(super) fn end(self) -> Result<()> {
        crate::support::sys::send(self.0, libc::SIGKILL)?;
        crate::support::sys::wait(self.0, 0)?;
        Ok(())
    }
}
