//! What an archive holds.

use super::Problem;
use super::sparse::Fragment;
use std::fmt;

/// The longest path the kernel takes (`PATH_MAX`, with its NUL).
const LONGEST_PATH: usize = 4096;

/// One file, folder or whatever else of an archive, without the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// The lower 12 bits of the mode: permissions, set-id, sticky.
    pub mode: u32,
    /// The owner's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// When its contents changed last.
    pub modified: Time,
    /// When it was read last, if the archive says it.
    pub accessed: Option<Time>,
    /// How long the file is. What the archive holds of a sparse one is less.
    pub size: u64,
    /// The parts of a sparse file that the archive holds, in order; the rest are zeros.
    pub fragments: Option<Vec<Fragment>>,
    /// Extended attributes, name and value.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// One that is root's, empty, and of 1970.
    pub fn new(name: Name, kind: Kind, mode: u32) -> Entry {
        Entry {
            name,
            kind,
            mode,
            user: 0,
            group: 0,
            modified: Time::default(),
            accessed: None,
            size: 0,
            fragments: None,
            attributes: Vec::new(),
        }
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file with data.
    Regular,
    /// A folder.
    Folder,
    /// A symbolic link with this target, which may be any text.
    SymbolicLink(Vec<u8>),
    /// A second name of the file with this name.
    HardLink(Name),
    /// A character device with this major and minor number.
    CharacterDevice(u32, u32),
    /// A block device with this major and minor number.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

/// Seconds since 1970, and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970; negative before.
    pub seconds: i64,
    /// To be added, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// A relative path without `..`, `.`, empty parts and NULs, of any other bytes. Empty for the
/// root itself.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Vec<u8>);

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", shown(&self.0))
    }
}

impl Name {
    /// From the spelling of an archive: a leading `/` and `./` mean the root.
    ///
    /// # Errors
    /// It has `..` or a NUL, or is longer than a path can be.
    pub fn new(text: &[u8]) -> Result<Name, Problem> {
        let refuse = |why| Err(Problem::Name(shown(text), why));
        if text.contains(&0) {
            return refuse("it has a NUL");
        }
        let mut path = Vec::with_capacity(text.len());
        for part in text.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return refuse("it has `..`"),
                _ => {}
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        if path.len() >= LONGEST_PATH { refuse("it is too long") } else { Ok(Name(path)) }
    }

    /// The whole path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder's path (empty for the root) and the name in it.
    pub fn split(&self) -> (&[u8], &[u8]) {
        match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&[], &self.0),
        }
    }
}

/// A name or some other text, for messages: of a long one its beginning and its end.
pub(crate) fn shown(text: &[u8]) -> String {
    const BEGINNING: usize = 120;
    const END: usize = 60;
    let lossy = |part| String::from_utf8_lossy(part);
    if text.len() <= BEGINNING + END {
        return lossy(text).into_owned();
    }
    let (beginning, end) = (&text[..BEGINNING], &text[text.len() - END..]);
    format!("{}[..]{}", lossy(beginning), lossy(end))
}

#[cfg(test)]
mod tests {
    use super::{Name, shown};

    #[test]
    fn long_names_are_shortened_for_messages() {
        let name = Name::new(&b"ab/".repeat(1000)).unwrap();
        let text = format!("{name:?}");
        assert!(text.len() < 200 && text.starts_with("\"ab/ab/"), "{text}");
        assert!(text.ends_with("/ab\"") && text.contains("[..]"), "{text}");
        assert_eq!(shown(b"\xffa"), "\u{fffd}a");
    }

    #[test]
    fn spellings_of_one_name() {
        for text in ["a/b", "./a/b", "/a/b", "a//b/", "a/./b/."] {
            assert_eq!(Name::new(text.as_bytes()).unwrap().as_bytes(), b"a/b", "{text}");
        }
        assert!(Name::new(b"./").unwrap().is_root());
        assert!(Name::new(b"").unwrap().is_root());
        assert_eq!(Name::new(b"\xff/..a").unwrap().split(), (&b"\xff"[..], &b"..a"[..]));
        assert_eq!(Name::new(b"a").unwrap().split(), (&b""[..], &b"a"[..]));
    }

    #[test]
    fn no_name_leads_out() {
        for text in [&b".."[..], b"a/../b", b"/..", b"a/..", b"a\0b"] {
            assert!(Name::new(text).is_err());
        }
        assert!(Name::new(&[b'a'; 4096]).is_err());
        assert!(Name::new(&[b'a'; 4095]).is_ok());
    }
}
