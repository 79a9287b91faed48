//! A fixed number of buffers. Whoever wants one waits until another is done with it, which also
//! keeps a fast thread from running away from a slow one.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The buffers that are free.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    free: Mutex<Vec<Vec<u8>>>,
    returned: Condvar,
}

impl Pool {
    /// `count` buffers of `size` bytes.
    pub(super) fn new(count: usize, size: usize) -> Pool {
        let free = Mutex::new((0..count).map(|_| vec![0; size]).collect());
        Pool(Arc::new(Inner { free, returned: Condvar::new() }))
    }

    /// A free buffer, as soon as there is one.
    pub(super) fn take(&self) -> Buffer {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(bytes) = free.pop() {
                return Buffer { bytes, filled: 0, home: self.clone() };
            }
            free = self.0.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A buffer to be filled. It goes back when it is dropped.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    home: Pool,
}

impl Buffer {
    /// Where the next bytes go; empty when it is full.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Says that this many bytes of the room were filled.
    pub(super) fn advance(&mut self, count: usize) {
        self.filled += count;
    }

    /// For several threads to read.
    pub(super) fn share(self) -> Chunk {
        Chunk(Arc::new(self))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.home.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.bytes));
        self.home.0.returned.notify_one();
    }
}

/// A filled buffer.
#[derive(Clone)]
pub(super) struct Chunk(Arc<Buffer>);

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes[..self.0.filled]
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    #[test]
    fn a_buffer_comes_back_when_all_are_done_with_it() {
        let pool = Pool::new(1, 4);
        let mut buffer = pool.take();
        buffer.room()[..2].copy_from_slice(b"ab");
        buffer.advance(2);
        let chunk = buffer.share();
        let other = chunk.clone();
        let waiting = std::thread::spawn(move || pool.take().room().len());
        assert_eq!(&*chunk, b"ab");
        drop(chunk);
        assert_eq!(&*other, b"ab");
        drop(other);
        assert_eq!(waiting.join().unwrap(), 4);
    }
}
