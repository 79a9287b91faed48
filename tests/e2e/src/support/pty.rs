//! A pseudo-terminal, and typing on it.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::until;

/// The side of the keyboard and screen.
pub(crate) struct Pty {
    master: std::fs::File,
    /// All that was shown so far.
    screen: String,
}

impl Pty {
    /// The two ends: this one, and the one for [`super::Launch::terminal`].
    pub(crate) fn open() -> Result<(Self, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).context("/dev/ptmx")?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = open(name.as_c_str(), flags, Mode::empty())?;
        fcntl_setfl(&master, OFlags::NONBLOCK)?;
        Ok((Self { master: master.into(), screen: String::new() }, slave))
    }

    /// Types text; `\x03` is Ctrl-C, `\x1a` Ctrl-Z, `\x1c` Ctrl-\.
    pub(crate) fn type_text(&mut self, text: &str) -> Result<()> {
        self.master.write_all(text.as_bytes()).context("typing")
    }

    /// The foreground process group of the terminal.
    pub(crate) fn foreground(&self) -> i32 {
        let group = rustix::termios::tcgetpgrp(&self.master);
        group.map_or(0, |group| group.as_raw_nonzero().get())
    }

    /// Waits until `text` is shown after what earlier calls have found, and takes it off.
    pub(crate) fn see(&mut self, text: &str) -> Result<String> {
        let shown = until("the screen shows the text", || {
            self.look();
            self.screen.contains(text)
        });
        let Some(position) = self.screen.find(text).filter(|_| shown.is_ok()) else {
            bail!("waited in vain for {text:?} on the screen, which shows {:?}", self.screen);
        };
        let rest = self.screen.split_off(position + text.len());
        Ok(std::mem::replace(&mut self.screen, rest))
    }

    /// What is shown and not taken off by [`Self::see`].
    pub(crate) fn screen(&mut self) -> &str {
        self.look();
        &self.screen
    }

    fn look(&mut self) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = self.master.read(&mut bytes) {
            self.screen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }
}
