//! The place of a mount: found or made inside the root, and not inside procfs.

use super::{Error, Step};
use crate::path::{Links, Root, RootedPath};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{Mode, PROC_SUPER_MAGIC, fstat, fstatfs};
use sys::rustix::io::Errno;

/// The files of procfs that programs such as lxcfs replace by the container's own figures. Over
/// anything else in there a mount could make a program take a fake for the kernel's answer.
pub(super) const ALLOWED_IN_PROC: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// Where a path lies, by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Not in `/proc`.
    Outside,
    /// `/proc`.
    Itself,
    /// A file that may be mounted over.
    Allowed,
    /// Any other in there.
    Inside,
}

pub(super) fn relation_to_proc(path: &RootedPath) -> Relation {
    let mut components = path.components();
    if components.next() != Some(b"proc") {
        return Relation::Outside;
    }
    if components.next().is_none() {
        return Relation::Itself;
    }
    let text = path.to_string();
    if ALLOWED_IN_PROC.contains(&text.as_str()) { Relation::Allowed } else { Relation::Inside }
}

/// What is made where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Directory,
    File,
}

/// A place.
pub(super) struct Target {
    pub(super) place: OwnedFd,
    /// Whether nothing was there before.
    pub(super) made: bool,
    /// Whether a link led there.
    pub(super) linked: bool,
}

/// An ordinary folder, reached without any link, for a file system that programs trust to be
/// where its path says.
pub(super) fn ordinary(root: &Root, path: &RootedPath, kind: &str) -> Result<OwnedFd, Error> {
    let mode = Mode::from_raw_mode(0o755);
    root.create_directory(path, Links::Refuse, mode).map_err(|error| match error.errno {
        Errno::LOOP | Errno::NOTDIR => {
            Error::NotOrdinaryDirectory { kind: kind.to_owned(), path: path.to_string() }
        }
        _ => Error::at(Step::Target, path)(error),
    })
}

/// The place for any other mount; links inside the root are followed. `shape` is asked only if
/// nothing is there.
pub(super) fn find_or_make(
    root: &Root,
    path: &RootedPath,
    shape: &dyn Fn() -> Result<Shape, Error>,
) -> Result<Target, Error> {
    // Where no link is followed, the text says where it is, and that was looked at in advance.
    match root.resolve(path, Links::Refuse) {
        Ok(place) => return Ok(Target { place, made: false, linked: false }),
        Err(error) if error.errno == Errno::NOENT => {
            let place = make(root, path, Links::Refuse, shape()?)?;
            return Ok(Target { place, made: true, linked: false });
        }
        Err(error) if error.errno != Errno::LOOP => {
            return Err(Error::at(Step::Target, path)(error));
        }
        Err(_) => {}
    }
    let target = match root.resolve(path, Links::Follow) {
        Ok(place) => Target { place, made: false, linked: true },
        Err(error) if error.errno == Errno::NOENT => {
            let place = make(root, path, Links::Follow, shape()?)?;
            Target { place, made: true, linked: true }
        }
        Err(error) => return Err(Error::at(Step::Target, path)(error)),
    };
    refuse_by_link(root, target.place.as_fd(), path)?;
    Ok(target)
}

/// The place of a mount that is there already, to change it. What a whole file system is to be told
/// is told to nothing that a link leads to: who made the link chooses which one it is, and it may be one
/// of the machine's.
pub(super) fn mounted(root: &Root, path: &RootedPath, alone: bool) -> Result<OwnedFd, Error> {
    let failed = Error::at(Step::Target, path);
    match root.resolve(path, Links::Refuse) {
        Err(error) if alone && error.errno == Errno::LOOP => {
            let place = root.resolve(path, Links::Follow).map_err(failed)?;
            refuse_by_link(root, place.as_fd(), path)?;
            Ok(place)
        }
        place => place.map_err(failed),
    }
}

/// Refuses what no link of the image may lead to.
fn refuse_by_link(root: &Root, place: BorrowedFd<'_>, path: &RootedPath) -> Result<(), Error> {
    let failed = Error::at(Step::Target, path);
    if leads_into_proc(root, place).map_err(&failed)? {
        return Err(Error::InsideProc { path: path.to_string() });
    }
    if status(place).map_err(&failed)? == status(root.as_fd()).map_err(failed)? {
        return Err(Error::OverRoot { path: path.to_string() });
    }
    Ok(())
}

fn make(root: &Root, path: &RootedPath, links: Links, shape: Shape) -> Result<OwnedFd, Error> {
    match shape {
        Shape::Directory => root.make_directory(path, links, Mode::from_raw_mode(0o755)),
        Shape::File => root.make_file(path, links, Mode::from_raw_mode(0o644)),
    }
    .map_err(Error::at(Step::Target, path))
}

/// Whether a place is in a procfs, or is what will be the container's `/proc`.
fn leads_into_proc(root: &Root, place: BorrowedFd<'_>) -> Result<bool, sys::Error> {
    if is_proc(place)? {
        return Ok(true);
    }
    let proc = match root.resolve(&RootedPath::known(c"proc"), Links::Follow) {
        Err(error) if error.errno == Errno::NOENT => return Ok(false),
        proc => proc?,
    };
    let (a, b) = (status(place)?, status(proc.as_fd())?);
    Ok(a == b)
}

/// Whether it is in a procfs.
pub(super) fn is_proc(place: BorrowedFd<'_>) -> Result<bool, sys::Error> {
    let status = fstatfs(place).or_error("fstatfs", || place.as_raw_fd().to_string())?;
    Ok(status.f_type == PROC_SUPER_MAGIC)
}

fn status(place: BorrowedFd<'_>) -> Result<(u64, u64), sys::Error> {
    let status = fstat(place).or_error("fstat", || place.as_raw_fd().to_string())?;
    Ok((status.st_dev, status.st_ino))
}

#[cfg(test)]
mod tests {
    use super::{Relation, relation_to_proc};
    use crate::path::RootedPath;

    #[test]
    fn only_some_files_of_proc_may_be_covered() {
        for (path, wanted) in [
            ("/process", Relation::Outside),
            ("/var/proc", Relation::Outside),
            ("/proc", Relation::Itself),
            ("/proc/meminfo", Relation::Allowed),
            ("/proc/meminfo/x", Relation::Inside),
            ("/proc/sys", Relation::Inside),
            ("/proc/self/attr/exec", Relation::Inside),
        ] {
            let path = RootedPath::parse(path).unwrap();
            assert_eq!(relation_to_proc(&path), wanted, "{path}");
        }
    }
}
