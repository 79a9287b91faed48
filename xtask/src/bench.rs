//! `cargo xtask bench`: ours against the peers.

use crate::build;
use anyhow::Result;
use std::ffi::OsString;
use std::process::ExitCode;

pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let wants_help = arguments.first().is_none_or(|first| first == "--help" || first == "-h");
    if wants_help {
        println!("cargo xtask bench {}", benches::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let mut packages = vec!["tino", "benches"];
    // Until it has landed, the benchmark has its peers alone.
    packages.extend(build::root().join("crates/tinyort").is_dir().then_some("tinyort"));
    if arguments.first().is_some_and(|name| name == "pull" || name == "engine") {
        packages = vec!["tinyo", "benches"];
    }
    let programs = build::release(&packages)?;
    benches::run(arguments, &programs)?;
    Ok(ExitCode::SUCCESS)
}
