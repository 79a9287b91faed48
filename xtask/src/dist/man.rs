//! The man page: the sections of `tino.1.in`, and the options from the table that also drives
//! the parser.

use super::roff::{bold, escape, italic};
use std::fmt::Write;
use tino::flags::{FLAGS, Flag, Kind, VALUES};
use tino::manual::MANUAL;

/// The rest of the page, in roff.
const TEMPLATE: &str = include_str!("tino.1.in");

/// The whole page.
pub(super) fn page() -> String {
    TEMPLATE
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@OPTIONS@\n", &options())
        .replace("@SPELLINGS@\n", &spellings())
}

/// A paragraph for each option, in the order of the manual.
fn options() -> String {
    let mut text = String::new();
    for (id, explanation) in MANUAL {
        let flag = FLAGS.iter().find(|flag| flag.id == *id).expect("the manual follows the table");
        write!(text, ".TP\n{}\n{}\n", heading(flag), sentences(explanation))
            .expect("a string takes everything");
    }
    text
}

/// `-e CODE, --remap-exit=CODE`
fn heading(flag: &Flag) -> String {
    let mut words = Vec::new();
    let needs_value = !matches!(flag.kind, Kind::Switch | Kind::Count);
    if flag.short != 0 {
        let value = if needs_value {
            format!(" {}", italic(VALUES[flag.kind as usize]))
        } else {
            String::new()
        };
        words.push(format!("{}{value}", bold(&format!("-{}", char::from(flag.short)))));
    }
    let value = if needs_value {
        format!("={}", italic(VALUES[flag.kind as usize]))
    } else {
        String::new()
    };
    words.push(format!("{}{value}", bold(&format!("--{}", flag.long))));
    words.join(", ")
}

/// Second spellings, which have no help of their own.
fn spellings() -> String {
    let mut text = String::new();
    for flag in FLAGS.iter().filter(|flag| flag.help.is_empty()) {
        let first = FLAGS.iter().find(|other| other.id == flag.id).expect("it finds itself");
        let (second, first) =
            (bold(&format!("--{}", flag.long)), bold(&format!("--{}", first.long)));
        write!(text, ".TP\n{second}\nThe same as {first}.\n").expect("a string takes everything");
    }
    text
}

/// One sentence a line, as roff wants it in order to space them.
fn sentences(text: &str) -> String {
    text.split(". ").map(escape).collect::<Vec<_>>().join(".\n")
}

#[cfg(test)]
mod tests {
    use super::{FLAGS, MANUAL, page};
    use crate::dist::roff::escape;

    #[test]
    fn every_option_is_explained_and_nothing_is_left_open() {
        for flag in FLAGS {
            assert!(
                MANUAL.iter().any(|(id, _)| *id == flag.id),
                "--{} is not in MANUAL",
                flag.long
            );
            assert!(page().contains(&escape(&format!("--{}", flag.long))), "--{}", flag.long);
        }
        assert!(!page().contains('@'));
    }
}
