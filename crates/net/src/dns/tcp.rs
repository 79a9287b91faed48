//! Clients that ask over TCP, where each message has its length in front (RFC 1035, 4.2.2).

use super::message::{SERVER_FAILURE, failure, is_answer};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use sys::rustix::io::Errno;
use sys::rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

/// How long a client may be silent, or be slow to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one server may take.
const PATIENCE_WITH_SERVER: Duration = Duration::from_secs(3);

/// A client. It gets one answer after the other.
#[derive(Debug)]
pub(super) struct Client {
    stream: Stream,
    server: Option<Server>,
    pub(super) deadline: Instant,
}

/// A server that is asked what a client has asked.
#[derive(Debug)]
struct Server {
    stream: Stream,
    query: Vec<u8>,
    /// Those to ask if it fails.
    others: Vec<SocketAddr>,
    /// Nothing more is awaited from it.
    is_late: bool,
}

/// A connection with what was read of the next message, and what is still to be written.
#[derive(Debug)]
struct Stream {
    stream: TcpStream,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
}

/// What a client gets: an answer, or that of one of these servers.
type Reply = Result<Vec<u8>, Vec<SocketAddr>>;

impl Client {
    pub(super) fn new(stream: TcpStream, now: Instant) -> Client {
        Client { stream: Stream::new(stream), server: None, deadline: now + PATIENCE }
    }

    /// Does what can be done without waiting: false when the client is done, or is to be.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        mut decide: impl FnMut(&[u8]) -> Option<Reply>,
        mut watch: impl FnMut(&TcpStream) -> bool,
    ) -> bool {
        loop {
            match self.stream.write() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
            if let Some(server) = &mut self.server {
                match server.exchange() {
                    Ok(None) => return true,
                    Ok(Some(answer)) => self.reply(&answer, now),
                    Err(_) => self.ask_the_next(now, &mut watch),
                }
                continue;
            }
            let query = match self.stream.read() {
                Ok(Some(query)) => query,
                Ok(None) => return true,
                Err(_) => return false,
            };
            match decide(&query) {
                None => return false,
                Some(Ok(answer)) => self.reply(&answer, now),
                Some(Err(servers)) => self.ask(query, servers, now, &mut watch),
            }
        }
    }

    /// Its time is over: true if it was a server's, and the client can go on.
    pub(super) fn give_up_on_server(&mut self) -> bool {
        self.server.as_mut().is_some_and(|server| {
            server.is_late = true;
            true
        })
    }

    fn reply(&mut self, answer: &[u8], now: Instant) {
        self.server = None;
        self.deadline = now + PATIENCE;
        self.stream.queue(answer);
    }

    fn ask_the_next(&mut self, now: Instant, watch: &mut impl FnMut(&TcpStream) -> bool) {
        if let Some(Server { query, others, .. }) = self.server.take() {
            self.ask(query, others, now, watch);
        }
    }

    /// Asks the first server that can be asked.
    fn ask(
        &mut self,
        query: Vec<u8>,
        servers: Vec<SocketAddr>,
        now: Instant,
        watch: &mut impl FnMut(&TcpStream) -> bool,
    ) {
        let mut others = servers.into_iter();
        while let Some(server) = others.next() {
            let Ok(stream) = connect_without_waiting(server) else { continue };
            if watch(&stream) {
                let mut stream = Stream::new(stream);
                stream.queue(&query);
                self.server =
                    Some(Server { stream, query, others: others.collect(), is_late: false });
                self.deadline = now + PATIENCE_WITH_SERVER;
                return;
            }
        }
        self.reply(&failure(&query, SERVER_FAILURE), now);
    }
}

impl Server {
    /// The answer, when it is there.
    fn exchange(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.is_late {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !self.stream.write()? {
            return Ok(None);
        }
        let answer = self.stream.read()?;
        match answer {
            Some(answer) if !is_answer(&self.query, &answer) => {
                Err(io::ErrorKind::InvalidData.into())
            }
            answer => Ok(answer),
        }
    }
}

impl Stream {
    fn new(stream: TcpStream) -> Stream {
        Stream { stream, inbound: Vec::new(), outbound: Vec::new() }
    }

    fn queue(&mut self, message: &[u8]) {
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        self.outbound.extend(length.to_be_bytes());
        self.outbound.extend(&message[..length.into()]);
    }

    /// Whether everything is written.
    fn write(&mut self) -> io::Result<bool> {
        while !self.outbound.is_empty() {
            match self.stream.write(&self.outbound) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => drop(self.outbound.drain(..length)),
                Err(error) if is_early(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The next message, when it is there.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let wanted = self.inbound.first_chunk().map_or(2, |it| 2 + length_of(*it));
            let missing = wanted.saturating_sub(self.inbound.len());
            if missing == 0 && wanted > 2 {
                let message = self.inbound.split_off(2);
                self.inbound.clear();
                return Ok(Some(message));
            }
            if missing == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut buffer = [0; 512];
            let part = &mut buffer[..missing.min(512)];
            match self.stream.read(part) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.inbound.extend(&buffer[..length]),
                Err(error) if is_early(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn length_of(bytes: [u8; 2]) -> usize {
    u16::from_be_bytes(bytes).into()
}

/// The connection is not made yet, or the other side is slow.
fn is_early(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn connect_without_waiting(server: SocketAddr) -> io::Result<TcpStream> {
    let family = match server {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(errno) => Err(errno.into()),
    }
}
