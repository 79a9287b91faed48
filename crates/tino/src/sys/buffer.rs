//! Strings in the making, on the stack or in pages of their own.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::text::{Text, Word};

/// The longest path that the kernel takes, with its NUL: `PATH_MAX`.
pub const PATH_MAX: usize = 4096;

/// Memory for a [`Buffer`].
pub type Room<const SIZE: usize> = [MaybeUninit<u8>; SIZE];

/// No memory yet: `let mut room = sys::room::<100>();`
#[must_use]
pub const fn room<const SIZE: usize>() -> Room<SIZE> {
    [MaybeUninit::uninit(); SIZE]
}

/// A string in the making, in somebody's memory, always ended by a NUL.
pub struct Buffer<'a> {
    next: *mut u8,
    last: *mut u8,
    first: *mut u8,
    life: PhantomData<&'a mut [u8]>,
}

impl<'a> Buffer<'a> {
    /// An empty string in `room`, which takes one byte less than that has.
    #[must_use]
    pub fn over<const SIZE: usize>(room: &'a mut Room<SIZE>) -> Buffer<'a> {
        const { assert!(SIZE > 1) };
        // SAFETY: so long is the room, and it is borrowed for `'a`.
        unsafe { Buffer::in_memory(room.as_mut_ptr().cast::<u8>(), SIZE) }
    }

    /// # Safety
    ///
    /// `size`, at least 2, bytes from `first` on are nobody else's during `'a`.
    #[inline(never)]
    unsafe fn in_memory(first: *mut u8, size: usize) -> Buffer<'a> {
        // SAFETY: the caller's promise.
        unsafe {
            first.write(0);
            Buffer { next: first, last: first.add(size - 1), first, life: PhantomData }
        }
    }

    /// Forgets what it holds behind its first `length` bytes, which it has.
    #[inline(never)]
    pub fn shorten(&mut self, length: usize) {
        // SAFETY: within the memory if `length` is no more than there is; else an earlier end.
        unsafe {
            self.next = self.first.add(length.min(self.length()));
            self.next.write(0);
        }
    }

    /// Appends a byte, if there is room for it.
    #[inline(never)]
    pub fn push(&mut self, byte: u8) {
        if !self.is_full() {
            // SAFETY: before `last` there is room for the byte and a NUL.
            unsafe {
                self.next.write(byte);
                self.grow(1);
            }
        }
    }

    /// Whether there is no more room: something may have been left out.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.next == self.last
    }

    /// Appends a text up to its end or to the byte `end`, as far as there is room.
    #[inline(never)]
    pub fn append(&mut self, text: Text<'_>, end: u8) {
        for byte in text {
            if byte == end {
                break;
            }
            self.push(byte);
        }
    }

    /// Appends a number that is not negative.
    #[inline(never)]
    pub fn number(&mut self, number: u32) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    /// The string.
    #[must_use]
    pub const fn text(&self) -> Text<'_> {
        // SAFETY: there always is a NUL behind the last byte.
        unsafe { Text::new(self.first) }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.next as usize - self.first as usize
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: so many have been written.
        unsafe { core::slice::from_raw_parts(self.first, self.length()) }
    }

    /// Where the next byte goes, and how many there is room for.
    pub(super) fn room(&self) -> (usize, usize) {
        (self.next as usize, self.last as usize - self.next as usize)
    }

    /// # Safety
    ///
    /// `count` more bytes have been written, for which there was room.
    pub(super) unsafe fn grow(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.next = self.next.add(count);
            self.next.write(0);
        }
    }
}

impl Buffer<'static> {
    /// The string, which from now on is as it is.
    #[must_use]
    pub fn into_word(self) -> Word {
        // SAFETY: there is a NUL behind the last byte, and the memory is ours for ever.
        unsafe { Word::new(self.first) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Text, room};

    #[test]
    fn buffers_end_in_time() {
        let mut room = room::<4>();
        let mut buffer = Buffer::over(&mut room);
        buffer.append(Text::of(c"ab,cd"), b',');
        assert_eq!(buffer.text().bytes(), b"ab");
        assert!(!buffer.is_full());
        buffer.append(Text::of(c"cd"), 0);
        assert!(buffer.is_full(), "three bytes and a NUL is all there is room for");
        assert_eq!(buffer.text().bytes(), b"abc");
        buffer.shorten(2);
        assert_eq!(buffer.bytes(), b"ab");
        buffer.shorten(1);
        assert_eq!(buffer.text().bytes(), b"a");
        buffer.shorten(3);
        assert_eq!(buffer.bytes(), b"a", "there is no more");
    }
}
