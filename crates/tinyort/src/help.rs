//! The help texts.

use crate::command::{COMMANDS, Command, GLOBAL};
use crate::flag::Flag;
use std::fmt::Write;

/// The column in which explanations begin.
const COLUMN: usize = 33;

/// What `tinyort --help` prints.
#[must_use]
pub fn overview() -> String {
    let mut text = String::from(
        "Usage: tinyort [FLAG...] COMMAND [FLAG...] [WORD...]\n\n\
         Runs containers as the Open Container Initiative specifies them.\n\nCommands:\n",
    );
    for command in COMMANDS {
        line(&mut text, &format!("  {} {}", command.name, command.words), command.about);
    }
    text.push_str("\nFlags of all commands:\n");
    GLOBAL.iter().for_each(|flag| flag_line(&mut text, flag));
    text.push_str("\n`tinyort COMMAND --help` lists the flags of a command.\n");
    text
}

/// What `tinyort COMMAND --help` prints.
#[must_use]
pub fn of(command: &Command) -> String {
    let mut text = format!("Usage: {}\n\n{}.\n", usage(command), capitalized(command.about));
    if !command.text.is_empty() {
        text.push_str(command.text);
        text.push('\n');
    }
    if !command.flags.is_empty() {
        text.push_str("\nFlags:\n");
        command.flags.iter().for_each(|flag| flag_line(&mut text, flag));
    }
    text.push_str("\n`tinyort --help` lists the flags of all commands.\n");
    text
}

/// The form of a command.
#[must_use]
pub fn usage(command: &Command) -> String {
    let flags = if command.flags.is_empty() { "" } else { " [FLAG...]" };
    let words = if command.words.is_empty() { "" } else { " " };
    format!("tinyort {}{flags}{words}{}", command.name, command.words)
}

/// With a capital letter.
#[must_use]
pub fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// `  -b, --bundle DIR               the folder with config.json`.
fn flag_line(text: &mut String, flag: &Flag) {
    let mut start = match flag.short {
        Some(letter) => format!("  -{letter}, --{}", flag.long),
        None => format!("      --{}", flag.long),
    };
    let value = flag.value_name();
    if !value.is_empty() {
        start.push(' ');
        start.push_str(&value);
    }
    line(text, &start, flag.help);
}

fn line(text: &mut String, start: &str, explanation: &str) {
    let start = start.trim_end();
    if start.len() + 2 > COLUMN {
        // Too long for one line.
        text.push_str(start);
        text.push('\n');
        _ = writeln!(text, "{:COLUMN$}{explanation}", "");
    } else {
        _ = writeln!(text, "{start:COLUMN$}{explanation}");
    }
}

#[cfg(test)]
mod tests {
    use super::{of, overview};
    use crate::command::COMMANDS;

    /// All help texts, one after the other: a change of one shows as a change of this file.
    /// `UPDATE_SNAPSHOTS=1 cargo test -p tinyort` writes it anew.
    #[test]
    fn all_help_texts() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/help.txt");
        let mut texts = overview();
        for command in COMMANDS {
            texts.push_str(&format!("\n# {}\n\n{}", command.name, of(command)));
        }
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(path, &texts).unwrap();
        }
        let expected = std::fs::read_to_string(path).unwrap_or_default();
        assert!(texts == expected, "the help differs from src/help.txt:\n{texts}");
    }

    #[test]
    fn every_line_fits_a_terminal() {
        let texts = COMMANDS.iter().map(of).chain([overview()]);
        for line in texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            assert!(line.len() <= 100, "{line}");
        }
    }
}
