//! One connection that is passed on: what one end says goes to the other, and so does its end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;
use sys::rustix::event::epoll::{self, EventFlags};
use sys::rustix::io::Errno;
use sys::rustix::net::{
    AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt,
};

/// So often one end is read before it is others' turn.
const ROUNDS: usize = 8;

/// So much is read of who talks to nobody any more, before what it is still to get is given up. It is
/// more than the kernel keeps.
const MOST_LOST: usize = 64 << 20;

/// A client and the container.
pub(super) struct Connection {
    /// The client is the first.
    ends: [TcpStream; 2],
    /// From the client, and to it.
    flows: [Flow; 2],
    /// What is asked of epoll about each end; nothing is not even told of its end.
    watched: [Option<EventFlags>; 2],
    /// Where else the container may be reached, while it has not answered.
    connecting: Option<Vec<SocketAddr>>,
}

/// One direction.
#[derive(Default)]
struct Flow {
    /// Read and not written yet. Nothing is read as long as there is something.
    pending: Vec<u8>,
    /// Its end was passed on, or nobody takes any more.
    is_over: bool,
    /// Nobody takes any more, and so much was read all the same.
    lost: Option<usize>,
}

/// What comes next.
pub(super) enum Ready {
    More,
    /// Nothing: it is closed by being dropped.
    Over,
}

impl Connection {
    /// For a client that has come. None if it cannot be: the client is told so.
    pub(super) fn new(
        client: TcpStream,
        mut targets: Vec<SocketAddr>,
        epoll: &OwnedFd,
        id: u64,
    ) -> Option<Connection> {
        let target = match dial(&mut targets) {
            Some(target) if client.set_nonblocking(true).is_ok() => target,
            _ => {
                reset(&client);
                return None;
            }
        };
        for end in [&client, &target] {
            // It only makes answers faster.
            let _ = end.set_nodelay(true);
        }
        let mut connection = Connection {
            ends: [client, target],
            flows: [Flow::default(), Flow::default()],
            watched: [None, None],
            connecting: Some(targets),
        };
        let watched = connection.watch(1, EventFlags::OUT, EventFlags::empty(), epoll, id);
        if watched.is_err() {
            reset(&connection.ends[0]);
        }
        watched.is_ok().then_some(connection)
    }

    /// Something can be done about one end.
    pub(super) fn ready(
        &mut self,
        end: usize,
        flags: EventFlags,
        epoll: &OwnedFd,
        id: u64,
        buffer: &mut [u8],
    ) -> Ready {
        match self.go_on(end, flags, epoll, id, buffer) {
            Ok(ready) => ready,
            Err(_) => {
                // Not an orderly end, for the other one neither.
                self.ends.iter().for_each(reset);
                Ready::Over
            }
        }
    }

    fn go_on(
        &mut self,
        end: usize,
        flags: EventFlags,
        epoll: &OwnedFd,
        id: u64,
        buffer: &mut [u8],
    ) -> std::io::Result<Ready> {
        if let Some(targets) = &mut self.connecting {
            match self.ends[1].take_error()? {
                None => self.connecting = None,
                Some(error) => {
                    // The next address, perhaps of another kind.
                    self.ends[1] = dial(targets).ok_or(error)?;
                    self.watched[1] = None;
                    self.watch(1, EventFlags::OUT, EventFlags::empty(), epoll, id)?;
                    return Ok(Ready::More);
                }
            }
        }
        for from in [0, 1] {
            self.pump(from, buffer)?;
        }
        if self.flows.iter().all(|it| it.is_over) {
            return Ok(Ready::Over);
        }
        for one in [0, 1] {
            let seen = if one == end { flags } else { EventFlags::empty() };
            self.watch(one, self.wanted(one), seen, epoll, id)?;
        }
        Ok(Ready::More)
    }

