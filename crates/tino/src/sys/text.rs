//! Text as the kernel hands it over: NUL-terminated. One pointer, half of what a slice takes in
//! registers, on the stack and in code; that is a third of `tino`'s size.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::call::Errno;
use super::file::{OPEN_READ, close, open, pages, read};

/// A NUL-terminated string, and an iterator over its bytes.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    first: NonNull<u8>,
    life: PhantomData<&'a [u8]>,
}

impl<'a> Text<'a> {
    /// A C string.
    #[must_use]
    pub const fn of(string: &'a CStr) -> Text<'a> {
        // SAFETY: a `CStr`'s pointer is not null, and its NUL is within its lifetime.
        unsafe { Text::new(string.as_ptr().cast::<u8>()) }
    }

    /// # Safety
    ///
    /// `first` is not null and points to bytes up to a NUL that nobody changes during `'a`.
    const unsafe fn new(first: *const u8) -> Text<'a> {
        // SAFETY: the caller's promise.
        Text { first: unsafe { NonNull::new_unchecked(first.cast_mut()) }, life: PhantomData }
    }

    /// The first byte, 0 at the end.
    #[must_use]
    pub const fn first(self) -> u8 {
        // SAFETY: `new` promises a byte here: one before the NUL, or the NUL.
        unsafe { *self.first.as_ptr() }
    }

    /// What comes after the first byte; at the end, the end.
    #[must_use]
    pub const fn rest(self) -> Text<'a> {
        if self.first() == 0 {
            return self;
        }
        // SAFETY: this byte is not the NUL, so the next one is within the string.
        Text { first: unsafe { self.first.add(1) }, life: PhantomData }
    }

    /// How many bytes it has, without the NUL.
    #[must_use]
    pub fn length(self) -> usize {
        self.count()
    }

    /// Its bytes, without the NUL.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: so many bytes were just read.
        unsafe { core::slice::from_raw_parts(self.first.as_ptr(), self.length()) }
    }

    /// Whether it is the same as `other`.
    #[must_use]
    #[inline(never)]
    pub fn is(self, other: Text<'_>) -> bool {
        let (mut left, mut right) = (self, other);
        while left.first() == right.first() {
            if left.first() == 0 {
                return true;
            }
            (left, right) = (left.rest(), right.rest());
        }
        false
    }

    /// What follows `beginning`, if it begins like that.
    #[must_use]
    #[inline(never)]
    pub fn after(self, beginning: Text<'_>) -> Option<Text<'a>> {
        let mut rest = self;
        for byte in beginning {
            if rest.first() != byte {
                return None;
            }
            rest = rest.rest();
        }
        Some(rest)
    }

    pub(super) fn address(self) -> usize {
        self.first.as_ptr() as usize
    }
}

impl Iterator for Text<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = self.first();
        *self = self.rest();
        (byte != 0).then_some(byte)
    }
}

/// A list of strings that lives as long as the process, where the kernel put it: an array of
/// pointers, ended by a null pointer, at the top of the stack.
#[derive(Clone, Copy)]
pub struct Texts {
    first: *mut *const c_char,
}

impl Texts {
    /// # Safety
    ///
    /// `first` points to pointers to NUL-terminated strings, the last of them null, all valid and
    /// written by nobody else for the rest of the process's life.
    #[must_use]
    pub const unsafe fn new(first: *mut *const c_char) -> Texts {
        Texts { first }
    }

    /// The string at `index`, or `None` at the end. `index` must not be beyond the end, so callers
    /// count up and stop at `None`.
    #[must_use]
    pub fn get(self, index: usize) -> Option<Text<'static>> {
        // SAFETY: `new` promises a valid pointer or null up to and including the end.
        unsafe {
            let string = *self.first.add(index);
            (!string.is_null()).then(|| Text::new(string.cast::<u8>()))
        }
    }

    /// Replaces the string at `index`; `None` ends the list there.
    pub fn set(self, index: usize, string: Option<Text<'static>>) {
        let string = string.map_or(core::ptr::null(), |text| text.address() as *const c_char);
        // SAFETY: `new` promises that the array is ours up to its end.
        unsafe { *self.first.add(index) = string }
    }

    /// Takes the string at `index` out.
    pub fn remove(self, index: usize) {
        let mut index = index;
        while self.get(index).is_some() {
            self.set(index, self.get(index + 1));
            index += 1;
        }
    }

    /// The list from `index` on.
    #[must_use]
    pub fn from(self, index: usize) -> Texts {
        // SAFETY: as for `get`.
        Texts { first: unsafe { self.first.add(index) } }
    }

    /// The list with the string before its first one, of a list that was made by [`from`] with an
    /// index above 0.
    ///
    /// [`from`]: Texts::from
    #[must_use]
    pub fn before(self) -> Texts {
        // SAFETY: the caller's list began at an earlier string of the same array.
        Texts { first: unsafe { self.first.sub(1) } }
    }

    pub(super) fn address(self) -> usize {
        self.first as usize
    }
}

impl Iterator for Texts {
    type Item = Text<'static>;

    fn next(&mut self) -> Option<Text<'static>> {
        let text = self.get(0)?;
        *self = self.from(1);
        Some(text)
    }
}

