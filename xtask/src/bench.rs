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
    let programs = build::release(&["tino", "benches"])?;
    benches::run(arguments, &programs)?;
    Ok(ExitCode::SUCCESS)
}
