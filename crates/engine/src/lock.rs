//! Locks that the kernel gives back when their holder dies: flock(2) on a container's folder, and
//! on files.

use crate::error::{Error, Result};
pub(crate) use kernel::lock::PATIENCE;
use kernel::lock::{Holder, Kind, Waiting, Work, holder, take};
use std::fs::{File, Metadata, OpenOptions};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;
use sys::rustix::fs::{FlockOperation, flock};
use sys::rustix::io::Errno;

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Waits until nobody else has this file, which is made if need be. `None` if there is no folder
    /// for it (any more).
    pub(crate) fn take(path: &Path) -> Result<Option<Lock>> {
        Lock::wait(open(path)?, path)
    }

    /// The same for a file that whoever has the lock may remove while others go on to use it.
    pub(crate) fn take_lasting(path: &Path) -> Result<Option<Lock>> {
        loop {
            let Some(file) = open(path)? else { return Ok(None) };
            take(file.as_fd(), PATIENCE)?;
            // Else another one is there by now, or none.
            if is_at(&file, path) {
                return Ok(Some(Lock { file }));
            }
        }
    }

    /// Waits until nobody else has this folder. `None` if there is none (any more).
    pub(crate) fn take_folder(path: &Path) -> Result<Option<Lock>> {
        Lock::wait(open_present(path)?, path)
    }

    fn wait(file: Option<File>, path: &Path) -> Result<Option<Lock>> {
        let Some(file) = file else { return Ok(None) };
        take(file.as_fd(), PATIENCE)?;
        // Whoever had it may have removed everything.
        Ok(path.exists().then_some(Lock { file }))
    }

    /// This folder's lock if nobody has it.
    pub(crate) fn try_take_folder(path: &Path) -> Result<Option<Lock>> {
        let Some(file) = open_present(path)? else { return Ok(None) };
        let taken = try_flock(&file, FlockOperation::NonBlockingLockExclusive, path)?;
        Ok((taken && path.exists()).then_some(Lock { file }))
    }
}

/// Takes a lock for a process that is about to be started: it is that one's as soon as it has the
/// descriptor, and nobody's when it ends.
pub(crate) fn take_for_child(path: &Path) -> Result<OwnedFd> {
    let gone = || Error::invalid(format!("{}: the container was removed", path.display()));
    let file = open(path)?.ok_or_else(gone)?;
    take(file.as_fd(), PATIENCE)?;
    Ok(file.into())
}

/// The lock of a folder, for the same, if nobody has it.
pub(crate) fn try_take_for_child(folder: &Path) -> Result<Option<OwnedFd>> {
    Ok(Lock::try_take_folder(folder)?.map(|lock| lock.file.into()))
}

/// Whether somebody has the lock.
pub(crate) fn is_held(path: &Path) -> Result<bool> {
    let Some(file) = open_present(path)? else { return Ok(false) };
    Ok(!try_flock(&file, FlockOperation::NonBlockingLockShared, path)?)
}

/// Who holds the lock, and is stopped.
pub(crate) fn stopped_holder(path: &Path) -> Option<Holder> {
    holder(path, Kind::File).filter(Holder::is_stopped)
}

/// What who holds the lock, and those below him, have done so far.
pub(crate) fn work(path: &Path) -> Option<Work> {
    Work::of(holder(path, Kind::File)?.pid)
}

/// Who holds the lock, and does not get on.
pub(crate) fn stuck(path: &Path) -> Option<Holder> {
    kernel::lock::stuck(path, Duration::from_millis(200))
}

/// Somebody else has a lock, and will have moved on when it is free.
pub(crate) struct Watch {
    file: File,
    waiting: Waiting,
}

/// Waits a little for whoever has a lock; an error if he does not move for long.
pub(crate) fn pause(watch: &mut Option<Watch>, path: &Path) -> Result<()> {
    let watch = match watch {
        Some(watch) => watch,
        None => {
            let Some(file) = open_present(path)? else { return Ok(()) };
            watch.insert(Watch { file, waiting: Waiting::new(PATIENCE) })
        }
    };
    Ok(watch.waiting.pause(watch.file.as_fd())?)
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |status: Metadata| (status.dev(), status.ino());
    file.metadata().ok().map(place).is_some_and(|it| path.metadata().ok().map(place) == Some(it))
}

/// Nobody else than the user is to open it, as whoever can may take the lock.
fn open(path: &Path) -> Result<Option<File>> {
    let mut options = OpenOptions::new();
    if_there(options.read(true).append(true).create(true).mode(0o600).open(path), path)
}

fn open_present(path: &Path) -> Result<Option<File>> {
    if_there(File::open(path), path)
}

fn if_there(opened: std::io::Result<File>, path: &Path) -> Result<Option<File>> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::File { path: path.to_owned(), error }),
    }
}

fn try_flock(file: &File, operation: FlockOperation, path: &Path) -> Result<bool> {
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(sys::Error::new("flock", format!("{path:?}"), errno).into()),
    }
}