/// A list for tests, which is never freed.
#[cfg(test)]
pub(crate) fn texts(entries: &[&'static CStr]) -> Texts {
    let pointers = entries.iter().map(|entry| entry.as_ptr());
    let list: Vec<_> = pointers.chain([core::ptr::null()]).collect();
    // SAFETY: ended by a null pointer, leaked, and of strings that live as long as the process.
    unsafe { Texts::new(list.leak().as_mut_ptr()) }
}

/// The longest path that the kernel takes, with its NUL: `PATH_MAX`.
pub const PATH_MAX: usize = 4096;

/// A string in the making, in somebody's memory, always ended by a NUL.
pub struct Buffer<'a> {
    memory: &'a mut [u8],
    length: usize,
}

impl<'a> Buffer<'a> {
    /// An empty string in `memory`, which takes one byte less than it has.
    #[must_use]
    #[inline(never)]
    pub fn over(memory: &'a mut [u8]) -> Buffer<'a> {
        let mut buffer = Buffer { memory, length: 0 };
        buffer.clear();
        buffer
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.length = 0;
        if let Some(first) = self.memory.first_mut() {
            *first = 0;
        }
    }

    /// Appends a byte; false when there is no room for it.
    #[inline(never)]
    pub fn push(&mut self, byte: u8) -> bool {
        let Some([space, end, ..]) = self.memory.get_mut(self.length..) else { return false };
        (*space, *end) = (byte, 0);
        self.length += 1;
        true
    }

    /// Appends the end of a line, in the place of the last byte if there is no room.
    pub fn end_line(&mut self) {
        if !self.push(b'\n') {
            self.length -= 1;
            self.push(b'\n');
        }
    }

    /// Appends a text up to its end or to the byte `end`; false when there is no room for it.
    #[inline(never)]
    pub fn append(&mut self, text: Text<'_>, end: u8) -> bool {
        let mut rest = text;
        while rest.first() != 0 && rest.first() != end {
            if !self.push(rest.first()) {
                return false;
            }
            rest = rest.rest();
        }
        true
    }

    /// Appends a number that is not negative.
    #[inline(never)]
    pub fn number(&mut self, number: i32) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    /// The string.
    #[must_use]
    pub const fn text(&self) -> Text<'_> {
        // SAFETY: `over` and `push` keep a NUL behind the last byte.
        unsafe { Text::new(self.memory.as_ptr()) }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(..self.length).unwrap_or_default()
    }
}

/// The lines of a file of at most `limit` bytes, in memory that lives as long as the process. White
/// space at the end of a line is taken for more ends of lines.
pub fn read_lines(path: Text<'_>, limit: usize) -> Result<Text<'static>, Errno> {
    let fd = open(path, OPEN_READ)?;
    let memory = pages(limit + 1)?;
    let mut filled = 0;
    let result = loop {
        match read(fd, memory.get_mut(filled..limit).unwrap_or_default()) {
            Ok(0) => break Ok(()),
            Ok(count) => filled += count,
            Err(error) => break Err(error),
        }
    };
    close(fd);
    trim_lines(memory);
    // SAFETY: the memory was zeroed, and its last byte was not read into; nobody else has it.
    result.map(|()| unsafe { Text::new(memory.as_ptr()) })
}

fn trim_lines(text: &mut [u8]) {
    let mut at_end = true;
    for byte in text.iter_mut().rev() {
        if matches!(*byte, b' ' | b'\t' | b'\r' | b'\n') {
            at_end |= *byte == b'\n';
            *byte = if at_end { b'\n' } else { *byte };
        } else {
            at_end = *byte == 0;
        }
    }
}

/// The string in fresh memory whose last byte is a NUL; `None` without that.
#[must_use]
#[inline(never)]
pub fn text_in(memory: &'static mut [u8]) -> Option<Text<'static>> {
    let ended = memory.last() == Some(&0);
    // SAFETY: the last byte is a NUL, and nobody else has the memory.
    ended.then(|| unsafe { Text::new(memory.as_ptr()) })
}

/// A copy of the text, in memory of its own, that lives as long as the process.
pub fn keep(text: Text<'_>) -> Option<Text<'static>> {
    let memory = pages(text.length() + 1).ok()?;
    for (to, byte) in memory.iter_mut().zip(text) {
        *to = byte;
    }
    text_in(memory)
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Text, trim_lines};

    #[test]
    fn lines_lose_the_white_space_at_their_ends_only() {
        let mut text = *b"# a\n/a  \n\t /b c \t\r\n /d \r\0\0";
        trim_lines(&mut text);
        assert_eq!(&text, b"# a\n/a\n\n\n\t /b c\n\n\n\n /d\n\n\0\0");
    }

    #[test]
    fn buffers_end_in_time() {
        let mut memory = [1; 4];
        let mut buffer = Buffer::over(&mut memory);
        assert!(buffer.append(Text::of(c"ab,cd"), b','));
        assert_eq!(buffer.text().bytes(), b"ab");
        assert!(
            !buffer.append(Text::of(c"cd"), 0),
            "three bytes and a NUL is all there is room for"
        );
        assert_eq!(buffer.text().bytes(), b"abc");
        buffer.end_line();
        assert_eq!(buffer.bytes(), b"ab\n");
    }

    #[test]
    fn texts_compare() {
        assert!(Text::of(c"abc").is(Text::of(c"abc")) && !Text::of(c"ab").is(Text::of(c"abc")));
        assert!(
            Text::of(c"abc").after(Text::of(c"ab")).is_some_and(|rest| rest.is(Text::of(c"c")))
        );
        assert!(Text::of(c"ab").after(Text::of(c"abc")).is_none());
        assert!(Text::of(c"").rest().is(Text::of(c"")), "the end has no further");
    }
}
