//! Who makes, uses or removes what: two locks for each blob and each layer, held by files, so that
//! a process that dies lets go of them.
//!
//! Whoever makes a thing holds the lock for that; whoever is about to use it, its maker included,
//! shares the lock of its users, until a row of the database says that it is in use. Whoever
//! removes it must have both alone.

use super::Error;
use super::layout::{Kind, Layout};
use kernel::lock::Waiting;
use spec::image::Digest;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use sys::OrError;
use sys::rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, flock, fstat, openat, statat, unlinkat,
};
use sys::rustix::io::Errno;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: OwnedFd,
    name: String,
}

/// What a thing is locked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is being made.
    Make,
    /// It is about to be used.
    Use,
    /// It is not to be used any more.
    Remove,
}

/// So long somebody who makes a thing may stand still: he waits a minute for a server that sends
/// nothing, and then tries it again.
const PATIENCE: Duration = Duration::from_secs(180);

/// A lock, or the file whose lock somebody else has.
enum Tried {
    Taken(Lock),
    Held(OwnedFd),
}

impl Lock {
    /// Waits until the lock can be held. `waiting` is called now and then meanwhile.
    pub(super) fn take(
        layout: &Layout,
        kind: Kind,
        digest: &Digest,
        purpose: Purpose,
        waiting: &mut dyn FnMut(),
    ) -> Result<Lock, Error> {
        let mut watch = Waiting::new(PATIENCE);
        loop {
            match Lock::attempt(layout, kind, digest, purpose)? {
                Tried::Taken(lock) => return Ok(lock),
                Tried::Held(file) => {
                    waiting();
                    watch.pause(file.as_fd())?;
                }
            }
        }
    }

    /// The lock, if it can be held right now.
    pub(super) fn try_take(
        layout: &Layout,
        kind: Kind,
        digest: &Digest,
        purpose: Purpose,
    ) -> Result<Option<Lock>, Error> {
        match Lock::attempt(layout, kind, digest, purpose)? {
            Tried::Taken(lock) => Ok(Some(lock)),
            Tried::Held(_) => Ok(None),
        }
    }

    fn attempt(
        layout: &Layout,
        kind: Kind,
        digest: &Digest,
        purpose: Purpose,
    ) -> Result<Tried, Error> {
        let (suffix, operation) = match purpose {
            Purpose::Make => (".make", FlockOperation::NonBlockingLockExclusive),
            Purpose::Use => ("", FlockOperation::NonBlockingLockShared),
            Purpose::Remove => ("", FlockOperation::NonBlockingLockExclusive),
        };
        let name = format!("{}-{digest}{suffix}", kind.name());
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let file = openat(layout.locks(), name.as_str(), flags, Mode::from_raw_mode(0o600))
                .or_error("openat", || format!("lock {name:?}"))?;
            match flock(&file, operation) {
                Err(Errno::WOULDBLOCK) => return Ok(Tried::Held(file)),
                result => result.or_error("flock", || name.clone())?,
            }
            if is_current(layout, &file, &name)? {
                return Ok(Tried::Taken(Lock { _file: file, name }));
            }
        }
    }

    /// Removes the lock's file, because the thing is gone. Must not be shared.
    pub(super) fn remove(self, layout: &Layout) -> Result<(), Error> {
        match unlinkat(layout.locks(), self.name.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Ok(Err(errno).or_error("unlinkat", || format!("lock {:?}", self.name))?),
        }
    }
}

/// Whether the file is still the one of this name: a lock of a removed file locks nothing.
fn is_current(layout: &Layout, file: &OwnedFd, name: &str) -> Result<bool, Error> {
    let own = fstat(file.as_fd()).or_error("fstat", || name.to_owned())?;
    match statat(layout.locks(), name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Ok(Err(errno).or_error("fstatat", || name.to_owned())?),
    }
}
