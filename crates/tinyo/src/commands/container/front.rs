//! In front of a container: what is typed goes in, what it prints comes out, signals are passed
//! on.

use crate::terminal::Raw;
use anyhow::{Context as _, Result, bail};
use engine::{Client, Container, Engine, Heard, Stream};
use std::os::fd::BorrowedFd;
use std::str::FromStr;
use sys::rustix::event::{PollFd, PollFlags, poll};
use sys::rustix::io::{Errno, read, write};
use sys::rustix::stdio;
use sys::rustix::termios::{isatty, tcgetwinsize};
use sys::signal::{SIGCHLD, SIGWINCH, Signals};

/// Docker's.
pub(crate) const DETACH_KEYS: &str = "ctrl-p,ctrl-q";

/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;

/// Keys that are typed one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys(Vec<u8>);

impl FromStr for Keys {
    type Err = String;

    fn from_str(text: &str) -> Result<Keys, String> {
        let key = |text: &str| {
            let name = text.to_ascii_lowercase();
            match (name.strip_prefix("ctrl-").map(str::as_bytes), text.as_bytes()) {
                (Some(&[letter @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')]), _) => {
                    Ok(letter.to_ascii_uppercase() & 0x1f)
                }
                (None, &[key]) => Ok(key),
                _ => Err(format!("{text:?} is no key: write a, or ctrl-a")),
            }
        };
        let keys = text.split(',').filter(|key| !key.is_empty());
        Ok(Keys(keys.map(key).collect::<Result<_, _>>()?))
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The container has, with this exit code.
    Ended(u8),
    /// It was left alone.
    Detached,
}

/// A process in front of a container.
pub(crate) struct Front {
    signals: Signals,
    tty: bool,
    input: bool,
    pass_signals: bool,
}

/// A terminal needs one on this side, too.
pub(crate) fn check_terminal() -> Result<()> {
    if !isatty(stdio::stdin()) {
        bail!("the input device is not a TTY: leave out -t, or give it a terminal");
    }
    Ok(())
}

impl Front {
    /// To be called before the container is started, so that no signal is lost.
    pub(crate) fn begin(tty: bool, input: bool, pass_signals: bool) -> Result<Front> {
        let signals = Signals::block_all().context("signalfd")?;
        Ok(Front { signals, tty, input, pass_signals })
    }

    /// Stays until the container ends or is left alone.
    pub(crate) fn stay(
        self,
        engine: &Engine,
        container: &Container,
        mut client: Client,
        keys: &Keys,
    ) -> Result<Outcome> {
        let is_terminal = self.tty && isatty(stdio::stdin());
        let raw = if is_terminal && self.input { Some(Raw::begin()?) } else { None };
        if is_terminal {
            resize(&client)?;
        }
        let mut input = Input::new(self.input, if self.tty { keys.0.clone() } else { Vec::new() });
        let outcome = loop {
            let [signal, output, writable, typed] = self.wait(&client, &input)?;
            if signal {
                self.take_signals(engine, container, &client, is_terminal)?;
            }
            if typed {
                input.read();
            }
            if writable {
                input.send(&client)?;
            }
            if input.is_detached {
                break Outcome::Detached;
            }
            if output {
                match client.hear()? {
                    Heard::Output(stream, bytes) => print(stream, bytes)?,
                    Heard::Exit(code) => break Outcome::Ended(code),
                    Heard::Gone => {
                        drop(raw);
                        // Its monitor was killed: what became of the container?
                        return match engine.look(container) {
                            Ok(seen) => Ok(Outcome::Ended(seen.state.exit_code)),
                            // With it goes what was to be removed.
                            Err(engine::Error::NoSuchContainer(_)) => Ok(Outcome::Ended(137)),
                            Err(error) => Err(error.into()),
                        };
                    }
                }
            }
        };
        drop(raw);
        Ok(outcome)
    }

    /// Whether there is a signal, something from the monitor, room for what was typed, something
    /// typed.
    fn wait(&self, client: &Client, input: &Input) -> Result<[bool; 4]> {
        let mut socket = PollFlags::IN;
        socket.set(PollFlags::OUT, input.has_news());
        let mut polled =
            vec![PollFd::new(&self.signals, PollFlags::IN), PollFd::new(client, socket)];
        if input.wants_more() {
            polled.push(PollFd::from_borrowed_fd(stdio::stdin(), PollFlags::IN));
        }
        match poll(&mut polled, None) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok([false; 4]),
            Err(errno) => return Err(errno).context("poll"),
        }
        let ready =
            |index: usize| polled.get(index).map(PollFd::revents).unwrap_or(PollFlags::empty());
        Ok([
            !ready(0).is_empty(),
            ready(1).intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
            ready(1).contains(PollFlags::OUT),
            !ready(2).is_empty(),
        ])
    }

    fn take_signals(
        &self,
        engine: &Engine,
        container: &Container,
        client: &Client,
        is_terminal: bool,
    ) -> Result<()> {
        while let Some(signal) = self.signals.next().context("signalfd")? {
            match signal {
                SIGCHLD => {}
                SIGWINCH if is_terminal => resize(client)?,
                SIGWINCH => {}
                // It may have ended meanwhile.
                _ if self.pass_signals => drop(engine.kill(container, signal)),
                // As if it had not been blocked.
                _ => bail!("ended by signal {signal}; the container goes on"),
            }
        }
        Ok(())
    }
}

fn resize(client: &Client) -> Result<()> {
    if let Ok(size) = tcgetwinsize(stdio::stdin()) {
        client.resize(size.ws_row, size.ws_col)?;
    }
    Ok(())
}

/// What is typed.
struct Input {
    open: bool,
    /// Read, but not sent yet.
    waiting: Vec<u8>,
    /// The end was not told yet.
    end_waits: bool,
    keys: Vec<u8>,
    /// How many of the keys were typed so far.
    matched: usize,
    is_detached: bool,
}

impl Input {
    fn new(open: bool, keys: Vec<u8>) -> Input {
        let (waiting, end_waits, matched, is_detached) = (Vec::new(), false, 0, false);
        Input { open, waiting, end_waits, keys, matched, is_detached }
    }

    fn wants_more(&self) -> bool {
        self.open && self.waiting.is_empty()
    }

    fn has_news(&self) -> bool {
        !self.waiting.is_empty() || self.end_waits
    }

    fn read(&mut self) {
        let mut buffer = vec![0; CHUNK];
        match read(stdio::stdin(), &mut buffer) {
            Ok(0) => (self.open, self.end_waits) = (false, true),
            Ok(length) => self.take(&buffer[..length]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => (self.open, self.end_waits) = (false, true),
        }
    }

    /// Keys that might be the beginning of those that leave are kept back.
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.keys.get(self.matched) == Some(byte) {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    self.is_detached = true;
                    return;
                }
                continue;
            }
            self.waiting.extend_from_slice(&self.keys[..self.matched]);
            self.matched = usize::from(self.keys.first() == Some(byte));
            if self.matched == 0 {
                self.waiting.push(*byte);
            }
        }
    }

