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
    // What is defined only when it is called is defined now.
    let mut all = Cli::command();
    all.build();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut shown(&all), "tinyo", &mut script);
    let mut script = String::from_utf8(script).context("the script")?;
    match arguments.shell {
        Shell::Bash => script.push_str(include_str!("../names/bash")),
        Shell::Fish => script.push_str(include_str!("../names/fish")),
        Shell::Zsh => script = with_names_in_zsh(&script),
        _ => {}
    }
    Ok(io::stdout().write_all(script.as_bytes())?)
}

/// Names in place of files, where it is said that they are wanted.
fn with_names_in_zsh(script: &str) -> String {
    let mut text = String::with_capacity(script.len() + 1024);
    let (head, rest) = script.split_once('\n').unwrap_or((script, ""));
    text.push_str(head);
    text.push_str(include_str!("../names/zsh"));
    for line in rest.lines() {
        let names = match line.trim_start().trim_start_matches(['\'', '*', ':']) {
            line if line.starts_with("container") => "_tinyo_containers",
            line if line.starts_with("image") || line.starts_with("words -- An image") => {
                "_tinyo_images"
            }
            line if line.starts_with("words -- A container") => "_tinyo_containers",
            _ => "_default",
        };
        text.push('\n');
        text.push_str(&line.replace(":_default'", &format!(":{names}'")));
    }
    text.push('\n');
    text
}

/// The same without what help does not show either.
fn shown(command: &Command) -> Command {
    let name = command.get_name().to_owned();
    // Those of help are added anew.
    let is_added = |id: &str| id == "help" && !command.is_disable_help_flag_set();
    let arguments = command.get_arguments().filter(|it| !it.is_hide_set());
    let arguments = arguments.filter(|it| !is_added(it.get_id().as_str())).cloned();
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
