//! From the words of the command line to a command.

use crate::Cli;
use crate::commands::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{ArgAction, Args, FromArgMatches as _, Parser as _, Subcommand as _};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

// What may stand before each command, or behind it; no doc comment, which clap would show as what
// the program does.
#[derive(Args)]
pub(crate) struct Common {
    /// Where images and containers are kept [default: /var/lib/tinyo, or as a user
    /// ~/.local/share/tinyo]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,
    /// Where sockets and other things of a moment are [default: /run/tinyo, with --root FOLDER/run]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) runroot: Option<PathBuf>,
    /// Print version
    #[arg(short = 'v', short_alias = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// What the words mean, the first of which is the program's name.
///
/// # Errors
/// What is wrong with them; or they ask for help.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Cli, Error> {
    match parse_one(&words) {
        Some(cli) => Ok(cli),
        None => parse_all(words),
    }
}

/// With `--rm=true` and `--rm=false`, too, as Docker takes them: what is there or not.
fn parse_all(mut words: Vec<OsString>) -> Result<Cli, Error> {
    loop {
        match Cli::try_parse_from(&words) {
            Err(error) if error.kind() == ErrorKind::TooManyValues => {
                let place = words.iter().position(|word| is_said_of_a_switch(&error, word));
                let Some(place) = place else { return Err(error) };
                let word = words.remove(place).into_string().unwrap_or_default();
                if let Some(flag) = word.strip_suffix("=true") {
                    words.insert(place, flag.into());
                }
            }
            parsed => return parsed,
        }
    }
}

/// Whether it is the word that this error is about, and says whether a flag is there.
fn is_said_of_a_switch(error: &Error, word: &OsStr) -> bool {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return false };
    let word = word.to_str().and_then(|word| word.split_once('='));
    let names = || flag.split([' ', ',']).any(|name| word.is_some_and(|(own, _)| own == name));
    word.is_some_and(|(_, value)| matches!(value, "true" | "false")) && names()
}

/// The same with no command defined but the one that is called: to give all of them the flags that
/// they have in common takes longer than most commands do. Nothing if anything is wrong: only who
/// knows all commands can say what would be right.
pub(crate) fn parse_one(words: &[OsString]) -> Option<Cli> {
    let all = Command::augment_subcommands(clap::Command::new("tinyo"));
    let called = all.find_subcommand(&words[place_of_command(words)?])?.clone();
    let one = clap::Command::new("tinyo").version("").disable_version_flag(true);
    let one = Common::augment_args(one).subcommand(called);
    let mut matches = one.try_get_matches_from(words).ok()?;
    Cli::from_arg_matches_mut(&mut matches).ok()
}

/// Where the first word is that is no flag and no flag's value.
pub(crate) fn place_of_command(words: &[OsString]) -> Option<usize> {
    let mut rest = words.iter().enumerate().skip(1);
    loop {
        let (place, word) = rest.next()?;
        if word == "--root" || word == "--runroot" {
            rest.next()?;
        } else if !word.as_encoded_bytes().starts_with(b"-") {
            return Some(place);
        }
    }
}
