//! `tinyo completion`, and the man pages: both from the definitions that the parser has.

use crate::Cli;
use anyhow::{Context as _, Result};
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Arguments {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// In bash: `source <(tinyo completion bash)`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut shown(&Cli::command()), "tinyo", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

/// The same without what help does not show either.
fn shown(command: &Command) -> Command {
    let name = command.get_name().to_owned();
    let arguments = command.get_arguments().filter(|it| !it.is_hide_set()).cloned();
    let subcommands = command.get_subcommands().filter(|it| !it.is_hide_set()).map(shown);
    let copy = Command::new(name).args(arguments).subcommands(subcommands);
    copy.about(command.get_about().cloned().unwrap_or_default())
        // The flag that prints it needs one.
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .disable_help_flag(command.is_disable_help_flag_set())
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
    Ok(clap_mangen::generate_to(Cli::command(), folder)?)
}
