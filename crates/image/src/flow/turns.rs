//! Memory for large windows.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What looks back further than this when it inflates waits for its turn.
pub(super) const SMALL_WINDOW: u64 = 8 << 20;

/// How far any may look back: what `zstd` and `xz` do without being told otherwise, or with `--long`.
pub(super) const LONGEST_WINDOW: u64 = 128 << 20;

/// However many layers are inflated at the same time, only one of them has a large window.
#[derive(Debug, Default)]
pub struct Turns(Mutex<()>);

/// Lets the next one have it when it is dropped.
pub(super) type Turn<'a> = MutexGuard<'a, ()>;

impl Turns {
    pub(super) fn wait(&self) -> Turn<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
