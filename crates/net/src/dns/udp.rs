//! Questions over UDP that other servers are asked.

use super::message::{LONGEST, SERVER_FAILURE, code, failure, id, is_answer, set_id, truncated};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use sys::rustix::rand::{GetRandomFlags, getrandom};

/// How long to wait for one server. Programs wait 5 s in all, so that two others can be tried.
const PATIENCE: Duration = Duration::from_millis(1600);
/// How often to ask in all.
const TRIES: usize = 4;
/// `NOERROR` and `NXDOMAIN`: the answers that another server would give, too.
const FINAL: [u8; 2] = [0, super::message::NAME_ERROR];

/// A question that waits for the answer of a server.
#[derive(Debug)]
pub(super) struct Forwarded {
    pub(super) client: SocketAddr,
    /// One for each try, so that its port is hard to guess.
    pub(super) socket: UdpSocket,
    pub(super) deadline: Instant,
    /// With a number of our own.
    query: Vec<u8>,
    /// The number that the client has given it.
    id: [u8; 2],
    /// How long the answer may be.
    limit: usize,
    servers: Vec<SocketAddr>,
    tries: usize,
    /// An answer that says that this server does not know.
    failure: Option<Vec<u8>>,
}

/// What came.
pub(super) enum Heard {
    /// Something else.
    Nothing,
    /// The answer for the client.
    Answer(Vec<u8>),
    /// This server does not know; another one may.
    Failure,
}

impl Forwarded {
    /// Asks the first server that can be asked; none if there is none.
    pub(super) fn start(
        query: &[u8],
        limit: usize,
        client: SocketAddr,
        servers: Vec<SocketAddr>,
        now: Instant,
    ) -> Option<Forwarded> {
        let mut forwarded = Forwarded {
            client,
            socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?,
            deadline: now,
            query: query.to_vec(),
            id: id(query),
            limit,
            servers,
            tries: 0,
            failure: None,
        };
        forwarded.ask_the_next(now).then_some(forwarded)
    }

    /// Asks the next server; false if all were asked often enough.
    pub(super) fn ask_the_next(&mut self, now: Instant) -> bool {
        let count = self.servers.len();
        while self.tries < TRIES.min(2 * count) {
            let server = self.servers[self.tries % count];
            self.tries += 1;
            if self.ask(server).is_ok() {
                self.deadline = now + PATIENCE;
                return true;
            }
        }
        false
    }

    fn ask(&mut self, server: SocketAddr) -> io::Result<()> {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // Connected, so that only this server is heard, and that a refusal is.
        self.socket = UdpSocket::bind((any, 0))?;
        self.socket.set_nonblocking(true)?;
        self.socket.connect(server)?;
        set_id(&mut self.query, random_id()?);
        self.socket.send(&self.query).map(drop)
    }

    pub(super) fn receive(&mut self) -> Heard {
        let mut buffer = [0; LONGEST];
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
            Err(_) => return Heard::Failure,
        };
        let answer = &mut buffer[..length];
        // Anything else is a late or a forged one.
        if !is_answer(&self.query, answer) {
            return Heard::Nothing;
        }
        let mut answer = if length > self.limit || length == LONGEST {
            truncated(&self.query)
        } else {
            answer.to_vec()
        };
        set_id(&mut answer, self.id);
        if FINAL.contains(&code(&answer)) {
            return Heard::Answer(answer);
        }
        self.failure = Some(answer);
        Heard::Failure
    }

    /// The answer when no server knows.
    pub(super) fn give_up(&self) -> Vec<u8> {
        let mut answer =
            self.failure.clone().unwrap_or_else(|| failure(&self.query, SERVER_FAILURE));
        set_id(&mut answer, self.id);
        answer
    }
}

fn random_id() -> io::Result<[u8; 2]> {
    let mut id = [0; 2];
    getrandom(&mut id, GetRandomFlags::empty())?;
    Ok(id)
}
