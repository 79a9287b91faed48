//! A connection: TCP, TLS over TCP, or either through a proxy.

use rustls::{ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use sys::rustix::io::Errno;
use sys::rustix::net::{RecvFlags, recv};

/// What bytes go through.
trait Duplex: Read + Write + Send {}

impl<T: Read + Write + Send> Duplex for T {}

/// A connection to a server.
pub(super) struct Stream {
    /// The socket at the bottom, for its options.
    socket: TcpStream,
    layers: Box<dyn Duplex>,
}

impl Stream {
    /// Bytes as they are.
    pub(super) fn plain(socket: TcpStream) -> io::Result<Stream> {
        let layers = Box::new(socket.try_clone()?);
        Ok(Stream { socket, layers })
    }

    /// The same connection within TLS; the handshake follows with the first byte.
    pub(super) fn within(self, tls: ClientConnection) -> Stream {
        Stream { socket: self.socket, layers: Box::new(StreamOwned::new(tls, self.layers)) }
    }

    /// How long a read and a write may wait.
    pub(super) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        // Zero would mean for ever.
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        self.socket.set_read_timeout(timeout)?;
        self.socket.set_write_timeout(timeout)
    }

    /// Whether an idle connection has been closed, or has bytes that nobody asked for. (Session
    /// tickets of TLS 1.3 arrive with the first response, and are read with it.)
    pub(super) fn is_stale(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !matches!(recv(&self.socket, &mut [0; 1], flags), Err(Errno::AGAIN))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.layers.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.layers.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.layers.flush()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").field("socket", &self.socket).finish_non_exhaustive()
    }
}
