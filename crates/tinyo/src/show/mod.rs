//! What the user sees: results on standard output, everything else on standard error.

mod bars;
mod layers;
mod list;
mod sending;
mod table;
mod units;

pub(crate) use layers::Layers;
pub(crate) use list::{ListFormat, print_columns, print_details, print_lines};
pub(crate) use sending::Sending;
pub(crate) use table::{print_rows, print_table};
pub(crate) use units::{ago, bytes, lasting};

use anyhow::Result;
use image::registry::RegistryError;
use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

/// Writes a line of the result. Whoever reads it may have seen enough (`| head -1`).
pub(crate) fn print_line(text: &str) -> Result<()> {
    let text = visible(text, || io::stdout().is_terminal());
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// The text with what a terminal would obey instead of showing written out, where it goes to one:
/// it may come from an image, a registry or a container.
pub(crate) fn visible(text: &str, is_shown: impl FnOnce() -> bool) -> Cow<'_, str> {
    let obeyed = |it: char| it.is_control() && !matches!(it, '\n' | '\t');
    if !text.contains(obeyed) || !is_shown() {
        return Cow::Borrowed(text);
    }
    let mut all = String::new();
    for character in text.chars() {
        match obeyed(character) {
            true => all.extend(character.escape_default()),
            false => all.push(character),
        }
    }
    Cow::Owned(all)
}

/// Says something that is no error.
pub(crate) fn warn(text: &str) {
    // A warning that cannot be given is no reason to stop.
    let _ = writeln!(io::stderr(), "tinyo: warning: {}", visible(text, || true));
}

/// Where progress is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    is_quiet: bool,
    is_terminal: bool,
}

impl Screen {
    pub(crate) fn new(is_quiet: bool) -> Screen {
        // A terminal that cannot move its cursor gets lines.
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Screen { is_quiet, is_terminal: !is_dumb && io::stderr().is_terminal() }
    }

    /// With lines instead of bars, for what is done at the same time.
    pub(crate) fn without_bars(self) -> Screen {
        Screen { is_terminal: false, ..self }
    }

    /// A line about what is done now.
    pub(crate) fn say(&self, text: &str) {
        if !self.is_quiet {
            // Progress that cannot be shown is no reason to stop.
            let _ = writeln!(io::stderr(), "{}", visible(text, || true));
        }
    }

    /// The same, which is of use to nobody later.
    pub(crate) fn say_on_terminal(&self, text: &str) {
        if self.is_terminal {
            self.say(text);
        }
    }

    /// Why nothing goes on for a while.
    pub(crate) fn wait(&self, error: &RegistryError, time: Duration) {
        self.say(&format!("{error}; trying again in {}", units::time(time)));
    }

    fn has_bars(&self) -> bool {
        self.is_terminal && !self.is_quiet
    }
}
