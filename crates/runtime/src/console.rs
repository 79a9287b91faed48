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
    Caller(Option<OwnedFd>),
}

impl Terminal {
    /// Connects to the console socket, before there is anything to undo.
    pub(crate) fn new(wanted: bool, socket: Option<&Path>, foreground: bool) -> Result<Terminal> {
        match (wanted, socket) {
            (false, None) => Ok(Terminal::None),
            (false, Some(_)) => Err(Error::Unsupported(
                "a console socket was given, but process.terminal is false: there is nothing to send".into(),
            )),
            (true, None) if foreground => Ok(Terminal::Caller(None)),
            (true, None) => Err(Error::Unsupported(
                "process.terminal is true: cannot allocate tty without a console socket; give \
                 --console-socket"
                    .into(),
            )),
            (true, Some(path)) => {
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
            Terminal::Caller(kept) => {
                // Before the program can ask for its size.
                terminal::resize_as_host(&master);
                *kept = Some(master);
            }
        }
        Ok(())
    }

    pub(crate) fn into_master(self) -> Option<OwnedFd> {
        match self {
            Terminal::Caller(master) => master,
            Terminal::None | Terminal::Socket(_) => None,
        }
    }
}
