//! A pseudo-terminal with a program on it: type, and read what appears.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::commands::{Daemon, wait_until};

/// Has a shell print the size of its terminal, once it has one: some clients tell it late. `stty` of
/// busybox prints nothing about a terminal without size, and ends with 0.
pub(crate) const SIZE: &str =
    "until size=$(stty size 2>/dev/null) && [ \"$size\" ]; do sleep 0.1; done; echo $size\r";

/// Has a shell run a program that has the terminal for long, and says when it has: a key typed too
/// early would be for the shell. What it says is not in the line that is typed.
pub(crate) const BUSY: &str =
    r#"sh -c 'trap "echo goes\ on" CONT; echo star\ted; while :; do sleep 1; done'"#;

/// A program whose standard streams are a terminal that this test holds the other end of.
pub(crate) struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<String>>,
    program: Daemon,
}

impl Terminal {
    /// Starts `command` on a new terminal of 80 columns and 24 rows.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags).context("open a pseudo-terminal")?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(&ours, flags)?;
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&theirs, size)?;
        command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
        let program = Daemon::start(command)?;
        let keyboard = File::from(ours);
        let screen = Arc::<Mutex<String>>::default();
        let (mut from, to) = (keyboard.try_clone()?, Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                if let Ok(mut screen) = to.lock() {
                    screen.push_str(&text);
                }
            }
        });
        Ok(Self { keyboard, screen, program })
    }

    /// Types `keys`, and waits until `expected` appears after what was there before.
    pub(crate) fn type_and_expect(&mut self, keys: &str, expected: &str) -> Result<()> {
        let seen = self.screen().len();
        self.keyboard.write_all(keys.as_bytes())?;
        wait_until(&format!("{expected:?} appears"), || {
            Ok(self.screen().get(seen..).is_some_and(|new| new.contains(expected)))
        })
        .with_context(|| format!("after typing {keys:?}, the screen is {:?}", self.screen()))
    }

    /// Types `keys`, after which the program ends; returns its exit code.
    pub(crate) fn type_and_wait(mut self, keys: &str) -> Result<Option<i32>> {
        self.keyboard.write_all(keys.as_bytes())?;
        let code = self.program.wait();
        code.with_context(|| format!("after typing {keys:?}, the screen is {:?}", self.screen()))
    }

    fn screen(&self) -> String {
        self.screen.lock().map(|screen| screen.clone()).unwrap_or_default()
    }
}
