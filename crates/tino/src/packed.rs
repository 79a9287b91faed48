//! [`FLAGS`] rendered at compile time into plain bytes: what the parser and the help read.

use core::ffi::CStr;

use crate::flags::{FLAGS, Flag, Id, Kind};
use crate::log::{LONGEST, print, write};
use crate::sys::{self, Buffer, Text};
use crate::value::Value;

/// Added to the numbers of a record, so that no byte of it is a NUL.
const ABOVE_NUL: u8 = 1;

const TABLE: [u8; table_length()] = table();

/// The records, one after the other: id, kind, letter (or a space), word, `;`, name of the value,
/// `;`, help, `;`.
const TABLE_TEXT: &CStr = match CStr::from_bytes_with_nul(&TABLE) {
    Ok(text) => text,
    Err(_) => panic!("a NUL in the table of options"),
};

const fn table_length() -> usize {
    let mut length = 1;
    let mut index = 0;
    while index < FLAGS.len() {
        let flag = &FLAGS[index];
        length += 3 + flag.long.len() + flag.value.len() + flag.help.len() + 3;
        index += 1;
    }
    length
}

const fn table() -> [u8; table_length()] {
    let mut out = [0; table_length()];
    let mut at = 0;
    let mut index = 0;
    while index < FLAGS.len() {
        at = record(&mut out, at, &FLAGS[index]);
        index += 1;
    }
    out
}

const fn record<const N: usize>(out: &mut [u8; N], start: usize, flag: &Flag) -> usize {
    out[start] = flag.id as u8 + ABOVE_NUL;
    out[start + 1] = flag.kind as u8 + ABOVE_NUL;
    out[start + 2] = if flag.short == 0 { b' ' } else { flag.short };
    let at = field(out, start + 3, flag.long.as_bytes());
    let at = field(out, at, flag.value.as_bytes());
    field(out, at, flag.help.as_bytes())
}

const fn field<const N: usize>(out: &mut [u8; N], start: usize, text: &[u8]) -> usize {
    let mut index = 0;
    while index < text.len() {
        assert!(text[index] != b';', "the separator of the table");
        out[start + index] = text[index];
        index += 1;
    }
    out[start + index] = b';';
    start + index + 1
}

/// An option as the program knows it: a place in the table.
#[derive(Clone, Copy)]
pub struct Known(Text<'static>);

impl Known {
    /// The first option.
    #[must_use]
    pub const fn first() -> Known {
        Known(Text::of(TABLE_TEXT))
    }

    /// The option after this one.
    #[must_use]
    pub fn next(self) -> Option<Known> {
        let after = self.help().next_part().map_or(self.0, |part| part.text);
        (after.first() != 0).then_some(Known(after))
    }

    /// What it does.
    #[must_use]
    #[inline(never)]
    pub fn id(self) -> Id {
        let number = usize::from(self.0.first() - ABOVE_NUL);
        Id::ALL.get(number).copied().unwrap_or(Id::Help)
    }

    /// The shape of its value.
    #[must_use]
    #[inline(never)]
    pub fn kind(self) -> Kind {
        let number = usize::from(self.0.rest().first() - ABOVE_NUL);
        Kind::ALL.get(number).copied().unwrap_or(Kind::Switch)
    }

    /// Its letter, or a space.
    #[must_use]
    #[inline(never)]
    pub const fn short(self) -> u8 {
        self.0.rest().rest().first()
    }

    /// Its word.
    #[must_use]
    pub const fn long(self) -> Value<'static> {
        Value { text: self.0.rest().rest().rest(), end: b';' }
    }

    fn value(self) -> Value<'static> {
        self.long().next_part().unwrap_or(self.long())
    }

    fn help(self) -> Value<'static> {
        self.value().next_part().unwrap_or(self.long())
    }
}

/// Prints the help text.
#[inline(never)]
pub fn print_help() {
    print(c"Usage: tino [OPTIONS] [--] PROGRAM [ARGS]\n", Value::NONE, 0);
    let mut next = Some(Known::first());
    while let Some(option) = next {
        if !option.help().is_empty() {
            let mut memory = [0; LONGEST];
            let mut line = Buffer::over(&mut memory);
            help_line(&mut line, option);
            line.end_line();
            sys::write(1, line.bytes());
        }
        next = option.next();
    }
    print(c"\nEach is a variable, too, such as TINO_GRACE_MS.", Value::NONE, 0);
}

/// `  -p, --parent-death-signal SIG  get SIG when the parent dies`.
fn help_line(line: &mut Buffer<'_>, option: Known) {
    /// The column in which the explanations begin.
    const COLUMN: usize = 33;
    if option.short() == b' ' {
        write(line, c"      --%s", option.long(), 0);
    } else {
        write(line, c"  -", Value::NONE, 0);
        line.push(option.short());
        write(line, c", --%s", option.long(), 0);
    }
    write(line, c" %s", option.value(), 0);
    while line.bytes().len() < COLUMN {
        line.push(b' ');
    }
    write(line, c"%s", option.help(), 0);
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Known, Value, help_line, write};
    use crate::flags::{FLAGS, Id};

    fn text(value: Value<'_>) -> std::string::String {
        let mut memory = [0; 64];
        let mut line = Buffer::over(&mut memory);
        write(&mut line, c"%s", value, 0);
        std::string::String::from_utf8(line.bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_program_sees_every_flag() {
        let mut next = Some(Known::first());
        for flag in FLAGS {
            let known = next.unwrap();
            assert_eq!((known.id(), known.kind()), (flag.id, flag.kind));
            assert_eq!(known.short(), if flag.short == 0 { b' ' } else { flag.short });
            assert_eq!(text(known.long()), flag.long);
            next = known.next();
        }
        assert!(next.is_none());
    }

    #[test]
    fn help_fits_a_terminal_and_its_columns() {
        let mut next = Some(Known::first());
        for flag in FLAGS {
            let mut memory = [0; 200];
            let mut line = Buffer::over(&mut memory);
            help_line(&mut line, next.unwrap());
            let text = std::str::from_utf8(line.bytes()).unwrap();
            assert!(text.len() <= 80, "{text}");
            assert!(
                flag.help.is_empty() || text.ends_with(&std::format!(" {}", flag.help)),
                "{text}"
            );
            next = next.unwrap().next();
        }
    }

    #[test]
    fn every_id_is_in_its_place_and_documented() {
        for (index, id) in Id::ALL.iter().enumerate() {
            assert_eq!(*id as usize, index);
            assert!(FLAGS.iter().any(|flag| flag.id == *id));
            assert!(crate::manual::MANUAL.iter().any(|(documented, _)| documented == id), "{id:?}");
        }
    }
}
