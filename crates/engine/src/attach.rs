//! The other side of a monitor's socket.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::Result;
use crate::protocol::{self, Message, Stream, hear, tell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::rustix::net::RecvFlags;

/// A connection to the monitor of a container.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// What a monitor says.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The program has printed something.
    Output(Stream, &'a [u8]),
    /// It has ended for good, with this exit code.
    Exit(u8),
    /// The monitor is gone without a word.
    Gone,
}

impl Client {
    pub(crate) fn new(socket: OwnedFd) -> Client {
        Client { socket, buffer: Vec::new() }
    }

    /// Asks for output from now on.
    ///
    /// # Errors
    /// A system call fails.
    pub fn attach(&self) -> Result<bool> {
        tell(&self.socket, &Message::Attach)
    }

    /// Types something. False if nobody is there any more.
    ///
    /// # Errors
    /// A system call fails.
    pub fn type_in(&self, bytes: &[u8]) -> Result<bool> {
        let mut chunks = bytes.chunks(protocol::CHUNK);
        chunks
            .try_fold(true, |there, chunk| Ok(there && tell(&self.socket, &Message::Input(chunk))?))
    }

    /// Nothing more is typed.
    ///
    /// # Errors
    /// A system call fails.
    pub fn end_input(&self) -> Result<bool> {
        tell(&self.socket, &Message::InputEnd)
    }

    /// Says how large the terminal is.
    ///
    /// # Errors
    /// A system call fails.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<bool> {
        tell(&self.socket, &Message::Resize(rows, columns))
    }

    pub(crate) fn quit(&self) -> Result<bool> {
        tell(&self.socket, &Message::Quit)
    }

    /// Has the log opened anew, which somebody has renamed.
    ///
    /// # Errors
    /// A system call fails.
    pub fn reopen_log(&self) -> Result<bool> {
        tell(&self.socket, &Message::ReopenLog)
    }

    /// Waits for what the monitor says next.
    ///
    /// # Errors
    /// A system call fails.
    pub fn hear(&mut self) -> Result<Heard<'_>> {
        loop {
            // What is said at the start is no news.
            match hear(&self.socket, &mut self.buffer, RecvFlags::PEEK) {
                Ok(Some(Message::Output(..) | Message::Exit(_)) | None) => break,
                Ok(Some(_)) => {
                    let _ = hear(&self.socket, &mut self.buffer, RecvFlags::empty());
                }
                Err(errno) => return Err(failed(errno)),
            }
        }
        match hear(&self.socket, &mut self.buffer, RecvFlags::empty()) {
            Ok(Some(Message::Output(stream, bytes))) => Ok(Heard::Output(stream, bytes)),
            Ok(Some(Message::Exit(code))) => Ok(Heard::Exit(code)),
            Ok(_) => Ok(Heard::Gone),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Waits until the container has ended for good. Nothing if the monitor is gone without a word.
    ///
    /// # Errors
    /// A system call fails.
    pub fn wait(&mut self) -> Result<Option<u8>> {
        loop {
            match self.hear()? {
                Heard::Output(..) => {}
                Heard::Exit(code) => return Ok(Some(code)),
                Heard::Gone => return Ok(None),
            }
        }
    }
}

fn failed(errno: sys::rustix::io::Errno) -> crate::error::Error {
    sys::Error::new("recv", "the monitor", errno).into()
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Engine {
    /// Connects to the monitor of a container. Nothing if it has none.
    ///
    /// # Errors
    /// A system call fails.
    pub fn connect(&self, container: &Container) -> Result<Option<Client>> {
        Ok(protocol::connect_to(&self.folders.socket(&container.id))?.map(Client::new))
    }

    /// Waits until a container has ended for good, and returns its exit code.
    ///
    /// # Errors
    /// Its files cannot be read.
    pub fn wait(&self, container: &Container) -> Result<u8> {
        if let Some(mut client) = self.connect(container)?
            && let Some(code) = client.wait()?
        {
            return Ok(code);
        }
        loop {
            let seen = self.look(container)?;
            if !seen.status.is_running() {
                return Ok(seen.state.exit_code);
            }
            // It was healed, and runs again.
            if let Some(mut client) = self.connect(container)?
                && let Some(code) = client.wait()?
            {
                return Ok(code);
            }
        }
    }
}
