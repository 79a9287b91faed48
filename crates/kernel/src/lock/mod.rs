//! Locks of whole files, flock(2): they are waited for as long as whoever has one gets on with his
//! work, but not for a process that is stopped, or waits for a disk that does not answer.
//!
//! Nothing here takes a lock away from anybody.

mod holder;
#[cfg(test)]
mod tests;

pub use holder::{Holder, Kind, Work, holder, stuck};

use holder::{Name, Turns};
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::{Duration, Instant};
use sys::OrError;
use sys::rustix::fs::{FlockOperation, flock};
use sys::rustix::io::Errno;

/// So long whoever has a lock may stand still. Somebody who works never does: he waits for a disk
/// some milliseconds, and for processors not much longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long the first pause is, and the longest: each is twice the one before. Most locks are held
/// for some milliseconds.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(32)];

/// How often it is looked who has the lock, in the time of one patience.
const LOOKS: u32 = 6;

/// Why a lock is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Somebody has it, and has not moved all the time.
    #[error("{path:?} is locked by {holder}")]
    Held {
        /// The file.
        path: String,
        /// Who.
        holder: Holder,
    },
    /// A system call failed.
    #[error(transparent)]
    Call(#[from] sys::Error),
}

/// Takes the lock of an open file for writing, as soon as nobody else has it.
///
/// # Errors
/// [`Error::Held`] if somebody has it who stands still for so long.
pub fn take(file: BorrowedFd<'_>, patience: Duration) -> Result<(), Error> {
    let mut waiting = Waiting::new(patience);
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => waiting.pause(file)?,
            result => return Ok(result.or_error("flock", || Name::of(file).path)?),
        }
    }
}

/// Somebody waits for a lock that another one has.
///
/// The kernel could wake us up, but then nobody could be asked how long this is to take: a timer would
/// need a signal, or a thread.
#[derive(Debug)]
pub struct Waiting {
    patience: Duration,
    pause: Duration,
    /// When it is looked again who has it.
    look: Instant,
    /// Who had it, how often each was on a processor, and since when that is so.
    seen: Vec<Turns>,
    since: Instant,
}

impl Waiting {
    /// Nobody was waited for yet.
    pub fn new(patience: Duration) -> Waiting {
        let now = Instant::now();
        Waiting {
            patience,
            pause: PAUSES[0],
            look: now + patience / LOOKS,
            seen: Vec::new(),
            since: now,
        }
    }

    /// Waits a little.
    ///
    /// # Errors
    /// [`Error::Held`].
    pub fn pause(&mut self, file: BorrowedFd<'_>) -> Result<(), Error> {
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(PAUSES[1]);
        let now = Instant::now();
        if now < self.look {
            return Ok(());
        }
        self.look = now + self.patience / LOOKS;
        let name = Name::of(file);
        let seen = name.turns();
        if seen != self.seen {
            (self.seen, self.since) = (seen, now);
        }
        match Holder::of(&self.seen) {
            Some(holder) if now - self.since >= self.patience => {
                Err(Error::Held { path: name.path, holder })
            }
            // Who cannot be seen may be at work.
            _ => Ok(()),
        }
    }
}
