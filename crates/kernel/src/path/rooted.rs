//! A path inside a container.

use std::ffi::{CStr, CString};
use std::fmt;

/// A path inside a container's root, absolute there and without `.` and `..`.
///
/// It is kept relative to the root and ready for a system call, so that a child uses it as it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RootedPath(CString);

/// Why a text is no path inside a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No text at all.
    #[error("the path is empty; it must be absolute, such as /data")]
    Empty,
    /// The kernel ends paths with NUL.
    #[error("the path has a NUL character in it")]
    Nul,
}

impl RootedPath {
    /// The root itself.
    #[must_use]
    pub fn root() -> RootedPath {
        RootedPath(c".".to_owned())
    }

    /// A path that this program knows, already relative and clean.
    pub fn known(path: &CStr) -> RootedPath {
        RootedPath(path.to_owned())
    }

    /// Cleans a path by its text alone, as callers of other runtimes expect: `/a/../b//c/` is
    /// `/b/c`, `..` stops at the root, and a path without a slash in front is taken to have one.
    ///
    /// # Errors
    /// No path, or NUL in it.
    pub fn parse(path: impl AsRef<[u8]>) -> Result<RootedPath, ParseError> {
        let path = path.as_ref();
        if path.is_empty() {
            return Err(ParseError::Empty);
        }
        let mut components: Vec<&[u8]> = Vec::new();
        for component in path.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => _ = components.pop(),
                name => components.push(name),
            }
        }
        if components.is_empty() {
            return Ok(RootedPath::root());
        }
        CString::new(components.join(&b'/')).map(RootedPath).map_err(|_| ParseError::Nul)
    }

    /// Relative to the root; `.` for the root itself.
    #[must_use]
    pub fn as_c_str(&self) -> &CStr {
        &self.0
    }

    /// Whether it is the root itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.as_bytes() == b"."
    }

    /// Its names, from the root on.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.as_bytes().split(|byte| *byte == b'/').filter(|name| *name != b".")
    }

    /// The folder it is in and its name there; `None` for the root.
    #[must_use]
    pub fn split(&self) -> Option<(RootedPath, &CStr)> {
        if self.is_root() {
            return None;
        }
        let Some(slash) = self.0.as_bytes().iter().rposition(|byte| *byte == b'/') else {
            return Some((RootedPath::root(), &self.0));
        };
        let parent = CString::new(&self.0.as_bytes()[..slash]).ok()?;
        let name = CStr::from_bytes_with_nul(&self.0.as_bytes_with_nul()[slash + 1..]).ok()?;
        Some((RootedPath(parent), name))
    }

    /// What it is called in the folder `other`, if it is below that.
    #[must_use]
    pub fn below(&self, other: &RootedPath) -> Option<RootedPath> {
        let rest = self.0.as_bytes().strip_prefix(other.0.as_bytes())?.strip_prefix(b"/")?;
        CString::new(rest).ok().map(RootedPath)
    }

    /// Whether it is `other` or below it.
    #[must_use]
    pub fn starts_with(&self, other: &RootedPath) -> bool {
        let rest = self.0.as_bytes().strip_prefix(other.0.as_bytes());
        other.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

impl fmt::Display for RootedPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return formatter.write_str("/");
        }
        write!(formatter, "/{}", String::from_utf8_lossy(self.0.as_bytes()))
    }
}

impl fmt::Debug for RootedPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::{ParseError, RootedPath};

    fn parse(path: &str) -> RootedPath {
        RootedPath::parse(path).unwrap()
    }

    #[test]
    fn is_clean_and_stays_inside() {
        for (text, clean) in [
            ("/a//b/./c/", "/a/b/c"),
            ("/a/../b", "/b"),
            ("../../etc", "/etc"),
            ("/..", "/"),
            ("dev/pts", "/dev/pts"),
            ("/", "/"),
        ] {
            assert_eq!(parse(text).to_string(), clean, "{text}");
        }
        assert_eq!(RootedPath::parse(""), Err(ParseError::Empty));
        assert_eq!(RootedPath::parse("/a\0b"), Err(ParseError::Nul));
    }

    #[test]
    fn is_relative_for_the_kernel() {
        assert_eq!(parse("/dev/pts").as_c_str(), c"dev/pts");
        assert_eq!(parse("/").as_c_str(), c".");
    }

    #[test]
    fn splits_into_folder_and_name() {
        assert_eq!(parse("/dev/pts").split(), Some((parse("/dev"), c"pts")));
        assert_eq!(parse("/dev").split(), Some((parse("/"), c"dev")));
        assert_eq!(parse("/").split(), None);
        assert_eq!(parse("/").components().count(), 0);
        assert!(parse("/a/b").components().eq([b"a", b"b"]));
    }

    #[test]
    fn is_called_by_the_rest_in_a_folder() {
        assert_eq!(parse("/proc/sys/net").below(&parse("/proc")), Some(parse("/sys/net")));
        for other in ["/proc", "/process", "/pro"] {
            assert_eq!(parse(other).below(&parse("/proc")), None, "{other}");
        }
    }

    #[test]
    fn begins_with_whole_names_only() {
        assert!(parse("/proc/sys").starts_with(&parse("/proc")));
        assert!(parse("/proc").starts_with(&parse("/proc")));
        assert!(parse("/proc").starts_with(&parse("/")));
        assert!(!parse("/process").starts_with(&parse("/proc")));
        assert!(!parse("/proc").starts_with(&parse("/proc/sys")));
    }
}
