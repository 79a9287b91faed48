//! The container engine's command line.
//!
//! Words become a typed request here, and what happened becomes text or JSON. What is done in
//! between is done by libraries, which neither print nor read the environment.

#![forbid(unsafe_code)]

mod advice;
mod background;
mod commands;
mod context;
mod line;
mod obtain;
mod peers;
mod rootless;
mod show;
mod template;
mod terminal;
mod timings;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use commands::Command;
use context::Context;
use engine::monitor::Ending;
use image::unpack::Owners;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// A container engine without a daemon.
#[derive(Parser)]
#[command(
    name = "tinyo",
    version,
    disable_help_subcommand = true,
    disable_version_flag = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    common: line::Common,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == engine::monitor::WORD => {
            return monitor(words.next(), [words.next(), words.next()]);
        }
        Some(word) if word == engine::guard::WORD => {
            return guard([words.next(), words.next()], words.next());
        }
        Some(word) if word == net::relay::WORD => {
            let done = net::relay::run(words.filter_map(|it| it.into_string().ok()));
            return if done.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        _ => {}
    }
    let cli = match line::parse(words_of(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to be told if this fails.
            let _ = match peers::instead(&error) {
                Some(text) => writeln!(io::stderr(), "{text}"),
                None if code_of(&error) == 0 => write!(io::stdout(), "{}", error.render()),
                None => error.print(),
            };
            return ExitCode::from(code_of(&error));
        }
    };
    let failure = cli.command.failure();
    match run(cli) {
        Ok(code) => code,
        Err(error) if error.is::<commands::Unread>() => ExitCode::from(commands::Unread::CODE),
        Err(error) => {
            // Nobody is left to be told if this fails.
            let _ = writeln!(io::stderr(), "tinyo: {}", one_line(&error));
            if let Some(advice) = advice::advice(&error) {
                let _ = writeln!(io::stderr(), "hint: {advice}");
            }
            let own = error.downcast_ref::<advice::Told>().and_then(|told| told.code);
            match error.downcast_ref() {
                Some(engine::Error::NotStarted { code, .. }) => ExitCode::from(*code),
                _ => ExitCode::from(own.unwrap_or(failure)),
            }
        }
    }
}

/// How it ends where the words are no request, or ask for help. 125 is Docker's and Podman's, so
/// that no program's own code is mistaken for it; whoever has said too little gets 1, as with
/// Docker, and whoever has said nothing is helped.
fn code_of(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => 0,
        ErrorKind::MissingRequiredArgument if !lacks_flag(error) => 1,
        _ => 125,
    }
}

/// Whether what is missing is a flag, which another one demands: that is a flag given wrongly.
fn lacks_flag(error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(all)) => all.iter().any(|it| it.starts_with("--")),
        _ => false,
    }
}

/// `tinyo help COMMAND` is `tinyo COMMAND --help`.
fn words_of(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if let Some(place) = line::place_of_command(&words)
        && words[place] == "help"
    {
        words.remove(place);
        words.push("--help".into());
    }
    words
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let is_root = !rootless::is_needed();
    let mut context = Context::new(cli.common.root, cli.common.runroot, is_root, Owners::Keep);
    if !is_root && cli.command.needs_store() {
        let owners = rootless::enter(&context.root_argument()?)?;
        context = context.with_owners(owners);
    }
    let leaves_trash = cli.command.leaves_trash();
    let result = cli.command.run(&context);
    if leaves_trash && let Err(error) = background::empty_trash(&context) {
        // The first error is the one to be told; the next command frees what this one did not.
        return result.and_then(|_| Err(error));
    }
    result
}

/// The process that looks after a container. Nobody sees what it prints: errors are in the
/// container's state.
fn monitor(folder: Option<OsString>, handed: [Option<OsString>; 2]) -> ExitCode {
    let Some(folder) = folder else { return ExitCode::FAILURE };
    let handed = handed.map(|it| it.and_then(|it| it.to_str()?.parse().ok()).unwrap_or(0));
    let ending = engine::monitor::run(Path::new(&folder), handed);
    let result = match ending {
        Ok(Ending::Nothing) => return ExitCode::SUCCESS,
        Ok(Ending::Settle { root, run, id, remove, pod }) => {
            let context = Context::new(Some(root), Some(run), !rootless::is_needed(), Owners::Keep);
            context.engine().and_then(|engine| Ok(engine.settle(&id, remove, pod.as_deref())?))
        }
        Err(error) => Err(error.into()),
    };
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The process that watches monitors, or one that looks at a container for it.
fn guard(folders: [Option<OsString>; 2], id: Option<OsString>) -> ExitCode {
    let [Some(root), Some(run)] = folders else { return ExitCode::FAILURE };
    let result = match id {
        None => engine::guard::run(Path::new(&root), Path::new(&run)).map_err(Into::into),
        Some(id) => {
            let (root, run) = (Some(root.into()), Some(run.into()));
            let context = Context::new(root, run, !rootless::is_needed(), Owners::Keep);
            match context.engine().and_then(|it| Ok(it.guard(&id.to_string_lossy())?)) {
                Ok(false) => return ExitCode::FAILURE,
                looked => looked.map(drop),
            }
        }
    };
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
    show::visible(&text, || true).into_owned()
}

#[cfg(test)]
mod tests;
