//! The texts and the table of options as the program has them: packed.
//!
//! `build.rs` packs the texts at compile time by byte pair encoding: a byte from 128 on stands for
//! two others, each of which may stand for two others again. That takes a quarter off the
//! program's constants.

use core::ffi::CStr;

use crate::flags::{FLAGS, Id, Kind};
use crate::log::{LONGEST, end, print_plain};
use crate::sys::{self, Buffer, Text};
use crate::texts::{ERRNOS, Message};

include!(concat!(env!("OUT_DIR"), "/packed.rs"));

// Control characters stand for what is inserted, and one ends a text; `build.rs` writes them.
const TEXT: u8 = control(b's');
const NUMBER: u8 = control(b'd');
const CHARACTER: u8 = control(b'c');
const ERROR: u8 = control(b'e');
const END: u8 = control(b'Z');

const fn control(letter: u8) -> u8 {
    letter & 0x1f
}

/// An option as the program knows it.
#[derive(Clone, Copy)]
pub struct Known {
    /// What it does.
    pub id: Id,
    /// The shape of its value.
    pub kind: Kind,
    /// Its letter, or 0.
    pub short: u8,
    /// Its word.
    pub long: Message,
}

impl Known {
    const NONE: Known = Known { id: Id::Help, kind: Kind::Switch, short: 0, long: Message(0) };

    /// The option with this number.
    #[must_use]
    pub const fn of(id: Id) -> &'static Known {
        let mut index = 0;
        while KNOWN[index].id as u8 != id as u8 {
            index += 1;
        }
        &KNOWN[index]
    }
}

/// The options, in the order of [`FLAGS`].
pub static KNOWN: [Known; FLAGS.len()] = {
    let mut known = [Known::NONE; FLAGS.len()];
    let mut index = 0;
    while index < FLAGS.len() {
        let flag = &FLAGS[index];
        let long = Message(index as u8);
        known[index] = Known { id: flag.id, kind: flag.kind, short: flag.short, long };
        index += 1;
    }
    known
};

/// Appends a text to a line. See [`crate::texts`] for what `text` and `number` are for.
#[inline(never)]
pub fn write(line: &mut Buffer<'_>, message: Message, text: Text<'_>, number: i32) {
    let mut packed = find(message);
    while packed.first() != END {
        write_byte(line, packed.first(), text, number);
        packed = packed.rest();
    }
}

/// Appends a text that has no `%`.
#[inline(never)]
pub fn write_plain(line: &mut Buffer<'_>, message: Message) {
    write(line, message, Text::NONE, 0);
}

/// Where a packed text begins.
#[inline(never)]
fn find(message: Message) -> Text<'static> {
    let mut packed = Text::of(PACKED);
    let mut left = message.0;
    while left != 0 {
        left -= u8::from(packed.first() == END);
        packed = packed.rest();
    }
    packed
}

/// Whether there is nothing in a text.
#[must_use]
pub fn is_empty(message: Message) -> bool {
    find(message).first() == END
}

fn write_byte(line: &mut Buffer<'_>, byte: u8, text: Text<'_>, number: i32) {
    if let 128.. = byte {
        let [first, second] = PAIRS[usize::from(byte - 128)];
        write_byte(line, first, text, number);
        return write_byte(line, second, text, number);
    }
    match byte {
        TEXT => line.append(text, 0),
        NUMBER => line.number(number.cast_unsigned()),
        CHARACTER => line.push(number as u8),
        ERROR => write(line, describe(number), text, number),
        _ => line.push(byte),
    }
}

/// The text for an error number.
fn describe(number: i32) -> Message {
    let mut index = 0;
    for errno in &ERRNOS {
        if i32::from(*errno) == number {
            break;
        }
        index += 1;
    }
    Message::ERRORS.plus(index)
}

/// Prints the help text.
pub fn print_help() {
    print_plain(1, Message::HELP_HEAD);
    let mut help = Message::HELPS;
    for option in &KNOWN {
        if !is_empty(help) {
            let mut room = sys::room::<LONGEST>();
            let mut line = Buffer::over(&mut room);
            write_help(&mut line, option, help);
            end(&mut line, 1);
        }
        help = help.plus(1);
    }
    print_plain(1, Message::HELP_END);
}

/// `  -p, --parent-death-signal SIG  get SIG when the parent dies`.
fn write_help(line: &mut Buffer<'_>, option: &Known, help: Message) {
    /// The column in which the explanations begin.
    const COLUMN: usize = 33;
    let begin = if option.short == 0 { Message::NO_LETTER } else { Message::LETTER };
    write(line, begin, Text::NONE, i32::from(option.short));
    write_plain(line, option.long);
    line.push(b' ');
    write_plain(line, Message::VALUES.plus(option.kind as u8));
    while line.length() < COLUMN {
        line.push(b' ');
    }
    write_plain(line, help);
}

#[cfg(test)]
mod tests {
    use super::{Buffer, KNOWN, write_help};
    use crate::flags::FLAGS;
    use crate::sys::room;
    use crate::texts::Message;

    #[test]
    fn the_program_sees_every_flag() {
        for (known, flag) in KNOWN.iter().zip(FLAGS) {
            assert_eq!((known.id, known.kind), (flag.id, flag.kind));
            assert_eq!(known.short, flag.short);
        }
    }

    #[test]
    fn help_fits_a_terminal_and_its_columns() {
        for (index, flag) in (0..).zip(FLAGS) {
            let mut room = room::<200>();
            let mut line = Buffer::over(&mut room);
            write_help(&mut line, &KNOWN[usize::from(index)], Message::HELPS.plus(index));
            let text = std::str::from_utf8(line.bytes()).unwrap();
            assert!(text.len() <= 80, "{text}");
            assert!(text.contains(&std::format!("--{} ", flag.long)), "{text}");
            assert!(
                flag.help.is_empty() || text.ends_with(&std::format!(" {}", flag.help)),
                "{text}"
            );
        }
    }

    #[test]
    fn every_option_is_documented() {
        for flag in FLAGS {
            let documented = |(id, _): &(_, _)| *id == flag.id;
            assert!(crate::manual::MANUAL.iter().any(documented), "{:?}", flag.id);
        }
    }
}
