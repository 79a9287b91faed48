//! What each command does with the library's answer.

pub(crate) mod about;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod criu;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod list;
pub(crate) mod ps;
pub(crate) mod spec;
pub(crate) mod state;
mod statistics;
pub(crate) mod update;

use crate::failure::{OrFail, Result};
use std::io::Write;

/// Writes to standard output. That nobody reads it is an error like any other.
fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).or_fail("standard output")
}
