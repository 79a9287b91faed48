//! The disk works while layers are still coming in. Without this the kernel would keep everything
//! in memory until it is told to sync, and only then would the disk begin.

use super::Error;
use super::layout::Disk;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So many bytes, of blobs and of what was unpacked from them, are written at once: often enough for
/// the disk to be busy all the time, seldom enough for a journal not to be.
const STEP: u64 = 64 << 20;

/// Says when it is worth writing.
#[derive(Debug, Default)]
pub(super) struct WriteBack {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes since it was last written.
    waiting: u64,
    /// No more will come.
    ended: bool,
}

impl WriteBack {
    /// So many more bytes came in, or were unpacked.
    pub(super) fn add(&self, bytes: u64) {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_add(bytes);
        if state.waiting >= STEP {
            self.changed.notify_one();
        }
    }

    /// Ends [`WriteBack::run`].
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    /// Writes now and then until there is no more. What is dirty then, whoever needs it on the
    /// disk syncs.
    ///
    /// # Errors
    /// Something could not be written.
    pub(super) fn run(&self, disk: &Disk) -> Result<(), Error> {
        loop {
            let mut state = self.state();
            while state.waiting < STEP && !state.ended {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.ended {
                return Ok(());
            }
            state.waiting = 0;
            drop(state);
            disk.sync()?;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
