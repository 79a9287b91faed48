//! Ours against the peers, turn by turn in one run: what `cargo xtask bench` prints.
//!
//! A benchmark is a module ([`init`], [`runtime`], [`pull`], [`engine`]) that asks each
//! [`contestant`] in turn, many rounds, and fills a [`report`]. Nothing here passes or fails by an absolute time: the numbers are medians
//! and the ratios to our program, measured on the same machine in the same minutes.
//!
//! Needs root (namespaces are made for the contestants) and `unshare` of util-linux.

#![forbid(unsafe_code)]

pub mod contestant;
pub mod engine;
pub mod gate;
pub mod init;
pub mod options;
pub mod process;
pub mod pull;
pub mod report;
pub mod rounds;
pub mod runtime;
pub mod trace;

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, bail};

pub use engine::engine;
pub use init::init;
pub use options::Options;
pub use pull::pull;
pub use runtime::runtime;

/// How `cargo xtask bench` is called.
pub const USAGE: &str =
    "init|runtime|pull|engine [--rounds N] [--quick] [--also NAME=PATH]... [--json FILE]";

/// Runs the benchmark that the first of `words` names, with the options that follow it.
/// `release` is the folder in which our programs and those of this crate were built.
pub fn run(words: Vec<OsString>, release: &Path) -> Result<()> {
    let mut words = words.into_iter();
    match words.next() {
        Some(name) if name == "init" => init(&Options::parse(words, release, "init")?),
        Some(name) if name == "runtime" => runtime(&Options::parse(words, release, "runtime")?),
        Some(name) if name == "pull" => pull(&Options::parse(words, release, "pull")?),
        Some(name) if name == "engine" => engine(&Options::parse(words, release, "engine")?),
        Some(name) => bail!("no benchmark is called {}; usage: {USAGE}", name.display()),
        None => bail!("which benchmark? usage: {USAGE}"),
    }
}
