//! The caller's terminal in front of a container's.

use crate::error::Result;
use crate::keys::Keys;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags};
use sys::rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use sys::rustix::io::{Errno, read, write};
use sys::rustix::stdio;
use sys::rustix::termios::{
    OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// Bytes that are copied at once. A pipe that is ready takes as many without blocking.
const CHUNK: usize = 4096;

/// The terminal that the caller was started on, if one of its standard streams is one.
pub(crate) fn of_host() -> Option<BorrowedFd<'static>> {
    let streams = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
    streams.into_iter().find(|stream| isatty(stream))
}

/// Gives a container's terminal the size of the caller's, if there is one.
pub(crate) fn resize_as_host(master: &OwnedFd) {
    // One of them may be gone by now; then the size does not matter.
    if let Some(size) = of_host().and_then(|host| tcgetwinsize(host).ok()) {
        _ = tcsetwinsize(master, size);
    }
}

/// Where standard output is no terminal, lets a container's terminal end lines with a line feed
/// alone: a script that reads them wants nothing else. A terminal in front wants all that a program
/// has written, as it may have turned this off for itself.
pub(crate) fn print_as_to_file(master: &OwnedFd) -> Result<()> {
    if isatty(stdio::stdout()) {
        return Ok(());
    }
    let mut modes = tcgetattr(master).or_error("tcgetattr", || "the container's terminal")?;
    modes.output_modes.remove(OutputModes::ONLCR);
    tcsetattr(master, OptionalActions::Now, &modes)
        .or_error("tcsetattr", || "the container's terminal")?;
    Ok(())
}

/// The terminal whose keys the caller reads.
pub(crate) fn of_input() -> Option<BorrowedFd<'static>> {
    Some(stdio::stdin()).filter(|stream| isatty(stream))
}

/// A terminal that passes on every key as it is, until this is dropped.
#[derive(Debug)]
pub(crate) struct RawMode {
    terminal: BorrowedFd<'static>,
    before: Termios,
}

impl RawMode {
    pub(crate) fn begin(terminal: BorrowedFd<'static>) -> Result<RawMode> {
        let before = tcgetattr(terminal).or_error("tcgetattr", || "the terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(terminal, OptionalActions::Drain, &raw)
            .or_error("tcsetattr", || "the terminal")?;
        Ok(RawMode { terminal, before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing any more.
        _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// Copies standard input to a container's terminal, and what that prints to standard output. It
/// never waits for one of them while another has something.
#[derive(Debug)]
pub(crate) struct Relay {
    /// `None` once nobody has the other end open.
    master: Option<OwnedFd>,
    /// Whether standard input may have more.
    input_open: bool,
    /// Read, but not written to the master yet.
    typed: Vec<u8>,
    /// Read, but not written to standard output yet.
    printed: Vec<u8>,
    /// Those that leave the process alone.
    keys: Keys,
    /// They were typed.
    is_left: bool,
}

impl Relay {
    pub(crate) fn new(master: OwnedFd, keys: Keys) -> Result<Relay> {
        // This is our end alone, unlike the standard streams, which others share.
        let flags = fcntl_getfl(&master).or_error("fcntl", || "F_GETFL")?;
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).or_error("fcntl", || "F_SETFL")?;
        let (typed, printed) = (Vec::new(), Vec::new());
        let master = Some(master);
        Ok(Relay { master, input_open: true, typed, printed, keys, is_left: false })
    }

    /// Whether the keys were typed that leave the process alone.
    pub(crate) fn is_left(&self) -> bool {
        self.is_left
    }

    /// The container's terminal, for somebody else to look after.
    pub(crate) fn into_master(self) -> Option<OwnedFd> {
        self.master
    }

    /// Gives the container's terminal the size of the caller's.
    pub(crate) fn resize(&self) {
        self.master.iter().for_each(resize_as_host);
    }

    /// What to poll for at the moment.
    pub(crate) fn wanted(&self) -> Vec<(End, PollFd<'_>)> {
        let mut wanted = Vec::with_capacity(3);
        if !self.printed.is_empty() {
            wanted.push((End::Output, PollFd::from_borrowed_fd(stdio::stdout(), PollFlags::OUT)));
        }
        let Some(master) = &self.master else { return wanted };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.printed.is_empty());
        flags.set(PollFlags::OUT, !self.typed.is_empty());
        // An end that is not polled for must not be in the list: that it was hung up would be told
        // again and again.
        if !flags.is_empty() {
            wanted.push((End::Master, PollFd::new(master, flags)));
        }
        if self.input_open && self.typed.is_empty() {
            wanted.push((End::Input, PollFd::from_borrowed_fd(stdio::stdin(), PollFlags::IN)));
        }
        wanted
    }

    /// Copies what is ready at one end.
    pub(crate) fn copy(&mut self, ready: End) {
        match ready {
            End::Input => self.read_input(),
            End::Output => self.write_printed(),
            End::Master => {
                self.write_typed();
                self.read_master();
            }
        }
    }

    /// Prints what is left, when the process has ended.
    pub(crate) fn finish(mut self) {
        loop {
            while !self.printed.is_empty() {
                self.write_printed();
            }
            self.read_master();
            if self.printed.is_empty() {
                return;
            }
        }
    }

    fn read_input(&mut self) {
        match read_chunk(stdio::stdin()) {
            Chunk::Some(bytes) => match self.keys.pass(&bytes) {
                Some(bytes) => self.typed = bytes,
                None => self.is_left = true,
            },
            Chunk::NotNow => {}
            Chunk::End => self.input_open = false,
        }
    }

    fn read_master(&mut self) {
        let Some(master) = &self.master else { return };
        if !self.printed.is_empty() {
            return;
        }
        match read_chunk(master.as_fd()) {
            Chunk::Some(bytes) => self.printed = bytes,
            Chunk::NotNow => {}
            // EIO: nobody has the other end open any more.
            Chunk::End => self.master = None,
        }
    }

    fn write_typed(&mut self) {
        if let Some(master) = &self.master {
            write_some(master.as_fd(), &mut self.typed);
        }
    }

    fn write_printed(&mut self) {
        write_some(stdio::stdout(), &mut self.printed);
    }
}

/// One of the three that are copied between.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Input,
    Output,
    Master,
}

enum Chunk {
    Some(Vec<u8>),
    NotNow,
    End,
}

fn read_chunk(from: BorrowedFd<'_>) -> Chunk {
    let mut bytes = vec![0; CHUNK];
    match read(from, &mut bytes) {
        Ok(0) => Chunk::End,
        Ok(length) => {
            bytes.truncate(length);
            Chunk::Some(bytes)
        }
        Err(Errno::AGAIN | Errno::INTR) => Chunk::NotNow,
        Err(_) => Chunk::End,
    }
}

/// Writes what can be written; where nobody reads any more, the rest is dropped, so that the
/// container does not wait for ever.
fn write_some(to: BorrowedFd<'_>, bytes: &mut Vec<u8>) {
    match write(to, bytes) {
        Ok(length) => drop(bytes.drain(..length)),
        Err(Errno::AGAIN | Errno::INTR) => {}
        Err(_) => bytes.clear(),
    }
}
