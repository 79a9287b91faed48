//! A registry as the origin of blobs: a large one in several parts at once, each again from where
//! it broke off.

use super::FetchOptions;
use crate::registry::{BlobPart, RegistryError, Remote};
use crate::store::{Incoming, Origin, OriginError};
use spec::image::Descriptor;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// What is read at once, and then written.
const BUFFER: usize = 256 * 1024;

/// Blobs of a repository.
pub(super) struct RemoteBlobs<'a> {
    pub(super) remote: &'a Remote<'a>,
    pub(super) options: FetchOptions,
}

impl Origin for RemoteBlobs<'_> {
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        let start = into.received();
        let in_parts = blob.size - start >= self.options.parts_from && self.options.connections > 1;
        let part = if in_parts { self.options.part.max(1) } else { u64::MAX };
        let work =
            Work { remote: self.remote, blob, into, queue: Queue::new(start..blob.size, part) };
        let others = if in_parts { self.options.connections - 1 } else { 0 };
        thread::scope(|scope| {
            for _ in 0..others {
                // This thread alone would do it, too.
                let builder = thread::Builder::new().name("fetch".to_owned()).stack_size(256 << 10);
                if builder.spawn_scoped(scope, || work.run()).is_err() {
                    break;
                }
            }
            work.run();
        });
        work.queue.verdict()
    }
}

/// What the threads that fetch one blob share.
struct Work<'a> {
    remote: &'a Remote<'a>,
    blob: &'a Descriptor,
    into: &'a Incoming<'a>,
    queue: Queue,
}

/// Why a part did not come.
enum Failure {
    Registry(RegistryError),
    /// Writing it: the disk is full, or nobody wants it any more.
    Write(io::Error),
}

impl Work<'_> {
    /// Fetches parts until there are no more.
    fn run(&self) {
        let mut buffer = vec![0; BUFFER];
        while let Some(range) = self.queue.take() {
            let mut place = range.start;
            let result = self.fetch(&range, &mut place, &mut buffer);
            let failures = self.queue.count_failure(place > range.start, result.is_err());
            self.queue.give_back(place..range.end);
            match result {
                // A part may be shorter than was asked for, but not for ever.
                Ok(()) if failures <= self.remote.retry().attempts => {}
                Ok(()) => self.queue.fail(self.wrong_size(place).into()),
                Err(Failure::Registry(error)) => {
                    if !error.is_passing() || failures >= self.remote.retry().attempts {
                        self.queue.fail(error.into());
                    } else if !self.queue.is_over() {
                        self.remote.wait(&error, self.remote.retry().wait(failures));
                    }
                }
                Err(Failure::Write(error)) => self.queue.fail(error.into()),
            }
        }
    }

    /// Fetches a part; `place` is how far it came.
    fn fetch(&self, range: &Range<u64>, place: &mut u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let part = self.remote.blob(self.blob, range.clone()).map_err(Failure::Registry)?;
        if part.start == range.start {
            return self.receive(part, range.clone(), place, buffer);
        }
        // All instead of a part: one of us takes it, the others have nothing more to do.
        if !self.queue.take_over() {
            *place = range.end;
            return Ok(());
        }
        let mut from_the_beginning = 0;
        let all = 0..self.blob.size;
        let result = self.receive(part, all.clone(), &mut from_the_beginning, buffer);
        *place = range.end;
        self.queue.give_back_all(from_the_beginning..all.end);
        result
    }

    fn receive(
        &self,
        mut part: BlobPart,
        range: Range<u64>,
        place: &mut u64,
        buffer: &mut [u8],
    ) -> Result<(), Failure> {
        let broken = |source| {
            let what = self.blob.digest.to_string();
            Failure::Registry(RegistryError::Body { what, source })
        };
        while *place < range.end && !self.queue.is_failed() {
            let left = usize::try_from(range.end - *place).unwrap_or(usize::MAX);
            let wanted = left.min(buffer.len());
            let count = part.body.read(&mut buffer[..wanted]).map_err(broken)?;
            if count == 0 {
                let is_whole = range == (0..self.blob.size);
                return if is_whole {
                    Err(Failure::Registry(self.wrong_size(*place)))
                } else {
                    Ok(())
                };
            }
            // Whether there is more is asked before anybody can read the last bytes.
            let is_last = *place + count as u64 == self.blob.size;
            if is_last && part.body.read(&mut [0; 1]).is_ok_and(|more| more > 0) {
                return Err(Failure::Registry(self.too_long()));
            }
            self.into.write_at(*place, &buffer[..count]).map_err(Failure::Write)?;
            *place += count as u64;
        }
        Ok(())
    }

    fn wrong_size(&self, actual: u64) -> RegistryError {
        let what = self.blob.digest.to_string();
        RegistryError::WrongSize { what, expected: self.blob.size, actual: actual.to_string() }
    }

    fn too_long(&self) -> RegistryError {
        let what = self.blob.digest.to_string();
        RegistryError::WrongSize { what, expected: self.blob.size, actual: "more".to_owned() }
    }
}

