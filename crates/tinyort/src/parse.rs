//! From words to a command with its flags.

use crate::command::{self, Command, GLOBAL};
use crate::flag::{Flag, Kind};
use crate::flags;
use lexopt::{Arg, Parser};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A command line that can be understood.
#[derive(Debug)]
pub struct Line {
    /// The command; none if there is only `--help` or `--version`, or nothing.
    pub command: Option<&'static Command>,
    /// Its flags and those of all commands, as they were given.
    pub flags: Flags,
    /// What is no flag, without the command's name.
    pub words: Vec<OsString>,
}

/// Flags as they were given.
#[derive(Debug, Default)]
pub struct Flags(Vec<(Flag, OsString)>);

/// Why a command line cannot be understood.
#[derive(Debug)]
pub struct Misuse {
    /// The flags up to there, which may say where it is to be told.
    pub flags: Flags,
    /// The command it is about.
    pub command: Option<&'static str>,
    /// What is wrong.
    pub problem: String,
}

impl std::fmt::Display for Misuse {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let command = self.command.map(|name| format!(" {name}")).unwrap_or_default();
        write!(formatter, "{}; see `tinyort{command} --help`", self.problem)
    }
}

impl std::error::Error for Misuse {}

/// A value that is not what it should be, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong(pub(crate) String);

impl std::fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl Line {
    /// Understands a command line, without the program's name.
    ///
    /// # Errors
    /// An unknown command or flag, a value that is missing or wrong, too few or too many words.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Line, Misuse> {
        let mut line = Line { command: None, flags: Flags::default(), words: Vec::new() };
        let result = line.read(&mut Parser::from_args(words));
        let result = result.and_then(|()| line.check_words());
        match result {
            Ok(()) => Ok(line),
            Err(problem) => {
                let command = line.command.map(|command| command.name);
                Err(Misuse { flags: line.flags, command, problem })
            }
        }
    }

    fn read(&mut self, parser: &mut Parser) -> Result<(), String> {
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            let flag = match argument {
                Arg::Long(name) => self.find(|flag| flag.long == name),
                Arg::Short(letter) => self.find(|flag| flag.short == Some(letter)),
                Arg::Value(word) => {
                    self.take_word(word)?;
                    if self.command.is_some_and(|it| it.rest_is_verbatim) && !self.words.is_empty()
                    {
                        let rest = parser.raw_args().map_err(|error| error.to_string())?;
                        self.words.extend(rest);
                    }
                    continue;
                }
            };
            let Some(flag) = flag else { return Err(unknown(&argument)) };
            let value = value_of(&flag, parser)?;
            self.flags.0.push((flag, value));
        }
        Ok(())
    }

    /// The flag of the command, or else of all.
    fn find(&self, is_it: impl Fn(&Flag) -> bool) -> Option<Flag> {
        let own = self.command.map_or(&[][..], |command| command.flags);
        own.iter().chain(GLOBAL).find(|flag| is_it(flag)).copied()
    }

    fn take_word(&mut self, word: OsString) -> Result<(), String> {
        if self.command.is_some() {
            self.words.push(word);
            return Ok(());
        }
        self.command = word.to_str().and_then(command::find);
        match self.command {
            Some(_) => Ok(()),
            None => Err(format!("there is no command {word:?}")),
        }
    }

    fn check_words(&self) -> Result<(), String> {
        let Some(command) = self.command else { return Ok(()) };
        if self.flags.is_on(&flags::HELP) {
            return Ok(());
        }
        let count = self.words.len();
        if count < command.least {
            return Err(format!("{} takes {}, which is missing", command.name, command.words));
        }
        match command.most {
            Some(most) if count > most => {
                let words = if most == 0 { "no words" } else { command.words };
                Err(format!("{} takes {words}; {:?} is too much", command.name, self.words[most]))
            }
            _ => Ok(()),
        }
    }
}

