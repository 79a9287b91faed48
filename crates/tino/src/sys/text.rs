//! Text as the kernel hands it over: NUL-terminated. One pointer, half of what a slice takes in
//! registers, on the stack and in code; that is a third of `tino`'s size.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

/// A NUL-terminated string, and an iterator over its bytes.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    first: NonNull<u8>,
    life: PhantomData<&'a [u8]>,
}

impl<'a> Text<'a> {
    /// Nothing.
    pub const NONE: Text<'static> = Text::of(c"");

    /// A C string.
    #[must_use]
    pub const fn of(string: &'a CStr) -> Text<'a> {
        // SAFETY: a `CStr`'s pointer is not null, and its NUL is within its lifetime.
        unsafe { Text::new(string.as_ptr().cast::<u8>()) }
    }

    /// # Safety
    ///
    /// `first` is not null and points to bytes up to a NUL that stay during `'a`.
    pub(super) const unsafe fn new(first: *const u8) -> Text<'a> {
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

    /// Its bytes, without the NUL.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: so many bytes are before the NUL, and nobody changes them meanwhile.
        unsafe { core::slice::from_raw_parts(self.first.as_ptr(), self.count()) }
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

    /// What follows the first `byte`, if there is one.
    #[must_use]
    #[inline(never)]
    pub fn behind(self, byte: u8) -> Option<Text<'a>> {
        let mut rest = self;
        while let Some(next) = rest.next() {
            if next == byte {
                return Some(rest);
            }
        }
        None
    }

    /// What follows the last `byte`, or all of it.
    #[must_use]
    #[inline(never)]
    pub fn behind_last(self, byte: u8) -> Text<'a> {
        let mut last = self;
        while let Some(rest) = last.behind(byte) {
            last = rest;
        }
        last
    }

    /// The decimal number that is all of it, if it is one of at most `limit`.
    #[must_use]
    #[inline(never)]
    pub fn number(self, limit: u32) -> Option<u32> {
        let (mut rest, mut number) = (self, 0);
        loop {
            let digit = rest.first().wrapping_sub(b'0');
            number = number * 10 + u64::from(digit);
            if digit > 9 || number > u64::from(limit) {
                return None;
            }
            rest = rest.rest();
            if rest.first() == 0 {
                return Some(number as u32);
            }
        }
    }

    pub(super) fn address(self) -> usize {
        self.first.as_ptr() as usize
    }
}

impl Iterator for Text<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = self.first();
        if byte == 0 {
            return None;
        }
        *self = self.rest();
        Some(byte)
    }
}

/// A string that is ours to write and lives as long as the process: an argument, a variable, or
/// one in pages of its own.
#[derive(Clone, Copy)]
pub struct Word(Text<'static>);

impl Word {
    /// # Safety
    ///
    /// As for [`Text::new`], and nobody else has a reference to any of the bytes.
    pub(super) const unsafe fn new(first: *mut u8) -> Word {
        // SAFETY: the caller's promise.
        Word(unsafe { Text::new(first) })
    }

    /// What comes after the first byte; at the end, the end.
    #[must_use]
    pub const fn rest(self) -> Word {
        Word(self.0.rest())
    }

    /// What follows `beginning`, if it begins like that.
    #[must_use]
    pub fn after(self, beginning: Text<'_>) -> Option<Word> {
        self.0.after(beginning).map(Word)
    }

    /// Ends the word at the first `separator`, if there is one, and returns what follows. This
    /// way a part of a list is a word of its own.
    #[must_use]
    #[inline(never)]
    pub fn cut(self, separator: u8) -> Option<Word> {
        let rest = self.0.behind(separator)?;
        // SAFETY: the separator is the byte before `rest`; by `new` it is ours to write.
        unsafe { rest.first.sub(1).write(0) };
        Some(Word(rest))
    }

    /// Takes the white space at the end away.
    pub fn trim_end(self) {
        let (mut rest, mut end) = (self.0, self.0);
        while let Some(byte) = rest.next() {
            if !matches!(byte, b' ' | b'\t' | b'\r') {
                end = rest;
            }
        }
        // SAFETY: `end` is in the string, which is ours to write.
        unsafe { end.first.write(0) };
    }

    /// Undoes a [`Word::cut`] that returned this word.
    pub fn join(self, separator: u8) {
        // SAFETY: `cut` wrote a NUL to the byte before, which is ours.
        unsafe { self.0.first.sub(1).write(separator) };
    }
}

impl Deref for Word {
    type Target = Text<'static>;

    fn deref(&self) -> &Text<'static> {
        &self.0
    }
}

/// A list of strings that lives as long as the process, where the kernel put it: an array of
/// pointers, ended by a null pointer, at the top of the stack.
#[derive(Clone, Copy)]
pub struct Texts {
    first: NonNull<*mut c_char>,
}

