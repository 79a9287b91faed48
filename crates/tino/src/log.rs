//! What `tino` says: one line, one write, in the voice of the program it stands in for.

use crate::packed::{write, write_plain};
use crate::personality::Personality;
use crate::sys::{self, Buffer, Descriptor, Errno, Text};
use crate::texts::Message;

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
    /// Shown in each line.
    pub pid: i32,
    /// In whose voice.
    pub personality: Personality,
    /// The least important level shown.
    pub verbosity: u8,
}

/// The longest line with its end. What does not fit is cut off.
pub const LONGEST: usize = 512;

impl Log {
    /// Writes a line, if `level` is shown. See [`crate::texts`] for `text` and `number`.
    #[inline(never)]
    pub fn say(&self, level: Level, message: Message, text: Text<'_>, number: i32) {
        if level as u8 > self.verbosity {
            return;
        }
        let mut room = sys::room::<LONGEST>();
        let mut line = Buffer::over(&mut room);
        self.begin(&mut line, level);
        write(&mut line, message, text, number);
        let to_stdout = level > Level::Warn && self.personality == Personality::Tini;
        end(&mut line, if to_stdout { 1 } else { 2 });
    }

    fn begin(&self, line: &mut Buffer<'_>, level: Level) {
        let mut room = sys::room::<8>();
        let mut name = Buffer::over(&mut room);
        let is_error = level == Level::Fatal && self.personality == Personality::Catatonit;
        let message = if is_error { Message::ERROR } else { Message::LEVELS.plus(level as u8) };
        write_plain(&mut name, message);
        let prefix = Message::PREFIXES.plus(self.personality as u8);
        write(line, prefix, name.text(), self.pid);
    }

    /// The same for a line without a text.
    #[inline(never)]
    pub fn note(&self, level: Level, message: Message, number: i32) {
        self.say(level, message, Text::NONE, number);
    }

    /// Says what failed, if something did; whether all is well.
    #[inline(never)]
    pub fn check(&self, level: Level, message: Message, result: Result<(), Errno>) -> bool {
        if let Err(error) = result {
            self.note(level, message, error.number());
        }
        result.is_ok()
    }
}

/// Prints a line.
#[inline(never)]
pub fn print(fd: Descriptor, message: Message, text: Text<'_>, number: i32) {
    let mut room = sys::room::<LONGEST>();
    let mut line = Buffer::over(&mut room);
    write(&mut line, message, text, number);
    end(&mut line, fd);
}

/// Prints a line that has no `%`.
#[inline(never)]
pub fn print_plain(fd: Descriptor, message: Message) {
    print(fd, message, Text::NONE, 0);
}

/// Ends a line, in the place of its last byte if there is no room, and writes it.
#[inline(never)]
pub fn end(line: &mut Buffer<'_>, fd: Descriptor) {
    line.shorten(LONGEST - 2);
    line.push(b'\n');
    sys::write(fd, line);
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Message, Text, write};
    use crate::sys::room;
    use crate::texts::ERRNOS;

    fn written(message: Message, text: Text<'_>, number: i32) -> std::string::String {
        let mut room = room::<600>();
        let mut line = Buffer::over(&mut room);
        write(&mut line, message, text, number);
        std::string::String::from_utf8(line.bytes().to_vec()).unwrap()
    }

    #[test]
    fn errors_have_the_names_of_strerror() {
        for number in ERRNOS.map(i32::from) {
            let expected = std::io::Error::from_raw_os_error(number).to_string();
            let expected = expected.split(" (os error").next().unwrap();
            let text = written(Message::SETSID, Text::NONE, number);
            assert_eq!(text, std::format!("setsid: {expected}"));
        }
        assert_eq!(written(Message::SETSID, Text::NONE, 133), "setsid: errno 133");
    }

    #[test]
    fn every_text_is_packed_and_unpacked() {
        for (index, text) in crate::texts::all().enumerate() {
            let expected = text.replace("%s", "<word>").replace("%d", "65").replace("%c", "A");
            let expected = expected.replace("%e", "errno 65");
            let message = Message(u8::try_from(index).unwrap());
            assert_eq!(written(message, Text::of(c"<word>"), 65), expected);
        }
    }
}