fn unknown(argument: &Arg<'_>) -> String {
    match argument {
        Arg::Short(letter) => format!("there is no flag -{letter}"),
        Arg::Long(name) => format!("there is no flag --{name}"),
        Arg::Value(word) => format!("{word:?} is no flag"),
    }
}

fn value_of(flag: &Flag, parser: &mut Parser) -> Result<OsString, String> {
    let wrong = |value: &OsStr, right: &str| format!("--{}: {value:?} is not {right}", flag.long);
    match flag.kind {
        Kind::Switch => match parser.optional_value() {
            None => Ok("true".into()),
            Some(value) => {
                let on = value.to_str().and_then(boolean);
                on.map(Into::into).ok_or_else(|| wrong(&value, "true or false"))
            }
        },
        Kind::Path(name) | Kind::Text(name) => {
            let value = parser.value().map_err(|_| format!("--{} needs {name}", flag.long))?;
            let right = matches!(flag.kind, Kind::Path(_)) || value.to_str().is_some();
            if right { Ok(value) } else { Err(wrong(&value, "UTF-8")) }
        }
        Kind::Choice(words) => {
            let list = words.join(", ");
            let value =
                parser.value().map_err(|_| format!("--{} needs one of {list}", flag.long))?;
            // As a switch was spelled that has become a choice: `--rootless=1`.
            let word = value.to_str().map(|word| match boolean(word) {
                Some(word) if words.contains(&word) => word,
                _ => word,
            });
            match word.filter(|word| words.contains(word)) {
                Some(word) => Ok(word.into()),
                None => Err(wrong(&value, &format!("one of {list}"))),
            }
        }
    }
}

/// As Go's flags take them.
fn boolean(word: &str) -> Option<&'static str> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some("true"),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some("false"),
        _ => None,
    }
}

