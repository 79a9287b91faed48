//! Why a command failed.
//!
//! Not `anyhow`: it asks for a backtrace where `RUST_BACKTRACE` is set, and this program leaves
//! out what a backtrace is made from.

use std::fmt::{self, Display};

/// The result of a command.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a command failed: the text for people and for the log.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

/// Fails.
pub(crate) fn fail<T>(why: impl Display) -> Result<T> {
    Err(Failure(why.to_string()))
}

/// Fails with what was being done, or on what.
pub(crate) trait OrFail<T> {
    /// Puts it in front of the error, if there is one.
    fn or_fail(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, what: impl Display) -> Result<T> {
        self.ok_or_else(|| Failure(what.to_string()))
    }
}