    /// Passes on what there is in one direction, as long as nobody has to wait.
    fn pump(&mut self, from: usize, buffer: &mut [u8]) -> std::io::Result<()> {
        if self.is_drained(from) {
            return self.drain(from, buffer);
        }
        let (mut reader, mut writer) = (&self.ends[from], &self.ends[1 - from]);
        let flow = &mut self.flows[from];
        for _ in 0..ROUNDS {
            if flow.is_over {
                return Ok(());
            }
            if !flow.pending.is_empty() {
                let Some(written) = write(&mut writer, &flow.pending) else {
                    flow.lose();
                    return Ok(());
                };
                flow.pending.drain(..written);
                if !flow.pending.is_empty() {
                    return Ok(());
                }
                flow.pending = Vec::new();
            }
            match reader.read(buffer) {
                Ok(0) => {
                    flow.is_over = true;
                    // Who has gone does not hear of it.
                    let _ = writer.shutdown(Shutdown::Write);
                }
                Ok(length) => match write(&mut writer, &buffer[..length]) {
                    Some(written) => flow.pending.extend_from_slice(&buffer[written..length]),
                    None => flow.lose(),
                },
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Whether what one end says is of no use, but it may take what it still gets only when it has
    /// said it.
    fn is_drained(&self, from: usize) -> bool {
        self.flows[from].lost.is_some() && !self.flows[1 - from].pending.is_empty()
    }

    fn drain(&mut self, from: usize, buffer: &mut [u8]) -> std::io::Result<()> {
        let lost = self.flows[from].lost.get_or_insert_default();
        for _ in 0..ROUNDS {
            match (&self.ends[from]).read(buffer) {
                Ok(0) => {
                    self.flows[from].lost = None;
                    return Ok(());
                }
                Ok(length) => *lost += length,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
            if *lost > MOST_LOST {
                // It only talks.
                return Err(ErrorKind::ConnectionReset.into());
            }
        }
        Ok(())
    }

    /// What is to be waited for at one end.
    fn wanted(&self, end: usize) -> EventFlags {
        let (from, to) = (&self.flows[end], &self.flows[1 - end]);
        let mut wanted = EventFlags::empty();
        if self.is_drained(end) || !from.is_over && from.pending.is_empty() {
            wanted |= EventFlags::IN;
        }
        if !to.pending.is_empty() {
            wanted |= EventFlags::OUT;
        }
        wanted
    }

    /// Asks epoll for it. An end that is told of again and again, and that nothing can be done about
    /// now, is not watched.
    fn watch(
        &mut self,
        end: usize,
        wanted: EventFlags,
        seen: EventFlags,
        epoll: &OwnedFd,
        id: u64,
    ) -> Result<(), Errno> {
        let is_over = seen.intersects(EventFlags::ERR | EventFlags::HUP);
        let wanted = (!wanted.is_empty() || !is_over).then_some(wanted);
        let socket = self.ends[end].as_fd();
        let data = epoll::EventData::new_u64(id | end as u64);
        match (self.watched[end], wanted) {
            (None, Some(flags)) => epoll::add(epoll, socket, data, flags)?,
            (Some(before), Some(flags)) if before != flags => {
                epoll::modify(epoll, socket, data, flags)?;
            }
            (Some(_), None) => epoll::delete(epoll, socket)?,
            _ => {}
        }
        self.watched[end] = wanted;
        Ok(())
    }
}

impl Flow {
    /// Nobody takes any more. What the other direction still has is passed on all the same.
    fn lose(&mut self) {
        *self = Flow { pending: Vec::new(), is_over: true, lost: Some(0) };
    }
}

/// How much was written, none if nothing ever will be.
fn write(writer: &mut &TcpStream, bytes: &[u8]) -> Option<usize> {
    match writer.write(bytes) {
        Ok(written) => Some(written),
        Err(error) => {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted).then_some(0)
        }
    }
}

/// Begins to connect to the first address that this is possible for.
fn dial(targets: &mut Vec<SocketAddr>) -> Option<TcpStream> {
    while !targets.is_empty() {
        let target = targets.remove(0);
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(socket) = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)) else {
            continue;
        };
        if matches!(connect(&socket, &target), Ok(()) | Err(Errno::INPROGRESS)) {
            return Some(socket.into());
        }
    }
    None
}

/// Closing it tells the other side that something went wrong.
fn reset(end: &TcpStream) {
    // It closes in any case.
    let _ = sockopt::set_socket_linger(end, Some(Duration::ZERO));
}
