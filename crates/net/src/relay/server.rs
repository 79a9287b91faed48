//! The loop of a relay.

use super::Socket;
use super::datagrams::{Datagrams, MOST_CLIENTS};
use super::stream::{Connection, Ready};
use crate::Error;
use crate::error::concerns_one;
use crate::port::Protocol;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};
use sys::OrError;
use sys::rustix::buffer::spare_capacity;
use sys::rustix::event::Timespec;
use sys::rustix::event::epoll::{self, EventFlags};
use sys::rustix::io::Errno;
use sys::rustix::process::{Resource, getrlimit};

/// So many connections are passed on at a time, if this process may have the descriptors; others
/// wait until one of these ends.
const MOST: u64 = 1024;

/// It ends when nobody has been there for so long.
const IDLE: Duration = Duration::from_secs(10);

/// After a connection could not be taken, the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// So much is read at once.
const CHUNK: usize = 64 * 1024;

/// What epoll tells: a socket of the first, then two for each connection or client. The low bit of
/// these says which end of a connection it is.
const FIRST: u64 = 1 << 32;

/// Passes on connections and datagrams.
pub(super) struct Server {
    epoll: OwnedFd,
    listeners: Vec<Listening>,
    targets: Vec<IpAddr>,
    connections: BTreeMap<u64, Connection>,
    datagrams: Datagrams,
    next: u64,
    most: usize,
    /// Connections are taken again from then on.
    paused: Option<Instant>,
    /// Whether the sockets that listen are watched.
    is_taking: bool,
    buffer: Vec<u8>,
}

enum Listening {
    Tcp(TcpListener, u16),
    Udp(Rc<UdpSocket>, u16),
}

impl AsFd for Listening {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Listening::Tcp(socket, _) => socket.as_fd(),
            Listening::Udp(socket, _) => socket.as_fd(),
        }
    }
}

impl Server {
    pub(super) fn new(sockets: Vec<Socket>, targets: Vec<IpAddr>) -> Result<Server, Error> {
        let failed = || Error::doing("serve [::1]");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .or_error("epoll_create1", || "EPOLL_CLOEXEC")
            .map_err(failed())?;
        let listening = |(socket, protocol, port): Socket| {
            let listening = match protocol {
                Protocol::Tcp => Listening::Tcp(socket.into(), port),
                _ => Listening::Udp(Rc::new(socket.into()), port),
            };
            let set = match &listening {
                Listening::Tcp(socket, _) => socket.set_nonblocking(true),
                Listening::Udp(socket, _) => socket.set_nonblocking(true),
            };
            set.map(|()| listening)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
                .or_error("ioctl", || "FIONBIO")
        };
        let listeners: Vec<Listening> =
            sockets.into_iter().map(listening).collect::<Result<_, _>>().map_err(failed())?;
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let clients = usize::try_from(descriptors / 4).unwrap_or(MOST_CLIENTS).min(MOST_CLIENTS);
        // Less the sockets, the clients that send datagrams, and what a process has anyway.
        let others = u64::try_from(listeners.len() + clients + 16).unwrap_or(u64::MAX);
        let most = (descriptors.saturating_sub(others) / 2).clamp(16, MOST);
        Ok(Server {
            epoll,
            listeners,
            targets,
            connections: BTreeMap::new(),
            datagrams: Datagrams::new(clients),
            next: FIRST,
            most: usize::try_from(most).unwrap_or(16),
            paused: None,
            is_taking: false,
            buffer: vec![0; CHUNK],
        })
    }

