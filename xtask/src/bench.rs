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
    let ours: &[_] = match arguments.first().and_then(|name| name.to_str()) {
        Some("pull" | "engine") => &["tinyo", "benches"],
        _ => &["tino", "tinyort", "benches"],
    };
    let programs = build::release(ours)?;
    benches::run(arguments, &programs)?;
    Ok(ExitCode::SUCCESS)
}
