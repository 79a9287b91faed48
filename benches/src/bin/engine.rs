//! `bench-engine RELEASE FOLDER OPTIONS`: what `cargo xtask bench engine` starts as the first
//! process of namespaces of its own.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use benches::Options;

fn main() -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    let mut path = || words.next().map(PathBuf::from).context("usage: RELEASE FOLDER OPTIONS");
    let (release, folder) = (path()?, path()?);
    benches::engine::inside(&Options::parse(words, &release, "engine")?, &folder)
}
