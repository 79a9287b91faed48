//! Keys that, typed one after the other, leave what one is in front of.

use crate::error::{Error, Result};
use std::str::FromStr;

/// Such keys; none, and nothing leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    bytes: Vec<u8>,
    /// How many of them were typed so far.
    matched: usize,
}

impl FromStr for Keys {
    type Err = Error;

    /// As Docker writes them: `ctrl-p,ctrl-q`, or `a`.
    fn from_str(text: &str) -> Result<Keys> {
        let key = |text: &str| {
            let name = text.to_ascii_lowercase();
            match (name.strip_prefix("ctrl-").map(str::as_bytes), text.as_bytes()) {
                (Some(&[letter @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')]), _) => {
                    Ok(letter.to_ascii_uppercase() & 0x1f)
                }
                (None, &[key]) => Ok(key),
                _ => Err(Error::Unsupported(format!("{text:?} is no key: write a, or ctrl-a"))),
            }
        };
        let keys = text.split(',').filter(|key| !key.is_empty());
        Ok(Keys { bytes: keys.map(key).collect::<Result<_>>()?, matched: 0 })
    }
}

impl Keys {
    /// What of these bytes is to be passed on. `None`: all keys were typed. Those that might be the
    /// beginning of them are kept back.
    pub fn pass(&mut self, typed: &[u8]) -> Option<Vec<u8>> {
        let mut passed = Vec::with_capacity(typed.len());
        for byte in typed {
            if self.bytes.get(self.matched) == Some(byte) {
                self.matched += 1;
                if self.matched == self.bytes.len() {
                    return None;
                }
                continue;
            }
            passed.extend_from_slice(&self.bytes[..self.matched]);
            self.matched = usize::from(self.bytes.first() == Some(byte));
            if self.matched == 0 {
                passed.push(*byte);
            }
        }
        Some(passed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    fn keys(text: &str) -> Keys {
        text.parse().unwrap()
    }

    #[test]
    fn keys_as_docker_writes_them() {
        assert_eq!(keys("ctrl-p,ctrl-q").bytes, [16, 17]);
        assert_eq!(keys("a,ctrl-[").bytes, [b'a', 27]);
        assert!(keys("").is_empty());
        assert!("ctrl-".parse::<Keys>().is_err() && "ab".parse::<Keys>().is_err());
    }

    #[test]
    fn keys_that_begin_alike_are_typed_after_all() {
        let mut keys = keys("ctrl-p,ctrl-q");
        assert_eq!(keys.pass(b"a\x10").unwrap(), b"a");
        assert_eq!(keys.pass(b"b\x10\x10").unwrap(), b"\x10b\x10");
        assert_eq!(keys.pass(b"\x11x"), None);
    }

    #[test]
    fn one_key_leaves_at_once() {
        assert_eq!(keys("ctrl-@").pass(b"a\0"), None);
        assert_eq!(Keys::default().pass(b"a\x10\x11").unwrap(), b"a\x10\x11");
    }
}
