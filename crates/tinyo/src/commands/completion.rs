//! `tinyo completion`, and the man pages.

use crate::Cli;
use anyhow::{Context as _, Result};
use clap::{Args, Command, CommandFactory as _, ValueEnum};
use clap_mangen::Man;
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
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    page(&command, folder)?;
    // What is about all commands.
    let mut page = OpenOptions::new().append(true).open(folder.join("tinyo.1"))?;
    Ok(page.write_all(include_bytes!("manual.roff"))?)
}

/// That of a command, and those of the commands below it. Its synopsis is as `--help` has it: the
/// generator would list every flag there.
fn page(command: &Command, folder: &Path) -> Result<()> {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        page(below, folder)?;
    }
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    let text = String::from_utf8(text)?;
    let (before, rest) = text.split_once(SYNOPSIS).context("a page without a synopsis")?;
    let (_, after) = rest.split_once(".SH ").context("a page that ends with its synopsis")?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().replace('-', "\\-");
    let text = format!("{before}{SYNOPSIS}{usage}\n.SH {after}");
    Ok(std::fs::write(folder.join(page.get_filename()), text)?)
}

const SYNOPSIS: &str = ".SH SYNOPSIS\n";

#[cfg(test)]
mod tests {
    use super::pages;

    #[test]
    fn a_synopsis_is_short() {
        let folder = std::env::temp_dir().join(format!("manual-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        pages(&folder).unwrap();
        let page = std::fs::read_to_string(folder.join("tinyo-run.1")).unwrap();
        let expected = ".SH SYNOPSIS\ntinyo run [OPTIONS] <IMAGE> [COMMAND]...\n.SH DESCRIPTION\n";
        assert!(page.contains(expected), "{page}");
        assert!(page.contains("\\-\\-network"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
