//! `tinyo completion`, and the man pages.

use crate::Cli;
use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _, ValueEnum};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Arguments {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// In bash: `source <(tinyo completion bash)`. The scripts ask `tinyo complete`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let script = match arguments.shell {
        Shell::Bash => include_str!("complete/bash"),
        Shell::Zsh => include_str!("complete/zsh"),
        Shell::Fish => include_str!("complete/fish"),
    };
    Ok(io::stdout().write_all(script.as_bytes())?)
}

#[derive(Args)]
pub(crate) struct ManualArguments {
    /// The folder that they are written into
    folder: PathBuf,
}

/// A page for each command.
pub(crate) fn manual(arguments: &ManualArguments) -> Result<()> {
    pages(&arguments.folder).with_context(|| arguments.folder.display().to_string())
}

fn pages(folder: &Path) -> Result<()> {
    clap_mangen::generate_to(Cli::command(), folder)?;
    // What is about all commands.
    let mut page = OpenOptions::new().append(true).open(folder.join("tinyo.1"))?;
    Ok(page.write_all(include_bytes!("manual.roff"))?)
}
