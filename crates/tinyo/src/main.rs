//! The container engine's command line.
//!
//! Words become a typed request here, and what happened becomes text or JSON. What is done in
//! between is done by libraries, which neither print nor read the environment.

#![forbid(unsafe_code)]

mod background;
mod commands;
mod context;
mod obtain;
mod rootless;
mod show;
mod template;
mod terminal;

use clap::Parser;
use commands::Command;
use context::Context;
use image::unpack::Owners;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// A container engine without a daemon.
#[derive(Parser)]
#[command(name = "tinyo", version, disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    /// Where images and containers are kept [default: /var/lib/tinyo, or as a user
    /// ~/.local/share/tinyo]
    #[arg(long, global = true, value_name = "FOLDER")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told if this fails.
            let _ = writeln!(io::stderr(), "tinyo: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let is_root = !rootless::is_needed();
    let owners =
        if !is_root && cli.command.needs_store() { rootless::enter()? } else { Owners::Keep };
    cli.command.run(&Context::new(cli.root, is_root, owners))
}

/// The error and its causes. An error of ours says what its cause was itself; those that do not
/// are said once each.
fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests;
