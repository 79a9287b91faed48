//! The name of a container.

use std::ffi::CString;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::SystemTime;

/// A container's id: letters, digits, `_`, `+`, `-` and `.`, at most 255 bytes, neither `.` nor
/// `..`. It is a file name, so what it names cannot be anywhere but in the root folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    /// Checks it.
    ///
    /// # Errors
    /// [`InvalidId`], which says what is allowed.
    pub fn new(id: &str) -> Result<ContainerId, InvalidId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
        let valid = !id.is_empty()
            && id.len() <= 255
            && id.bytes().all(allowed)
            && !matches!(id, "." | "..");
        if valid { Ok(ContainerId(id.to_owned())) } else { Err(InvalidId(id.to_owned())) }
    }

    /// It as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name for a new session keyring of the container's: as runc spells it, and with something in
    /// it that nobody can foresee. Whoever made a keyring of that name before, and let others search
    /// it, would have it be the container's: all of its keys would be his.
    pub(crate) fn keyring(&self) -> CString {
        let mut hasher = DefaultHasher::new();
        (sys::keyring::unforeseen(), SystemTime::now()).hash(&mut hasher);
        // There is no NUL in an id.
        CString::new(format!("_ses.{self}.{:016x}", hasher.finish())).unwrap_or_default()
    }
}

impl AsRef<Path> for ContainerId {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What somebody took for a container's id.
#[derive(Debug, thiserror::Error)]
#[error(
    "invalid container ID format: {0:?}: letters, digits, '_', '+', '-' and '.' are allowed, at \
     most 255"
)]
pub struct InvalidId(String);

#[cfg(test)]
mod tests {
    use super::ContainerId;

    #[test]
    fn a_file_name_and_nothing_else() {
        for id in ["a", "A_+-.9", "...", "-", &"x".repeat(255)] {
            assert_eq!(ContainerId::new(id).expect(id).as_str(), id);
        }
        for id in ["", ".", "..", "a/b", "/", "a\0", "a\n", "ä", " ", &"x".repeat(256)] {
            assert!(ContainerId::new(id).is_err(), "{id:?}");
        }
    }
}
