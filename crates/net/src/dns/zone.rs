//! The names of one network: a file of lines such as `10.200.0.2 web db 3f2a17c09e4b`.

use std::net::IpAddr;
use std::path::PathBuf;
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::{Errno, read, retry_on_intr};

/// No file is longer; what is behind is not read.
const LONGEST: usize = 4 << 20;

/// The file with the names of a network, which may change at any time: it is replaced as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub PathBuf);

/// An address and its names: the first one is what the address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address of the container in this network.
    pub address: IpAddr,
    /// At least one, without spaces.
    pub names: Vec<String>,
}

impl Zone {
    /// The content of a file with these entries.
    #[must_use]
    pub fn text(entries: &[Entry]) -> String {
        let line = |entry: &Entry| format!("{} {}\n", entry.address, entry.names.join(" "));
        entries.iter().map(line).collect::<String>().to_ascii_lowercase()
    }

    /// Reads the file; one that is not there has no names.
    pub(super) fn read(&self) -> Result<String, sys::Error> {
        let path = &self.0;
        let file = match openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(String::new()),
            result => result.or_error("openat", || format!("{path:?}, O_RDONLY"))?,
        };
        let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
        while text.len() < LONGEST {
            let length = retry_on_intr(|| read(&file, buffer.as_mut_slice()))
                .or_error("read", || format!("{path:?}"))?;
            if length == 0 {
                break;
            }
            text.extend_from_slice(&buffer[..length]);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The addresses of a name in lower case, or `None` if there is no such name.
pub(super) fn addresses(text: &str, name: &str) -> Option<Vec<IpAddr>> {
    let mut found = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        if words.any(|word| word == name) {
            found.get_or_insert_with(Vec::new).push(address);
        }
    }
    found
}

/// The name of an address.
pub(super) fn name_of(text: &str, address: IpAddr) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let is_it = words.next()?.parse() == Ok(address);
        words.next().filter(|_| is_it)
    })
}

#[cfg(test)]
mod tests {
    use super::{Entry, Zone, addresses, name_of};
    use std::net::IpAddr;

    #[test]
    fn what_is_written_is_found() {
        let entry = |address: &str, names: &[&str]| Entry {
            address: address.parse().unwrap(),
            names: names.iter().map(ToString::to_string).collect(),
        };
        let text = Zone::text(&[
            entry("10.1.1.2", &["Web", "www"]),
            entry("fd00::2", &["web", "www"]),
            entry("10.1.1.3", &["db", "www"]),
        ]);
        let all = |texts: &[&str]| -> Option<Vec<IpAddr>> {
            Some(texts.iter().map(|text| text.parse().unwrap()).collect())
        };
        assert_eq!(addresses(&text, "web"), all(&["10.1.1.2", "fd00::2"]));
        assert_eq!(addresses(&text, "www"), all(&["10.1.1.2", "fd00::2", "10.1.1.3"]));
        assert_eq!(addresses(&text, "10.1.1.2"), None);
        assert_eq!(addresses(&text, "we"), None);
        assert_eq!(name_of(&text, [10, 1, 1, 2].into()), Some("web"));
        assert_eq!(name_of(&text, [10, 1, 1, 9].into()), None);
        // Nonsense is passed over.
        assert_eq!(addresses("x web\n\n10.1.1.1\n10.1.1.2 web", "web"), all(&["10.1.1.2"]));
    }

    #[test]
    fn a_file_that_is_missing_has_no_names() {
        assert_eq!(Zone("/nonexistent/zone".into()).read(), Ok(String::new()));
    }
}