impl Flags {
    /// Whether it was given at all.
    #[must_use]
    pub fn has(&self, flag: &Flag) -> bool {
        self.last(flag).is_some()
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn is_on(&self, flag: &Flag) -> bool {
        self.last(flag).is_some_and(|value| value == "true")
    }

    /// The value of a flag with a path; an empty one is none.
    #[must_use]
    pub fn path(&self, flag: &Flag) -> Option<&Path> {
        self.last(flag).map(Path::new).filter(|path| !path.as_os_str().is_empty())
    }

    /// The value of a flag, also if it is empty.
    #[must_use]
    pub fn last_text(&self, flag: &Flag) -> Option<&str> {
        self.last(flag).and_then(OsStr::to_str)
    }

    /// The value of any other flag; an empty one is none.
    #[must_use]
    pub fn text(&self, flag: &Flag) -> Option<&str> {
        self.last(flag).and_then(OsStr::to_str).filter(|text| !text.is_empty())
    }

    /// All values of a flag that may be repeated.
    pub fn texts(&self, flag: &Flag) -> impl Iterator<Item = &str> {
        let long = flag.long;
        let given = self.0.iter().filter(move |(given, _)| given.long == long);
        given.filter_map(|(_, value)| value.to_str())
    }

    /// The value of a flag with a number.
    ///
    /// # Errors
    /// It is none, or does not fit.
    pub fn number<T: TryFrom<i128>>(&self, flag: &Flag) -> Result<Option<T>, Wrong> {
        let Some(text) = self.text(flag) else { return Ok(None) };
        let number = text.parse().ok().and_then(|number: i128| T::try_from(number).ok());
        let wrong = || Wrong(format!("--{}: {text:?} is not a number that fits", flag.long));
        number.map(Some).ok_or_else(wrong)
    }

    fn last(&self, flag: &Flag) -> Option<&OsStr> {
        let given = self.0.iter().rev().find(|(given, _)| given.long == flag.long);
        given.map(|(_, value)| value.as_os_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Wrong};
    use crate::command::Id;
    use crate::flags::*;

    fn parse(words: &str) -> Result<Line, String> {
        let words = words.split_whitespace().map(Into::into);
        Line::parse(words).map_err(|misuse| misuse.to_string())
    }

    #[test]
    fn flags_may_stand_anywhere() {
        for words in [
            "--root /r run -b /b c",
            "run --root=/r c --bundle /b",
            "run c -b/b --root /r",
            "run --bundle=/x -b /b --root /r -- c",
        ] {
            let line = parse(words).expect(words);
            assert_eq!(line.command.map(|it| it.id), Some(Id::Run));
            assert_eq!(line.flags.path(&BUNDLE).and_then(|it| it.to_str()), Some("/b"), "{words}");
            assert_eq!(line.flags.path(&ROOT).and_then(|it| it.to_str()), Some("/r"), "{words}");
            assert_eq!(line.words, ["c"], "{words}");
        }
    }

    #[test]
    fn what_follows_the_id_of_exec_and_ps_is_not_ours() {
        let line = parse("exec -t --user 1:2 c ls -t --root --help").unwrap();
        assert_eq!(line.words, ["c", "ls", "-t", "--root", "--help"]);
        assert_eq!(line.flags.text(&USER), Some("1:2"));
        assert!(line.flags.is_on(&TTY) && !line.flags.is_on(&HELP));
        assert_eq!(parse("ps c -ef").unwrap().words, ["c", "-ef"]);
        assert_eq!(parse("exec -- c -- ls").unwrap().words, ["c", "--", "ls"]);
    }

    #[test]
    fn switches_may_have_a_value() {
        for (words, on) in [
            ("run -d c", true),
            ("run --detach=false c", false),
            ("run --detach=1 c", true),
            ("run --detach --detach=F c", false),
            ("run c", false),
        ] {
            assert_eq!(parse(words).unwrap().flags.is_on(&DETACH), on, "{words}");
        }
        assert_eq!(parse("--rootless=1 list").unwrap().flags.text(&ROOTLESS), Some("true"));
        assert!(parse("spec --rootless").unwrap().flags.is_on(&SPEC_ROOTLESS));
    }

    #[test]
    fn values_may_look_like_flags_and_be_repeated() {
        let line = parse("exec -e A=1 -e -x --env=B=2 c sh").unwrap();
        assert_eq!(line.flags.texts(&ENV).collect::<Vec<_>>(), ["A=1", "-x", "B=2"]);
        let line = parse("run --preserve-fds -1 c").unwrap();
        assert_eq!(line.flags.number::<i64>(&PRESERVE_FDS), Ok(Some(-1)));
        let wrong = r#"--preserve-fds: "-1" is not a number that fits"#;
        assert_eq!(line.flags.number::<u32>(&PRESERVE_FDS), Err(Wrong(wrong.to_owned())));
        assert_eq!(line.flags.number::<u32>(&PIDS_LIMIT), Ok(None));
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        for (words, problem) in [
            ("fly", r#"there is no command "fly"; see `tinyort --help`"#),
            ("run --fast c", "there is no flag --fast; see `tinyort run --help`"),
            ("run -x c", "there is no flag -x; see `tinyort run --help`"),
            ("run", "run takes ID, which is missing; see `tinyort run --help`"),
            ("run a b", r#"run takes ID; "b" is too much; see `tinyort run --help`"#),
            ("list a", r#"list takes no words; "a" is too much; see `tinyort list --help`"#),
            ("run c -b", "--bundle needs DIR; see `tinyort run --help`"),
            (
                "--log-format xml list",
                r#"--log-format: "xml" is not one of text, json; see `tinyort --help`"#,
            ),
            (
                "run --keep=perhaps c",
                r#"--keep: "perhaps" is not true or false; see `tinyort run --help`"#,
            ),
            ("kill c -9", "there is no flag -9; see `tinyort kill --help`"),
        ] {
            assert_eq!(parse(words).unwrap_err(), problem);
        }
    }

    #[test]
    fn help_needs_no_words() {
        assert!(parse("run --help").unwrap().flags.is_on(&HELP));
        assert!(parse("").unwrap().command.is_none());
        assert!(parse("-v").unwrap().flags.is_on(&VERSION));
    }
}
