//! What `tino` says: one line, one write, in the voice of the program it stands in for.

use core::ffi::CStr;

use crate::personality::Personality;
use crate::sys::{self, Buffer, Text};
use crate::value::Value;

/// How important a line is; shown when the verbosity is at least its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Why `tino` ends.
    Fatal,
    /// Something is not as it was asked for; shown unless the verbosity is 0.
    Warn,
    /// The child's start and end.
    Info,
    /// Every signal.
    Debug,
    /// Every process reaped.
    Trace,
}

/// Where lines go and how they begin.
#[derive(Clone, Copy)]
pub struct Log {
    /// In whose voice.
    pub personality: Personality,
    /// The least important level shown.
    pub verbosity: u8,
    /// Shown in each line.
    pub pid: i32,
}

impl Log {
    /// Writes a line, if `level` is shown. In `format`, `%s` stands for `text`, `%d` for `number`
    /// and `%e` for what the error with that number means, as strerror(3) has it.
    #[inline(never)]
    pub fn say(&self, level: Level, format: &'static CStr, text: Value<'_>, number: i32) {
        if level as u8 <= self.verbosity {
            let mut memory = [0; LONGEST];
            let mut line = Buffer::over(&mut memory);
            self.begin(&mut line, level);
            write(&mut line, format, text, number);
            line.end_line();
            let to_stdout = level > Level::Warn && self.personality == Personality::Tini;
            sys::write(if to_stdout { 1 } else { 2 }, line.bytes());
        }
    }

    /// The same for a line without a text.
    #[inline(never)]
    pub fn note(&self, level: Level, format: &'static CStr, number: i32) {
        self.say(level, format, Value::NONE, number);
    }

    fn begin(&self, line: &mut Buffer<'_>, level: Level) {
        const NAMES: &CStr = c"FATAL;WARN ;INFO ;DEBUG;TRACE";
        let mut name = Value { text: Text::of(NAMES), end: b';' };
        for _ in 0..level as u8 {
            name = name.next_part().unwrap_or(name);
        }
        let format = match self.personality {
            Personality::DumbInit => c"[dumb-init] ",
            Personality::Catatonit if level == Level::Fatal => c"ERROR (catatonit:%d): ",
            Personality::Catatonit => c"%s (catatonit:%d): ",
            Personality::Tini => c"[%s tini (%d)] ",
            Personality::Tino | Personality::Pause => c"[%s tino (%d)] ",
        };
        write(line, format, name, self.pid);
    }
}

/// The longest line with its end. What does not fit is cut off.
pub const LONGEST: usize = 512;

/// Appends `format` to a line as [`Log::say`] has it.
#[inline(never)]
pub fn write(line: &mut Buffer<'_>, format: &'static CStr, text: Value<'_>, number: i32) {
    let mut format = Text::of(format);
    while let Some(byte) = format.next() {
        if byte != b'%' {
            line.push(byte);
            continue;
        }
        match format.next() {
            Some(b's') => {
                line.append(text.text, text.end);
            }
            Some(b'd') => line.number(number),
            _ => match describe(number) {
                Some(text) => {
                    line.append(text.text, text.end);
                }
                None => write(line, c"errno %d", text, number),
            },
        }
    }
}

/// Prints a line on standard output.
#[inline(never)]
pub fn print(format: &'static CStr, text: Value<'_>, number: i32) {
    let mut memory = [0; LONGEST];
    let mut line = Buffer::over(&mut memory);
    write(&mut line, format, text, number);
    line.end_line();
    sys::write(1, line.bytes());
}

/// Error numbers (as one byte) and their texts, for those that a user may meet.
const ERRORS: &CStr = c"\x01Operation not permitted;\
\x02No such file or directory;\
\x05Input/output error;\
\x07Argument list too long;\
\x08Exec format error;\
\x09Bad file descriptor;\
\x0bResource temporarily unavailable;\
\x0cCannot allocate memory;\
\x0dPermission denied;\
\x14Not a directory;\
\x15Is a directory;\
\x16Invalid argument;\
\x17Too many open files in system;\
\x18Too many open files;\
\x1aText file busy;\
\x24File name too long;\
\x26Function not implemented;\
\x28Too many levels of symbolic links;\
\x5fOperation not supported";

fn describe(number: i32) -> Option<Value<'static>> {
    let mut known = Value { text: Text::of(ERRORS), end: b';' };
    while i32::from(known.first()) != number {
        known = known.next_part()?;
    }
    Some(known.rest())
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Text, Value, write};

    #[test]
    fn errors_have_the_names_of_strerror() {
        for number in [1, 2, 5, 7, 8, 9, 11, 12, 13, 20, 21, 22, 23, 24, 26, 36, 38, 40, 95] {
            let expected = std::io::Error::from_raw_os_error(number).to_string();
            let mut memory = [0; 64];
            let mut line = Buffer::over(&mut memory);
            write(&mut line, c"%e", Value::NONE, number);
            let text = std::str::from_utf8(line.bytes()).unwrap();
            assert_eq!(Some(text), expected.split(" (os error").next(), "{number}");
        }
    }

    #[test]
    fn formats_and_a_line_too_long() {
        let mut memory = [0; 40];
        let mut line = Buffer::over(&mut memory);
        let word = Value { text: Text::of(c"word,other"), end: b',' };
        write(&mut line, c"%s: %d and %e", word, 133);
        assert_eq!(line.bytes(), b"word: 133 and errno 133");
        for _ in 0..100 {
            write(&mut line, c"%d", word, 1_234_567_890);
        }
        line.end_line();
        assert_eq!(line.bytes(), b"word: 133 and errno 133123456789012345\n");
    }
}
