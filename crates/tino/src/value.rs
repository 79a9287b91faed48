//! Values as they are written: switches, and words of a list. Numbers are in `sys`.

use crate::sys::Text;

impl<'a> Text<'a> {
    /// What follows `word` at its beginning. A small letter in `word`, which ends with a space or
    /// its NUL, is a capital one, too.
    #[must_use]
    #[inline(never)]
    pub fn after_word(self, word: Text<'_>) -> Option<Text<'a>> {
        let (mut rest, mut word) = (self, word);
        loop {
            let (mut byte, wanted) = (rest.first(), word.first());
            if wanted <= b' ' {
                return Some(rest);
            }
            if wanted > b'Z' {
                byte = byte.to_ascii_lowercase();
            }
            if byte != wanted {
                return None;
            }
            (rest, word) = (rest.rest(), word.rest());
        }
    }

    /// Which of the words in `list`, separated by spaces, it is, counted from 0; the case of
    /// letters does not matter.
    #[must_use]
    #[inline(never)]
    pub fn position(self, list: Text<'_>) -> Option<u32> {
        let (mut index, mut word) = (0, list);
        loop {
            if self.after_word(word).is_some_and(|rest| rest.first() == 0) {
                return Some(index);
            }
            word = word.behind(b' ')?;
            index += 1;
        }
    }

    /// What a switch is set to: 1, true, yes, on or 0, false, no, off.
    #[must_use]
    pub fn truth(self) -> Option<bool> {
        self.position(Text::of(c"0 false no off 1 true yes on")).map(|index| index > 3)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn switches() {
        for on in [c"1", c"true", c"YES", c"On"] {
            assert_eq!(Text::of(on).truth(), Some(true), "{on:?}");
        }
        for off in [c"0", c"FALSE", c"no", c"off"] {
            assert_eq!(Text::of(off).truth(), Some(false), "{off:?}");
        }
        for bad in [c"", c"2", c"o", c"onn", c"true ", c"no off", c"\x11", c" "] {
            assert_eq!(Text::of(bad).truth(), None, "{bad:?}");
        }
    }
}
