//! Where on the command line the cursor is.

use super::Candidate;
use super::names::Names;
use crate::Cli;
use anyhow::Result;
use clap::{Arg, ArgAction, Command, CommandFactory as _};
use std::path::PathBuf;

/// What was said before the cursor.
pub(super) struct Place {
    command: Command,
    /// Those that may stand with each command.
    common: Vec<Arg>,
    names: Names,
    /// How many words were no flags.
    position: usize,
    /// The flag whose value is to come.
    flag: Option<Arg>,
    /// Whether flags are no longer taken for flags.
    is_raw: bool,
}

impl Place {
    pub(super) fn of(names: Names, words: &[String]) -> Place {
        let command = Cli::command();
        let common = command.get_arguments().cloned().collect();
        let mut place = Place { command, common, names, position: 0, flag: None, is_raw: false };
        words.iter().for_each(|word| place.pass(word));
        place
    }

    /// The same behind `--flag=`.
    pub(super) fn of_flag(mut self, flag: &str) -> Place {
        self.flag = self.long(flag.trim_start_matches('-'));
        // None of what else may stand there.
        self.position = usize::MAX;
        self
    }

    pub(super) fn is_value(&self) -> bool {
        self.flag.is_some()
    }

    pub(super) fn takes_flags(&self) -> bool {
        !self.is_raw
    }

    /// Goes on behind this word.
    fn pass(&mut self, word: &str) {
        if let Some(flag) = self.flag.take() {
            self.take_note(&flag, word);
        } else if self.is_raw || !word.starts_with('-') || word == "-" {
            self.pass_word(word);
        } else if word == "--" {
            self.is_raw = true;
        } else if let Some(long) = word.strip_prefix("--") {
            match long.split_once('=') {
                Some((name, value)) => {
                    if let Some(flag) = self.long(name) {
                        self.take_note(&flag, value);
                    }
                }
                None => self.flag = self.long(long).filter(wants_a_word),
            }
        } else {
            self.flag = self.short(&word[1..]);
        }
    }

    /// Names are those of the store that was said.
    fn take_note(&mut self, flag: &Arg, value: &str) {
        match flag.get_id().as_str() {
            "root" => self.names.root = Some(PathBuf::from(value)),
            "runroot" => self.names.run_root = Some(PathBuf::from(value)),
            "file" => self.names.file = Some(PathBuf::from(value)),
            _ => {}
        }
    }

    fn pass_word(&mut self, word: &str) {
        match self.command.find_subcommand(word) {
            Some(command) if self.position == 0 && !self.is_raw => {
                let mut command = command.clone();
                // What is defined late is defined now.
                command.build();
                self.command = command;
            }
            _ => {
                let begins_command = self.positional().is_some_and(Arg::is_trailing_var_arg_set);
                self.is_raw |= begins_command;
                self.position += 1;
            }
        }
    }

    /// The argument that a word here is, the last one for all that follow.
    fn positional(&self) -> Option<&Arg> {
        let several = |arg: &&Arg| {
            arg.is_trailing_var_arg_set() || matches!(arg.get_action(), ArgAction::Append)
        };
        let mut all = self.command.get_positionals();
        match all.nth(self.position) {
            Some(arg) => Some(arg),
            None if self.position == usize::MAX => None,
            None => self.command.get_positionals().last().filter(several),
        }
    }

    fn all_flags(&self) -> impl Iterator<Item = &Arg> {
        let own = self.command.get_arguments().filter(|arg| !arg.is_positional());
        let is_common = |arg: &&Arg| own_has_not(&self.command, arg);
        own.chain(self.common.iter().filter(is_common))
    }

    fn long(&self, name: &str) -> Option<Arg> {
        let is_it = |arg: &&Arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long() == Some(name) || aliases.contains(&name)
        };
        self.all_flags().find(is_it).cloned()
    }

    /// The one among letters that still wants its value.
    fn short(&self, letters: &str) -> Option<Arg> {
        for (at, letter) in letters.char_indices() {
            let is_it = |arg: &&Arg| {
                let aliases = arg.get_all_short_aliases().unwrap_or_default();
                arg.get_short() == Some(letter) || aliases.contains(&letter)
            };
            let flag = self.all_flags().find(is_it)?;
            if flag.get_action().takes_values() {
                let is_last = at + letter.len_utf8() == letters.len();
                return Some(flag.clone()).filter(|flag| is_last && wants_a_word(flag));
            }
        }
        None
    }

    /// The flags that may be said here.
    pub(super) fn flags(&self, before: &[String]) -> Vec<Candidate> {
        let is_new = |arg: &&Arg| {
            let again = matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
            let said = |word: &String| {
                let name = word.strip_prefix("--").map(|it| it.split('=').next().unwrap_or(it));
                name.is_some() && name == arg.get_long()
            };
            again || !before.iter().any(said)
        };
        let shown = self.all_flags().filter(|arg| !arg.is_hide_set()).filter(is_new);
        let candidate = |arg: &Arg| {
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let word = arg.get_long().map(|long| format!("--{long}"));
            let word = word.or(arg.get_short().map(|short| format!("-{short}")))?;
            Some(Candidate { word, about: first_line(&about) })
        };
        shown.filter_map(candidate).collect()
    }

    /// The values of the flag before the cursor, or the words that may stand there.
    pub(super) fn values(&self, prefix: &str, before: &[String]) -> Result<Vec<Candidate>> {
        let Some(arg) = self.flag.as_ref().or_else(|| self.positional()) else {
            return Ok(self.commands());
        };
        let possible = arg.get_possible_values();
        let mut found: Vec<_> = possible
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| Candidate {
                word: value.get_name().to_owned(),
                about: value.get_help().map(ToString::to_string).unwrap_or_default(),
            })
            .collect();
        if found.is_empty()
            && let Some(kind) = self.name_of_value(arg)
        {
            found = self.names.of(self.command.get_name(), arg.get_id().as_str(), kind)?;
            found.retain(|it| self.flag.is_some() || !before.contains(&it.word));
        }
        found.iter_mut().for_each(|it| it.word.insert_str(0, prefix));
        Ok(found)
    }

    fn commands(&self) -> Vec<Candidate> {
        if self.position > 0 {
            return Vec::new();
        }
        let shown = self.command.get_subcommands().filter(|command| !command.is_hide_set());
        let candidate = |command: &Command| Candidate {
            word: command.get_name().to_owned(),
            about: command.get_about().map(ToString::to_string).unwrap_or_default(),
        };
        shown.map(candidate).collect()
    }

    /// What help calls the value, the first of them for the first word, and so on.
    fn name_of_value<'a>(&self, arg: &'a Arg) -> Option<&'a str> {
        let names = arg.get_value_names()?;
        let first =
            if arg.is_positional() { arg.get_index().unwrap_or(1) - 1 } else { self.position };
        let name = names.get(self.position.saturating_sub(first)).or(names.last())?;
        Some(name.as_str())
    }
}

fn own_has_not(command: &Command, common: &Arg) -> bool {
    !command.get_arguments().any(|arg| arg.get_id() == common.get_id())
}

/// Whether the next word is its value.
fn wants_a_word(arg: &Arg) -> bool {
    let least = arg.get_num_args().map_or(1, |count| count.min_values());
    arg.get_action().takes_values() && !arg.is_require_equals_set() && least > 0
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
