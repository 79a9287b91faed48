//! `help`, `features`, `--version`: what the program is.

use super::print;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result};
use spec::runtime::VERSION;
use std::ffi::OsString;
use tinyort::command::{self, Command};
use tinyort::flags;
use tinyort::help;
use tinyort::parse::Flags;

/// `tinyort`, `tinyort --help`, `tinyort --version`.
pub(crate) fn without_command(flags: &Flags) -> ExitCode {
    let text = if flags.is_on(&flags::VERSION) { version() } else { help::overview() };
    code(&print(&text))
}

/// `tinyort COMMAND --help`.
pub(crate) fn help_of(command: &Command) -> ExitCode {
    code(&print(&help::of(command)))
}

fn code(result: &Result<()>) -> ExitCode {
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Docker looks for the line with ` version `, and shows what is said of the commit.
fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("tinyort version {version}\ncommit: {version}\nspec: {VERSION}\n")
}

pub(crate) fn help(words: &[OsString]) -> Result<ExitCode> {
    let text = match words.first() {
        None => help::overview(),
        Some(word) => {
            let command = word.to_str().and_then(command::find);
            help::of(command.or_fail(format_args!("there is no command {word:?}"))?)
        }
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn features() -> Result<ExitCode> {
    let text = spec::json::to_lines(&runtime::features(), "    ")?;
    print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
