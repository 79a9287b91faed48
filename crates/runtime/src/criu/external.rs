//! Mounts whose other side is outside of the container, as criu knows them.
//!
//! criu keeps where one is and what it is as one text, `mnt[KEY]:VALUE`, and the first that begins
//! as it wants counts. At a checkpoint the key is the place, to which links of the image may have
//! led, and at a restore the value is a path of the machine. So a key that has an end in it would
//! have criu take something of the image's for that path, and two of one key would give one mount
//! what the other is of (CVE-2026-115520, CVE-2026-119101).

use super::message::Message;
use crate::error::{Error, Result};

/// The field of `criu_opts`.
const FIELD: u32 = 23;

/// Such mounts, no two of which can be mistaken for each other.
#[derive(Debug, Default)]
pub(super) struct Externals(Vec<(Vec<u8>, Vec<u8>)>);

impl Externals {
    /// Adds one.
    ///
    /// # Errors
    /// It could be mistaken for another one.
    pub(super) fn add(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let shown = String::from_utf8_lossy(key);
        if key.windows(2).any(|two| two == b"]:") {
            let what = format!("criu cannot have a mount at {shown:?}, as there is ]: in it");
            return Err(Error::Unsupported(what));
        }
        match self.0.iter().find(|(known, _)| known == key) {
            Some((_, known)) if known == value => return Ok(()),
            Some(_) => {
                let what = format!("criu cannot tell two mounts at {shown:?} from each other");
                return Err(Error::Unsupported(what));
            }
            None => self.0.push((key.to_vec(), value.to_vec())),
        }
        Ok(())
    }

    /// The message with all of them.
    pub(super) fn into_message(self, message: Message) -> Message {
        self.0.into_iter().fold(message, |message, (key, value)| {
            message.message(FIELD, &Message::default().text(1, key).text(2, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Externals;

    #[test]
    fn what_could_be_mistaken_is_refused() {
        let mut all = Externals::default();
        all.add("/a", "/of/a").unwrap();
        all.add("/a", "/of/a").unwrap();
        all.add("/a]", "/b]:/c").unwrap();
        for (key, value) in [("/a", "/of/b"), ("/b]:/etc", "/b"), ("/]:", "/")] {
            assert!(all.add(key, value).is_err(), "{key}");
        }
        assert_eq!(all.0.len(), 2);
    }
}