    fn send(&mut self, client: &Client) -> Result<()> {
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            client.type_in(&waiting)?;
        } else if self.end_waits {
            self.end_waits = false;
            client.end_input()?;
        }
        Ok(())
    }
}

/// What the container prints, at once.
pub(crate) fn print(stream: Stream, bytes: &[u8]) -> Result<()> {
    let (to, name): (BorrowedFd<'_>, _) = match stream {
        Stream::Output => (stdio::stdout(), "standard output"),
        Stream::Error => (stdio::stderr(), "standard error"),
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(to, rest) {
            Ok(length) => rest = &rest[length..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None).context("poll")?;
            }
            Err(errno) => return Err(errno).context(name),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Input, Keys};

    fn keys(text: &str) -> Vec<u8> {
        text.parse::<Keys>().unwrap().0
    }

    #[test]
    fn keys_as_docker_writes_them() {
        assert_eq!(keys("ctrl-p,ctrl-q"), [16, 17]);
        assert_eq!(keys("a,ctrl-["), [b'a', 27]);
        assert!(keys("").is_empty());
        assert!("ctrl-".parse::<Keys>().is_err() && "ab".parse::<Keys>().is_err());
    }

    #[test]
    fn keys_that_begin_alike_are_typed_after_all() {
        let mut input = Input::new(true, keys("ctrl-p,ctrl-q"));
        input.take(b"a\x10");
        assert_eq!(input.waiting, b"a");
        input.take(b"b\x10\x10");
        assert_eq!((input.waiting.as_slice(), input.is_detached), (&b"a\x10b\x10"[..], false));
        input.take(b"\x11x");
        assert!(input.is_detached);
    }
}