    /// Serves until nobody has been there for a while.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let all = (0..).zip(&self.listeners);
        for (number, socket) in all.filter(|(_, it)| matches!(it, Listening::Udp(..))) {
            watch(&self.epoll, socket, number).map_err(Error::doing("serve [::1]"))?;
        }
        loop {
            if !self.turn().map_err(Error::doing("serve [::1]"))? {
                return Ok(());
            }
        }
    }

    /// Waits for what there is to do, and does it. False if nobody is there any more.
    fn turn(&mut self) -> Result<bool, sys::Error> {
        self.watch_listeners()?;
        let is_idle = self.connections.is_empty() && self.datagrams.is_empty();
        // Clients that send datagrams never say that they have gone.
        let mut timeout = (is_idle || !self.datagrams.is_empty()).then_some(IDLE);
        if let Some(at) = self.paused {
            timeout = Some(at.saturating_duration_since(Instant::now()));
        }
        let timeout = timeout.and_then(|it| Timespec::try_from(it).ok());
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Ok(0) if is_idle && self.paused.is_none() => return Ok(false),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("epoll_wait", "", errno)),
        }
        for event in events {
            let (data, flags) = (event.data.u64(), event.flags);
            if data < FIRST {
                self.take(usize::try_from(data).unwrap_or(usize::MAX));
            } else if self.connections.contains_key(&(data & !1)) {
                self.pass(data, flags);
            } else {
                self.datagrams.answer(data, &mut self.buffer);
            }
        }
        self.datagrams.sweep(Instant::now());
        Ok(true)
    }

    /// Sockets that take connections are watched while what comes can be taken. Datagrams always can.
    fn watch_listeners(&mut self) -> Result<(), sys::Error> {
        self.paused = self.paused.filter(|at| *at > Instant::now());
        let is_taking = self.paused.is_none() && self.connections.len() < self.most;
        if is_taking == self.is_taking {
            return Ok(());
        }
        self.is_taking = is_taking;
        let all = (0..).zip(&self.listeners);
        for (number, listening) in all.filter(|(_, it)| matches!(it, Listening::Tcp(..))) {
            if is_taking {
                watch(&self.epoll, listening, number)?;
            } else {
                epoll::delete(&self.epoll, listening)
                    .or_error("epoll_ctl", || "EPOLL_CTL_DEL, a socket that listens")?;
            }
        }
        Ok(())
    }

    /// Takes what has come to a socket.
    fn take(&mut self, number: usize) {
        let id = self.next;
        let Some(listening) = self.listeners.get(number) else { return };
        let (Listening::Tcp(_, port) | Listening::Udp(_, port)) = listening;
        let mut targets = self.targets.iter().map(|it| SocketAddr::new(*it, *port));
        match listening {
            Listening::Udp(socket, _) => {
                // Who has the first address has it for UDP, where nobody says that he is not there.
                let Some(target) = targets.next() else {
                    // Nobody is to have it.
                    let _ = socket.recv_from(&mut self.buffer);
                    return;
                };
                let (epoll, buffer) = (&self.epoll, &mut self.buffer);
                let used = self.datagrams.pass(socket, number, target, (epoll, id), buffer);
                self.next += if used { 2 } else { 0 };
            }
            Listening::Tcp(socket, _) => match socket.accept() {
                Ok((client, _)) => {
                    self.next += 2;
                    let targets = targets.collect();
                    if let Some(connection) = Connection::new(client, targets, &self.epoll, id) {
                        self.connections.insert(id, connection);
                    }
                }
                Err(error) if concerns_one(&error) => {}
                // No descriptor, no memory.
                Err(_) => self.paused = Some(Instant::now() + PAUSE),
            },
        }
    }

    /// Something can be done about a connection.
    fn pass(&mut self, data: u64, flags: EventFlags) {
        let id = data & !1;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let end = usize::from(data & 1 == 1);
        match connection.ready(end, flags, &self.epoll, id, &mut self.buffer) {
            Ready::More => {}
            Ready::Over => drop(self.connections.remove(&id)),
        }
    }
}

fn watch(epoll: &OwnedFd, listening: &Listening, number: u64) -> Result<(), sys::Error> {
    epoll::add(epoll, listening, epoll::EventData::new_u64(number), EventFlags::IN)
        .or_error("epoll_ctl", || "EPOLL_CTL_ADD, a socket that listens")
}
