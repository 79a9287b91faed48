//! In front of a container: what is typed goes in, what it prints comes out, signals are passed
//! on.

use crate::advice::Told;
use crate::terminal::Raw;
use anyhow::{Context as _, Result, bail};
use engine::{Client, Container, Engine, Heard, Keys, Outcome, Stream};
use std::os::fd::BorrowedFd;
use std::process::ExitCode;
use sys::rustix::event::{PollFd, PollFlags, poll};
use sys::rustix::io::{Errno, read, write};
use sys::rustix::stdio;
use sys::rustix::termios::{isatty, tcgetwinsize};
use sys::signal::{SIGCHLD, SIGWINCH, Signals};

/// Docker's.
pub(crate) const DETACH_KEYS: &str = "ctrl-p,ctrl-q";

/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;

/// How it gets at what is typed, and what it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) input: bool,
    pub(crate) output: bool,
    pub(crate) error: bool,
}

impl Streams {
    /// All that is printed.
    pub(crate) fn all(input: bool) -> Streams {
        Streams { input, output: true, error: true }
    }

    /// It only types.
    pub(crate) fn are_silent(self) -> bool {
        !self.output && !self.error
    }
}

/// A process in front of a container.
pub(crate) struct Front {
    signals: Signals,
    tty: bool,
    streams: Streams,
    pass_signals: bool,
}

/// With which exit code a command ends that was in front of something.
pub(crate) fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Ended(code) => ExitCode::from(code),
        Outcome::Detached => ExitCode::SUCCESS,
    }
}

/// What the terminal shows next is not to stand behind the container's last words.
pub(crate) fn new_line() -> Result<()> {
    if isatty(stdio::stdout()) { print(Stream::Output, b"\n") } else { Ok(()) }
}

/// A terminal needs one on this side, too.
pub(crate) fn check_terminal() -> Result<()> {
    if !isatty(stdio::stdin()) {
        return Err(Told {
            text: "the input device is not a TTY".to_owned(),
            hint: Some("leave out -t, or give it a terminal"),
            // As with Docker, which has not asked its daemon yet.
            code: Some(1),
        }
        .into());
    }
    Ok(())
}

impl Front {
    /// To be called before the container is started, so that no signal is lost.
    pub(crate) fn begin(tty: bool, streams: Streams, pass_signals: bool) -> Result<Front> {
        let signals = Signals::block_all().context("signalfd")?;
        Ok(Front { signals, tty, streams, pass_signals })
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
        let raw = if is_terminal && self.streams.input { Some(Raw::begin()?) } else { None };
        if is_terminal {
            resize(&client)?;
        }
        let keys = if self.tty { keys.clone() } else { Keys::default() };
        let mut input = Input::new(self.streams.input, keys);
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
            // As with Docker, who sees nothing of it does not wait for its end.
            if input.is_detached || self.streams.are_silent() && input.is_over() {
                break Outcome::Detached;
            }
            if output {
                match client.hear()? {
                    Heard::Output(Stream::Output, bytes) if self.streams.output => {
                        print(Stream::Output, bytes)?;
                    }
                    Heard::Output(Stream::Error, bytes) if self.streams.error => {
                        print(Stream::Error, bytes)?;
                    }
                    Heard::Output(..) => {}
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
        let was_raw = raw.is_some();
        drop(raw);
        if was_raw && outcome == Outcome::Detached {
            new_line()?;
        }
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

/// Rows and columns of the caller's terminal, where the container has one, too.
pub(crate) fn size(tty: bool) -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdio::stdin()).ok().filter(|_| tty)?;
    Some((size.ws_row, size.ws_col))
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
    keys: Keys,
    is_detached: bool,
}

impl Input {
    fn new(open: bool, keys: Keys) -> Input {
        Input { open, waiting: Vec::new(), end_waits: false, keys, is_detached: false }
    }

    /// Nothing more is to be sent.
    fn is_over(&self) -> bool {
        !self.open && !self.has_news()
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
            Ok(length) => match self.keys.pass(&buffer[..length]) {
                Some(bytes) => self.waiting = bytes,
                None => self.is_detached = true,
            },
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => (self.open, self.end_waits) = (false, true),
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
