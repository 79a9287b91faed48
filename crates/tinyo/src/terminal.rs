//! Asking the user.

use anyhow::{Context, Result, bail};
use std::io::{self, BufRead, IsTerminal, Write};
use sys::rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// One line, shown as it is typed.
///
/// `flag` is what says it without being asked.
pub(crate) fn ask(prompt: &str, flag: &str) -> Result<String> {
    if !io::stdin().is_terminal() {
        bail!("standard input is no terminal to ask on; use {flag}");
    }
    write!(io::stderr(), "{prompt}: ")?;
    read_line()
}

/// The same, or a line that somebody has put into a pipe.
pub(crate) fn ask_or_read(prompt: &str, flag: &str) -> Result<String> {
    if !io::stdin().is_terminal() {
        let answer = read_line()?;
        if !answer.is_empty() {
            return Ok(answer);
        }
    }
    ask(prompt, flag)
}

/// One line that is not shown.
pub(crate) fn ask_secretly(prompt: &str) -> Result<String> {
    if !io::stdin().is_terminal() {
        bail!("standard input is no terminal to ask on; use --password-stdin");
    }
    write!(io::stderr(), "{prompt}: ")?;
    let hidden = Hidden::new()?;
    let line = read_line();
    drop(hidden);
    writeln!(io::stderr())?;
    line
}

/// The first line of standard input.
pub(crate) fn read_line() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("standard input")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> Result<Hidden> {
        let before = tcgetattr(io::stdin()).context("tcgetattr(0)")?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).context("tcsetattr(0)")?;
        Ok(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // There is nothing better to do.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// The terminal passes on every key as it is until this is dropped.
pub(crate) struct Raw(Termios);

impl Raw {
    pub(crate) fn begin() -> Result<Raw> {
        let before = tcgetattr(io::stdin()).context("tcgetattr(0)")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw).context("tcsetattr(0)")?;
        Ok(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
