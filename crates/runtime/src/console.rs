//! Where the master of a container's terminal goes.

use crate::error::{Error, Result};
use crate::handshake::send_with_descriptors;
use crate::notify::connect_to;
use crate::terminal;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Where it goes, if there is one.
#[derive(Debug)]
pub(crate) enum Terminal {
    /// There is none.
    None,
    /// To whoever listens here.
    Socket(OwnedFd),
    /// To the caller.
    Caller(Front, Option<OwnedFd>),
}

/// A caller that stays, and shows what a terminal prints.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) plain_lines: bool,
}

impl Terminal {
    /// Connects to the console socket, before there is anything to undo.
    pub(crate) fn new(
        wanted: bool,
        socket: Option<&Path>,
        front: Option<Front>,
    ) -> Result<Terminal> {
        match (wanted, socket, front) {
            (false, None, _) => Ok(Terminal::None),
            (false, Some(_), _) => Err(Error::Unsupported(
                "a console socket was given, but process.terminal is false: there is nothing to send".into(),
            )),
            (true, None, Some(front)) => Ok(Terminal::Caller(front, None)),
            (true, None, None) => Err(Error::Unsupported(
                "process.terminal is true: cannot allocate tty without a console socket; give \
                 --console-socket"
                    .into(),
            )),
            (true, Some(path), _) => {
                let error = |error| Error::File { what: "console socket", path: path.into(), error };
                connect_to(path).map(Terminal::Socket).map_err(error)
            }
        }
    }

    /// The child has made the terminal.
    pub(crate) fn arrived(&mut self, master: OwnedFd) -> Result<()> {
        match self {
            Terminal::None => return Err(Error::Internal("a terminal nobody asked for")),
            // Callers take the message's text for the terminal's name.
            Terminal::Socket(socket) => {
                send_with_descriptors(socket.as_fd(), b"/dev/pts/ptmx", &[master.as_fd()])?;
            }
            Terminal::Caller(front, kept) => {
                // Before the program can ask for its size, and print anything.
                terminal::resize_as_host(&master);
                if front.plain_lines {
                    terminal::print_as_to_file(&master)?;
                }
                *kept = Some(master);
            }
        }
        Ok(())
    }

    pub(crate) fn into_master(self) -> Option<OwnedFd> {
        match self {
            Terminal::Caller(_, master) => master,
            Terminal::None | Terminal::Socket(_) => None,
        }
    }
}