impl Texts {
    /// # Safety
    ///
    /// `first` is not null and points to pointers to NUL-terminated strings, the last of them null, all valid and
    /// written by nobody else for the rest of the process's life.
    #[must_use]
    pub const unsafe fn new(first: *mut *mut c_char) -> Texts {
        // SAFETY: the caller's promise.
        Texts { first: unsafe { NonNull::new_unchecked(first) } }
    }

    /// The string at `index`, or `None` at the end. `index` must not be beyond the end, so callers
    /// count up and stop at `None`.
    #[must_use]
    pub fn get(self, index: usize) -> Option<Word> {
        // SAFETY: `new` promises a valid pointer or null up to and including the end.
        unsafe {
            let string = self.first.add(index).read();
            (!string.is_null()).then(|| Word::new(string.cast::<u8>()))
        }
    }

    /// Replaces the string at `index`; `None` ends the list there.
    pub fn set(self, index: usize, string: Option<Word>) {
        let string = string.map_or(core::ptr::null_mut(), |word| word.address() as *mut c_char);
        // SAFETY: `new` promises that the array is ours up to its end.
        unsafe { self.first.add(index).write(string) }
    }

    /// Takes the first string out.
    pub fn remove_first(self) {
        let mut index = 0;
        while self.get(index).is_some() {
            self.set(index, self.get(index + 1));
            index += 1;
        }
    }

    /// The list from `index` on.
    #[must_use]
    pub const fn from(self, index: usize) -> Texts {
        // SAFETY: as for `get`.
        Texts { first: unsafe { self.first.add(index) } }
    }

    pub(super) fn address(self) -> usize {
        self.first.as_ptr() as usize
    }
}

impl Iterator for Texts {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let text = self.get(0)?;
        *self = self.from(1);
        Some(text)
    }
}

/// A list for tests, which is never freed.
#[cfg(test)]
pub(crate) fn texts(entries: &[&str]) -> Texts {
    let copy = |entry: &&str| std::ffi::CString::new(*entry).unwrap().into_raw();
    let pointers = entries.iter().map(copy);
    let list: Vec<_> = pointers.chain([core::ptr::null_mut()]).collect();
    // SAFETY: ended by a null pointer, leaked, and of strings that are leaked, too.
    unsafe { Texts::new(list.leak().as_mut_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::{Text, texts};

    #[test]
    fn only_plain_decimal_numbers_are_numbers() {
        let number = |text, limit| Text::of(text).number(limit);
        assert_eq!(number(c"0", 9), Some(0));
        assert_eq!(number(c"255", 255), Some(255));
        assert_eq!(number(c"4294967295", u32::MAX), Some(u32::MAX));
        for bad in
            [c"", c"-1", c"+1", c" 1", c"1 ", c"0x1", c"4294967296", c"99999999999999999999999"]
        {
            assert_eq!(number(bad, u32::MAX), None, "{bad:?}");
        }
        assert_eq!(number(c"256", 255), None);
    }

    #[test]
    fn texts_compare() {
        let after = |text, beginning| Text::of(text).after(Text::of(beginning)).map(Text::bytes);
        assert_eq!(after(c"abc", c"ab"), Some(&b"c"[..]));
        assert_eq!(after(c"abc", c"abc"), Some(&b""[..]));
        assert_eq!(after(c"ab", c"abc"), None);
        assert_eq!(Text::of(c"").rest().bytes(), b"", "the end has no further");
        assert_eq!(Text::of(c"a/b/c").behind_last(b'/').bytes(), b"c");
        assert_eq!(Text::of(c"abc").behind_last(b'/').bytes(), b"abc");
    }

    #[test]
    fn words_are_cut_and_joined() {
        let word = texts(&["a,bc,,d"]).get(0).unwrap();
        let mut parts = Vec::new();
        let mut next = Some(word);
        while let Some(part) = next {
            next = part.cut(b',');
            parts.push(part.bytes().to_vec());
            if let Some(rest) = next {
                rest.join(b',');
            }
        }
        assert_eq!(parts, [&b"a"[..], b"bc", b"", b"d"]);
        assert_eq!(word.bytes(), b"a,bc,,d");
        assert!(word.cut(0).is_none(), "no word goes on behind its end");
    }

    #[test]
    fn words_lose_the_white_space_at_their_ends_only() {
        for (text, is) in [("/a  ", "/a"), ("\t /b c \t\r", "\t /b c"), (" \r", ""), ("", "")] {
            let word = texts(&[text]).get(0).unwrap();
            word.trim_end();
            assert_eq!(word.bytes(), is.as_bytes());
        }
    }
}
