//! Values as they are written: numbers, switches, and parts of lists, without `core::fmt` and
//! friends (which cost 12 kB).

use crate::sys::Text;

/// A text that ends with its NUL or before the byte `end`: one part of a list.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// Where it begins.
    pub text: Text<'a>,
    /// The byte that separates it from the next part, 0 for none.
    pub end: u8,
}

impl<'a> Value<'a> {
    /// All of a text.
    #[must_use]
    pub const fn all(text: Text<'a>) -> Value<'a> {
        Value { text, end: 0 }
    }

    /// Nothing.
    pub const NONE: Value<'static> = Value::all(Text::of(c""));

    /// Whether nothing is left of it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.first() == 0
    }

    /// The value without its first byte.
    #[must_use]
    #[inline(never)]
    pub const fn rest(self) -> Value<'a> {
        if self.is_empty() { self } else { Value { text: self.text.rest(), end: self.end } }
    }

    /// Its first byte, 0 at its end.
    #[must_use]
    pub const fn first(self) -> u8 {
        let byte = self.text.first();
        if byte == self.end { 0 } else { byte }
    }

    /// What comes after its separator, `None` when it is the last part.
    #[must_use]
    #[inline(never)]
    pub fn next_part(self) -> Option<Value<'a>> {
        let mut text = self.text;
        loop {
            match text.first() {
                0 => return None,
                byte if byte == self.end => {
                    return Some(Value { text: text.rest(), end: self.end });
                }
                _ => text = text.rest(),
            }
        }
    }

    /// What follows `word` at its beginning, whatever the case of its letters (`word` is in
    /// lower case).
    #[must_use]
    #[inline(never)]
    pub fn after(self, word: Text<'_>) -> Option<Value<'a>> {
        let mut rest = self;
        for byte in word {
            if rest.first().to_ascii_lowercase() != byte {
                return None;
            }
            rest = rest.rest();
        }
        Some(rest)
    }

    /// The decimal number that is all of it, if it is one of at most `limit`.
    #[must_use]
    #[inline(never)]
    pub fn number(self, limit: u32) -> Option<u32> {
        let (mut rest, mut number) = (self, 0u64);
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digit = rest.first().wrapping_sub(b'0');
            number = number * 10 + u64::from(digit);
            if digit > 9 || number > u64::from(limit) {
                return None;
            }
            rest = rest.rest();
        }
        Some(number as u32)
    }

    /// What a switch is set to: 1, true, yes, on or 0, false, no, off.
    #[must_use]
    pub fn truth(self) -> Option<bool> {
        position(self, Text::of(c"1 true yes on 0 false no off")).map(|index| index < 4)
    }
}

/// Which of the words in `list`, separated by spaces, the value is, counted from 0; the case of
/// letters does not matter.
#[must_use]
#[inline(never)]
pub fn position(value: Value<'_>, list: Text<'_>) -> Option<u32> {
    let mut index = 0;
    let mut word = Value { text: list, end: b' ' };
    loop {
        let (mut left, mut right) = (value, word);
        while left.first().eq_ignore_ascii_case(&right.first()) {
            if left.is_empty() {
                return Some(index);
            }
            (left, right) = (left.rest(), right.rest());
        }
        word = word.next_part()?;
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &'static core::ffi::CStr) -> Value<'static> {
        Value { text: Text::of(text), end: b',' }
    }

    #[test]
    fn only_plain_decimal_numbers_are_numbers() {
        assert_eq!(value(c"0").number(9), Some(0));
        assert_eq!(value(c"255,256").number(255), Some(255));
        assert_eq!(value(c"4294967295").number(u32::MAX), Some(u32::MAX));
        for bad in [
            c"",
            c",1",
            c"-1",
            c"+1",
            c" 1",
            c"1 ",
            c"0x1",
            c"4294967296",
            c"99999999999999999999999",
        ] {
            assert_eq!(value(bad).number(u32::MAX), None, "{bad:?}");
        }
        assert_eq!(value(c"256").number(255), None);
    }

    #[test]
    fn switches() {
        for on in [c"1", c"true", c"YES", c"On"] {
            assert_eq!(value(on).truth(), Some(true), "{on:?}");
        }
        for off in [c"0", c"FALSE", c"no", c"off"] {
            assert_eq!(value(off).truth(), Some(false), "{off:?}");
        }
        for bad in [c"", c"2", c"o", c"onn", c"true "] {
            assert_eq!(value(bad).truth(), None, "{bad:?}");
        }
    }

    #[test]
    fn parts_of_a_list() {
        let list = value(c"a,bc,,d");
        let mut parts = std::vec::Vec::new();
        let mut next = Some(list);
        while let Some(part) = next {
            let mut text = std::string::String::new();
            let mut rest = part;
            while !rest.is_empty() {
                text.push(char::from(rest.first()));
                rest = rest.rest();
            }
            parts.push(text);
            next = part.next_part();
        }
        assert_eq!(parts, ["a", "bc", "", "d"]);
    }
}
