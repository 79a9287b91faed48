//! Sockets at `::1`.

use crate::port::{Port, Protocol};
use crate::reservation::allow_others;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::net::listen;

/// So many connections wait to be taken; the kernel has a limit of its own (`somaxconn`).
const WAITING: i32 = 4096;

/// A socket at `::1`, bound to a published port, and where what comes there goes.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: OwnedFd,
    pub(super) protocol: Protocol,
    /// That of the container.
    pub(super) port: u16,
    /// One that is bound to the same port at all addresses, so that nobody else is.
    everywhere: Option<OwnedFd>,
}

impl Listener {
    /// From now on nobody else can be bound to the port.
    pub(crate) fn new(
        socket: OwnedFd,
        everywhere: Option<OwnedFd>,
        port: &Port,
    ) -> Result<Listener, sys::Error> {
        [Some(&socket), everywhere.as_ref()]
            .into_iter()
            .flatten()
            .try_for_each(|it| allow_others(it, false))?;
        let Port { protocol, container, .. } = *port;
        Ok(Listener { socket, protocol, port: container, everywhere })
    }

    /// Takes connections from now on.
    pub(super) fn open(&self) -> Result<(), sys::Error> {
        if self.protocol != Protocol::Tcp {
            return Ok(());
        }
        // listen(2) looks for others on the port once more. That this one allows them stays, for the
        // remains of its connections, and means nothing to others now that it listens.
        let everywhere = self.everywhere.as_ref();
        everywhere.map_or(Ok(()), |it| allow_others(it, true))?;
        allow_others(&self.socket, true)?;
        let listening = listen(&self.socket, WAITING).or_error("listen", || "::1");
        everywhere.map_or(Ok(()), |it| allow_others(it, false))?;
        listening
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
