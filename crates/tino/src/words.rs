//! Options as they are written: on the command line and in variables. Finds out which option is
//! meant and what its value is; [`crate::options`] decides what that means.

use core::ffi::CStr;

use crate::flags::Kind;
use crate::log::{Level, Log};
use crate::packed::Known;
use crate::personality::Personality;
use crate::sys::{Text, Texts};
use crate::value::Value;

/// Called with each option and its value (`None` for a switch without one) in the order in which
/// they are written; returns whether the option can have it.
pub type Visit<'a> = &'a mut dyn FnMut(Known, Option<Value<'static>>) -> bool;

/// The words that `tino` was called with, its own name first.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// Says what is wrong, in whose voice the words are read, too.
    pub log: &'a Log,
    /// All of them.
    pub words: Texts,
}

impl Words<'_> {
    /// Visits the options up to the first word that is none, or to `--`. Returns the number of
    /// words up to the command; `None` when a word is wrong, and that has been said.
    #[inline(never)]
    pub fn options(self, visit: Visit<'_>) -> Option<usize> {
        let mut index = 1;
        while let Some(word) = self.words.get(index) {
            let mut rest = word.rest();
            if word.first() != b'-' || rest.first() == 0 {
                break;
            }
            index += 1;
            let long = rest.first() == b'-';
            if long {
                rest = rest.rest();
                if rest.first() == 0 {
                    break;
                }
            }
            // A word is one option, a cluster of letters such as `-gs` or `-e3` may be several.
            loop {
                let found =
                    if long { find(rest, false) } else { letter(self.log.personality, rest) };
                let Some((option, after)) =
                    found.filter(|(option, _)| self.log.personality.accepts(option.id(), long))
                else {
                    return self.complain(c"unknown option: %s", word);
                };
                rest = after;
                let attached = if long { rest.first() == b'=' } else { rest.first() != 0 };
                let takes_value = option.kind() > Kind::Count;
                let mut value = None;
                if takes_value || (long && attached) {
                    value = Some(if long { rest.rest() } else { rest });
                    if !attached {
                        value = self.words.get(index);
                        index += 1;
                    }
                    if value.is_none() {
                        return self.complain(c"value missing for option: %s", word);
                    }
                }
                if !give(option, value, 0, visit) {
                    return self.complain(c"not a valid value: %s", value.unwrap_or(word));
                }
                if long || takes_value || rest.first() == 0 {
                    break;
                }
            }
        }
        Some(index)
    }

    fn complain(self, format: &'static CStr, word: Text<'static>) -> Option<usize> {
        self.log.say(Level::Fatal, format, Value::all(word), 0);
        None
    }
}

/// Visits an option with its value, part by part if it is a list; whether it can have them all.
fn give(option: Known, value: Option<Text<'static>>, separator: u8, visit: Visit<'_>) -> bool {
    let Some(text) = value else { return visit(option, None) };
    let end = match option.kind() {
        Kind::Codes | Kind::Rules | Kind::Ports | Kind::Presets => b',',
        Kind::Paths => separator,
        _ => 0,
    };
    let mut all = true;
    let mut next = Some(Value { text, end });
    while let Some(part) = next {
        all &= visit(option, Some(part));
        next = part.next_part();
    }
    all
}

/// The option with the letter at the beginning of `cluster`, and what follows it.
fn letter(personality: Personality, cluster: Text<'static>) -> Option<(Known, Text<'static>)> {
    let mut letter = cluster.first();
    // catatonit's letter for the licence, the one difference in letters among all of them.
    if letter == b'L' && personality == Personality::Catatonit {
        letter = b'l';
    }
    let mut known = Known::first();
    while known.short() != letter || letter == b' ' {
        known = known.next()?;
    }
    Some((known, cluster.rest()))
}

/// The option with this name, and what follows the name: `=` or the end. For a variable, the
/// name is in capitals with `_` for `-`.
#[inline(never)]
fn find(name: Text<'static>, variable: bool) -> Option<(Known, Text<'static>)> {
    let mut known = Known::first();
    loop {
        if let Some(rest) = after_name(known.long(), name, variable) {
            return Some((known, rest));
        }
        known = known.next()?;
    }
}

/// What follows the name `known` in `text`, if that is its beginning and `=` or nothing follows.
#[inline(never)]
fn after_name(known: Value<'_>, text: Text<'static>, variable: bool) -> Option<Text<'static>> {
    let (mut known, mut text) = (known, text);
    while !known.is_empty() {
        let mut byte = known.first();
        if variable {
            byte = if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
        }
        if text.first() != byte {
            return None;
        }
        (known, text) = (known.rest(), text.rest());
    }
    matches!(text.first(), b'=' | 0).then_some(text)
}

/// Visits the options that variables such as `TINO_GRACE_MS=500` stand for; calls `bad` with each
/// variable whose value is wrong.
#[inline(never)]
pub fn variables(environment: Texts, visit: Visit<'_>, bad: &mut dyn FnMut(Text<'static>)) {
    for entry in environment {
        if let Some(name) = entry.after(Text::of(c"TINO_"))
            && let Some((option, rest)) = find(name, true)
            && !give(option, Some(rest.rest()), b':', visit)
        {
            bad(entry);
        }
    }
}

/// The variable `name`: what follows its name, which is a `=` and its value.
#[must_use]
#[inline(never)]
pub fn lookup(environment: Texts, name: Value<'_>) -> Option<Text<'static>> {
    let mut entries = environment;
    loop {
        if let Some(rest) = after_name(name, entries.next()?, false) {
            return Some(rest.rest());
        }
    }
}
