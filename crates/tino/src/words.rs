//! Options as they are written: on the command line and in variables. Finds out which option is
//! meant and what its value is; what that means is for others to decide.

use crate::Tino;
use crate::flags::Kind;
use crate::log::Level;
use crate::packed::{KNOWN, Known, write_plain};
use crate::personality::Personality;
use crate::sys::{self, Buffer, Text, Texts, Word};
use crate::texts::Message;

/// Called with each option and its value (`on` for a switch without one; a part of it, if it is a
/// list) in the order in which they are written. Returns whether the option can have it.
pub type Visit = fn(&mut Tino, &Known, Text<'_>) -> bool;

/// How an option is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// `-g`, `-gs`, `-e3`.
    Letter,
    /// `--grace-ms`.
    Word,
    /// `TINO_GRACE_MS`.
    Variable,
}

impl Tino {
    /// Visits the options on the command line up to the first word that is none, or to `--`.
    /// Returns the number of words up to the command; `None` when a word is wrong, and that has
    /// been said.
    #[inline(never)]
    pub fn each_word(&mut self, visit: Visit) -> Option<usize> {
        let mut index = 1;
        while let Some(word) = self.words.get(index) {
            let mut rest = word.rest();
            if word.first() != b'-' || rest.first() == 0 {
                break;
            }
            index += 1;
            let mut spelling = Spelling::Letter;
            if rest.first() == b'-' {
                spelling = Spelling::Word;
                rest = rest.rest();
                if rest.first() == 0 {
                    break;
                }
            }
            // A word is one option, a cluster of letters such as `-gs` or `-e3` may be several.
            loop {
                let Some((option, after)) = self.find(rest, spelling) else {
                    return self.complain(Message::UNKNOWN_OPTION, *word);
                };
                let more = after.first() != 0;
                let is_cluster = spelling == Spelling::Letter && option.kind < Kind::Number;
                let mut value = None;
                if !is_cluster && more {
                    value = Some(if spelling == Spelling::Word { after.rest() } else { after });
                } else if option.kind >= Kind::Number {
                    value = self.words.get(index);
                    index += 1;
                    if value.is_none() {
                        return self.complain(Message::VALUE_MISSING, *word);
                    }
                }
                if !self.give(option, value, 0, visit) {
                    return self.complain(Message::BAD_VALUE, *value.unwrap_or(word));
                }
                if !is_cluster || !more {
                    break;
                }
                rest = after;
            }
        }
        Some(index)
    }

    fn complain(&self, message: Message, word: Text<'_>) -> Option<usize> {
        self.log.say(Level::Fatal, message, word, 0);
        None
    }

    /// Visits the options that variables such as `TINO_GRACE_MS=500` stand for, if the command
    /// line says nothing of them.
    #[inline(never)]
    pub fn each_variable(&mut self, visit: Visit) {
        for entry in self.environment {
            if let Some(name) = entry.after(Text::of(c"TINO_"))
                && let Some((option, after)) = self.find(name, Spelling::Variable)
                && self.in_words & option.id.bit() == 0
                && !self.give(option, Some(after.rest()), b':', visit)
            {
                self.log.say(Level::Warn, Message::BAD_VARIABLE, *entry, 0);
            }
        }
    }

    /// The option at the beginning of `text`, and what follows: for a letter perhaps more of them or
    /// a value, otherwise `=` and a value, or nothing.
    #[inline(never)]
    fn find(&self, text: Word, spelling: Spelling) -> Option<(&'static Known, Word)> {
        let personality = self.log.personality;
        let mut found = None;
        for known in &KNOWN {
            let after = match spelling {
                Spelling::Letter if personality.letter(text.first()) != known.short => None,
                Spelling::Letter => Some(text.rest()),
                _ => after_name(text, known, spelling, personality == Personality::DumbInit),
            };
            let Some(after) = after else { continue };
            if spelling == Spelling::Variable
                || personality.accepts(known.id, spelling == Spelling::Word)
            {
                if found.is_some() {
                    return None; // short for more than one
                }
                found = Some((known, after));
            }
        }
        found
    }

    /// Visits an option with its value, part by part if it is a list; whether it can have them all.
    #[inline(never)]
    fn give(&mut self, option: &Known, value: Option<Word>, of_paths: u8, visit: Visit) -> bool {
        let Some(mut part) = value else { return visit(self, option, Text::of(c"on")) };
        let separator = match option.kind {
            Kind::Codes | Kind::Rules | Kind::Ports | Kind::Presets => b',',
            Kind::Paths => of_paths,
            _ => 0,
        };
        let mut all = true;
        loop {
            let rest = part.cut(separator);
            all &= visit(self, option, *part);
            let Some(next) = rest else { return all };
            next.join(separator);
            part = next;
        }
    }
}

/// What follows the name of an option at the beginning of `text`, if it is there and `=` or nothing
/// follows. For a variable, the name is in capitals with `_` for `-`. Some may cut a word short.
fn after_name(text: Word, known: &Known, spelling: Spelling, short: bool) -> Option<Word> {
    let mut room = sys::room::<32>();
    let mut name = Buffer::over(&mut room);
    write_plain(&mut name, known.long);
    let mut rest = text;
    for mut byte in name.text() {
        if short && spelling == Spelling::Word && matches!(rest.first(), 0 | b'=') {
            break;
        }
        if spelling == Spelling::Variable {
            byte = if byte == b'-' { b'_' } else { byte & !0x20 };
        }
        if rest.first() != byte {
            return None;
        }
        rest = rest.rest();
    }
    matches!(rest.first(), 0 | b'=').then_some(rest)
}

/// The environment from the variable `name` on, if it is there.
#[must_use]
#[inline(never)]
pub fn variable(environment: Texts, name: Text<'_>) -> Option<Texts> {
    let mut entries = environment;
    while let Some(entry) = entries.get(0) {
        if entry.after(name).is_some_and(|rest| rest.first() == b'=') {
            return Some(entries);
        }
        entries = entries.from(1);
    }
    None
}

/// The value of a variable.
#[must_use]
#[inline(never)]
pub fn lookup(environment: Texts, name: Text<'_>) -> Option<Text<'static>> {
    variable(environment, name)?.get(0)?.behind(b'=')
}
