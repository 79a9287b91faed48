//! What a flag is.

/// A flag of a command, or of all. Parser, help, man page and completions come from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The letter after one dash.
    pub short: Option<char>,
    /// The word after two dashes. Within a command it names the flag.
    pub long: &'static str,
    /// What follows it.
    pub kind: Kind,
    /// What it does, in half a line.
    pub help: &'static str,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// A text, which the help calls so.
    Text(&'static str),
    /// A path, which the help calls so.
    Path(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Flag {
    /// A flag that is given or not.
    #[must_use]
    pub const fn switch(long: &'static str, help: &'static str) -> Flag {
        Flag { short: None, long, kind: Kind::Switch, help }
    }

    /// A flag with a text.
    #[must_use]
    pub const fn text(long: &'static str, value: &'static str, help: &'static str) -> Flag {
        Flag { short: None, long, kind: Kind::Text(value), help }
    }

    /// A flag with a path.
    #[must_use]
    pub const fn path(long: &'static str, value: &'static str, help: &'static str) -> Flag {
        Flag { short: None, long, kind: Kind::Path(value), help }
    }

    /// A flag with one of a few words.
    #[must_use]
    pub const fn choice(
        long: &'static str,
        words: &'static [&'static str],
        help: &'static str,
    ) -> Flag {
        Flag { short: None, long, kind: Kind::Choice(words), help }
    }

    /// The same flag, with a letter.
    #[must_use]
    pub const fn short(self, letter: char) -> Flag {
        Flag { short: Some(letter), ..self }
    }

    /// What the help calls its value; nothing for a switch.
    #[must_use]
    pub fn value_name(&self) -> String {
        match self.kind {
            Kind::Switch => String::new(),
            Kind::Text(name) | Kind::Path(name) => name.to_owned(),
            Kind::Choice(words) => words.join("|"),
        }
    }
}