/// The parts that are still to be fetched.
struct Queue {
    part: u64,
    state: Mutex<State>,
}

struct State {
    /// What nobody has begun with.
    fresh: Range<u64>,
    /// What somebody has begun with, the last bytes first.
    returned: Vec<Range<u64>>,
    /// One thread has all of it: the server does not send parts.
    is_taken_over: bool,
    /// How often something failed since the last byte came, to any thread.
    failures: u32,
    failure: Option<OriginError>,
}

impl Queue {
    fn new(range: Range<u64>, part: u64) -> Queue {
        let state = State {
            fresh: range,
            returned: Vec::new(),
            is_taken_over: false,
            failures: 0,
            failure: None,
        };
        Queue { part, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first bytes that nobody has or fetches: who reads the blob waits for them.
    fn take(&self) -> Option<Range<u64>> {
        let mut state = self.state();
        if state.failure.is_some() {
            return None;
        }
        if let Some(range) = state.returned.pop() {
            return Some(range);
        }
        let start = state.fresh.start;
        let end = start.saturating_add(self.part).min(state.fresh.end);
        state.fresh.start = end;
        (start < end).then_some(start..end)
    }

    fn give_back(&self, range: Range<u64>) {
        let mut state = self.state();
        if range.is_empty() || state.is_taken_over {
            return;
        }
        state.returned.push(range);
        state.returned.sort_by_key(|range| std::cmp::Reverse(range.start));
    }

    /// Takes everything for this thread, if no other one has.
    fn take_over(&self) -> bool {
        let mut state = self.state();
        state.fresh.start = state.fresh.end;
        state.returned.clear();
        !std::mem::replace(&mut state.is_taken_over, true)
    }

    /// What is left after [`Queue::take_over`].
    fn give_back_all(&self, range: Range<u64>) {
        self.state().is_taken_over = false;
        self.give_back(range);
    }

    /// How often it failed since the last byte came, after one more try.
    fn count_failure(&self, has_come_on: bool, is_failure: bool) -> u32 {
        let mut state = self.state();
        if has_come_on {
            state.failures = 0;
        }
        if is_failure || !has_come_on {
            state.failures += 1;
        }
        state.failures
    }

    fn fail(&self, error: OriginError) {
        // What fails after the first one does so because of that.
        self.state().failure.get_or_insert(error);
    }

    fn is_failed(&self) -> bool {
        self.state().failure.is_some()
    }

    /// Whether there is nothing left to do or to wait for.
    fn is_over(&self) -> bool {
        let state = self.state();
        state.failure.is_some() || (state.fresh.is_empty() && state.returned.is_empty())
    }

    fn verdict(self) -> Result<(), OriginError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn parts_in_order_and_those_that_failed_first() {
        let queue = Queue::new(5..25, 10);
        assert_eq!(queue.take(), Some(5..15));
        assert_eq!(queue.take(), Some(15..25));
        assert!(queue.take().is_none() && queue.is_over());
        queue.give_back(20..25);
        queue.give_back(7..15);
        queue.give_back(9..9);
        assert_eq!(queue.take(), Some(7..15));
        assert_eq!(queue.take(), Some(20..25));
        queue.fail("no".into());
        queue.fail("later".into());
        assert_eq!(queue.take(), None);
        assert_eq!(queue.verdict().unwrap_err().to_string(), "no");
    }

    #[test]
    fn one_has_everything() {
        let queue = Queue::new(0..30, 10);
        assert_eq!((queue.take(), queue.take()), (Some(0..10), Some(10..20)));
        assert!(queue.take_over());
        assert!(!queue.take_over());
        queue.give_back(15..20);
        assert_eq!(queue.take(), None);
        queue.give_back_all(12..30);
        assert_eq!(queue.take(), Some(12..30));
        assert!(queue.verdict().is_ok());
        assert_eq!(Queue::new(3..3, u64::MAX).take(), None);
        assert_eq!(Queue::new(3..30, u64::MAX).take(), Some(3..30));
    }
}
