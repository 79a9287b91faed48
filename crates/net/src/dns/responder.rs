//! The server at 127.0.0.11: what it knows itself, and whom it hands the rest to.

use super::message::{
    self, Kind, LONGEST, Question, Record, Rejected, SERVER_FAILURE, failure, truncated,
};
use super::tcp::Client;
use super::udp::{Forwarded, Heard};
use super::upstream::Upstream;
use super::zone::{self, Zone};
use crate::Error;
use crate::error::concerns_one;
use crate::firewall::redirect_names;
use crate::link::Container;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use sys::OrError;
use sys::rustix::buffer::spare_capacity;
use sys::rustix::event::{Timespec, epoll};
use sys::rustix::io::{Errno, retry_on_intr};

/// Where programs in a container ask.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// So many questions may wait for answers of other servers, and so many clients talk TCP: what a
/// container can make its monitor keep must have an end.
const MAX_FORWARDED: usize = 512;
const MAX_CLIENTS: usize = 16;

/// After a client could not be taken in, the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// What became ready, as epoll tells it: the two sockets that listen, or a task by its number.
const UDP: u64 = 0;
const TCP: u64 = 1;
const FIRST_TASK: u64 = 2;

/// Answers the questions of one container, and never waits.
///
/// Whoever drives it waits until its descriptor is readable or [`Responder::wakeup`] has come, and
/// then calls [`Responder::serve`].
#[derive(Debug)]
pub struct Responder {
    poll: OwnedFd,
    udp: UdpSocket,
    tcp: TcpListener,
    /// Clients over TCP are taken in again from then on.
    paused: Option<Instant>,
    zones: Vec<Zone>,
    upstream: Upstream,
    forwarded: BTreeMap<u64, Forwarded>,
    clients: BTreeMap<u64, Client>,
    next: u64,
}

/// Opens the sockets in the network namespace of a container, on a port of [`ADDRESS`] that port 53
/// leads to. The calling process must have one thread.
///
/// # Errors
/// What the kernel answers.
pub fn listen(container: &Container<'_>) -> Result<(UdpSocket, TcpListener), Error> {
    container.visit(|| {
        let (udp, tcp) = bind().map_err(Error::doing("listen for questions about names"))?;
        let port = udp.local_addr().map_or(0, |address| address.port());
        redirect_names(ADDRESS.octets(), port)?;
        Ok((udp, tcp))
    })?
}

/// On the same port, which is free for both.
fn bind() -> Result<(UdpSocket, TcpListener), sys::Error> {
    const TRIES: usize = 20;
    let mut result = Err(io::Error::from(io::ErrorKind::AddrInUse));
    for _ in 0..TRIES {
        result = (|| {
            let udp = UdpSocket::bind((ADDRESS, 0))?;
            let tcp = TcpListener::bind(udp.local_addr()?)?;
            Ok((udp, tcp))
        })();
        match &result {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            _ => break,
        }
    }
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    result.map_err(errno).or_error("bind", || format!("{ADDRESS}"))
}

impl Responder {
    /// Serves on sockets that [`listen`] has opened: names of these networks, and for the rest what
    /// others know.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn new(
        (udp, tcp): (UdpSocket, TcpListener),
        zones: Vec<Zone>,
        upstream: Upstream,
    ) -> Result<Responder, Error> {
        let failed = || Error::doing("answer questions about names");
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .or_error("epoll_create1", || "EPOLL_CLOEXEC")
            .map_err(failed())?;
        for result in [udp.set_nonblocking(true), tcp.set_nonblocking(true)] {
            result
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
                .or_error("ioctl", || "FIONBIO")
                .map_err(failed())?;
        }
        let responder = Responder {
            poll,
            udp,
            tcp,
            paused: None,
            zones,
            upstream,
            forwarded: BTreeMap::new(),
            clients: BTreeMap::new(),
            next: FIRST_TASK,
        };
        let udp = watch(&responder.poll, &responder.udp, UDP, epoll::EventFlags::IN);
        let tcp = watch(&responder.poll, &responder.tcp, TCP, epoll::EventFlags::IN);
        udp.and(tcp).map_err(failed())?;
        Ok(responder)
    }

    /// The container is in other networks now.
    pub fn set_zones(&mut self, zones: Vec<Zone>, upstream: Upstream) {
        (self.zones, self.upstream) = (zones, upstream);
    }

    /// When [`Responder::serve`] is to be called even if nothing is readable.
    #[must_use]
    pub fn wakeup(&self) -> Option<Instant> {
        let forwarded = self.forwarded.values().map(|it| it.deadline);
        let clients = self.clients.values().map(|it| it.deadline);
        forwarded.chain(clients).chain(self.paused).min()
    }

    /// Does all that can be done without waiting. What goes wrong with one question is its own
    /// matter, and told to who asked.
    ///
    /// # Errors
    /// Those of epoll_wait(2).
    pub fn serve(&mut self, now: Instant) -> Result<(), Error> {
        let mut events = Vec::with_capacity(32);
        let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
        retry_on_intr(|| epoll::wait(&self.poll, spare_capacity(&mut events), Some(&no_time)))
            .or_error("epoll_wait", || "0")
            .map_err(Error::doing("answer questions about names"))?;
        for event in events {
            match event.data.u64() {
                UDP => self.receive(now),
                TCP => self.accept(now),
                number if self.forwarded.contains_key(&number) => self.hear(number, now),
                number => self.talk(number, now),
            }
        }
        self.expire(now);
        Ok(())
    }

    /// Questions over UDP: not so many at once that others have to wait for long.
    fn receive(&mut self, now: Instant) {
        const AT_ONCE: usize = 64;
        let mut buffer = [0; LONGEST];
        for _ in 0..AT_ONCE {
            let (length, client) = match self.udp.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => continue,
            };
            let query = &buffer[..length];
            match self.decide(query) {
                Decision::Ignore => {}
                Decision::Answer(answer, limit) => {
                    let answer = if answer.len() > limit { truncated(query) } else { answer };
                    self.reply(&answer, client);
                }
                Decision::Forward(limit) => self.forward(query, limit, client, now),
            }
        }
    }

    fn forward(&mut self, query: &[u8], limit: usize, client: SocketAddr, now: Instant) {
        let servers = self.upstream.servers();
        let mut started = None;
        if self.forwarded.len() < MAX_FORWARDED {
            started = Forwarded::start(query, limit, client, servers, now);
        }
        let Some(forwarded) = started else {
            return self.reply(&failure(query, SERVER_FAILURE), client);
        };
        let number = self.next;
        self.next += 1;
        match watch(&self.poll, &forwarded.socket, number, epoll::EventFlags::IN) {
            Ok(()) => _ = self.forwarded.insert(number, forwarded),
            Err(_) => self.reply(&failure(query, SERVER_FAILURE), client),
        }
    }

    /// A server has answered, or its machine has said that it is none.
    fn hear(&mut self, number: u64, now: Instant) {
        let Some(forwarded) = self.forwarded.get_mut(&number) else { return };
        match forwarded.receive() {
            Heard::Nothing => {}
            Heard::Answer(answer) => {
                let client = forwarded.client;
                self.forwarded.remove(&number);
                self.reply(&answer, client);
            }
            Heard::Failure => self.ask_the_next(number, now),
        }
    }

    fn ask_the_next(&mut self, number: u64, now: Instant) {
        let Some(forwarded) = self.forwarded.get_mut(&number) else { return };
        // Its old socket goes, and leaves the poll by that.
        let is_asked = forwarded.ask_the_next(now)
            && watch(&self.poll, &forwarded.socket, number, epoll::EventFlags::IN).is_ok();
        if !is_asked && let Some(forwarded) = self.forwarded.remove(&number) {
            self.reply(&forwarded.give_up(), forwarded.client);
        }
    }

    /// Clients over TCP.
    fn accept(&mut self, now: Instant) {
        loop {
            let stream = match self.tcp.accept() {
                Ok((stream, _)) => stream,
                Err(error) if concerns_one(&error) => return,
                Err(_) => return self.pause(now),
            };
            if self.clients.len() == MAX_CLIENTS {
                // Those in the queue are closed by it, too, instead of waiting in vain.
                continue;
            }
            let number = self.next;
            self.next += 1;
            let both = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            if stream.set_nonblocking(true).is_ok()
                && watch(&self.poll, &stream, number, both).is_ok()
            {
                self.clients.insert(number, Client::new(stream, now));
                self.talk(number, now);
            }
        }
    }

    /// No descriptor is left, or no memory: who waits would be told of again at once, for nothing.
    fn pause(&mut self, now: Instant) {
        if epoll::delete(&self.poll, &self.tcp).is_ok() {
            self.paused = Some(now + PAUSE);
        }
    }

    /// Something can be read from or written to a client over TCP, or the server asked for it.
    fn talk(&mut self, number: u64, now: Instant) {
        let Some(mut client) = self.clients.remove(&number) else { return };
        let both = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        let poll = &self.poll;
        let goes_on = client.go_on(
            now,
            |query| match self.decide(query) {
                Decision::Ignore => None,
                Decision::Answer(answer, _) => Some(Ok(answer)),
                Decision::Forward(_) => Some(Err(self.upstream.servers())),
            },
            |stream| watch(poll, stream, number, both).is_ok(),
        );
        if goes_on {
            self.clients.insert(number, client);
        }
    }

    fn expire(&mut self, now: Instant) {
        let late = |deadline: Instant| deadline <= now;
        if self.paused.is_some_and(late) {
            let again = watch(&self.poll, &self.tcp, TCP, epoll::EventFlags::IN);
            self.paused = again.is_err().then_some(now + PAUSE);
        }
        let forwarded: Vec<u64> =
            self.forwarded.iter().filter(|it| late(it.1.deadline)).map(|it| *it.0).collect();
        forwarded.into_iter().for_each(|number| self.ask_the_next(number, now));
        let clients: Vec<u64> =
            self.clients.iter().filter(|it| late(it.1.deadline)).map(|it| *it.0).collect();
        for number in clients {
            if self.clients.get_mut(&number).is_some_and(Client::give_up_on_server) {
                self.talk(number, now);
            } else {
                self.clients.remove(&number);
            }
        }
    }

    /// A client that cannot be told asks again.
    fn reply(&self, answer: &[u8], client: SocketAddr) {
        let _ = self.udp.send_to(answer, client);
    }

    fn decide(&self, query: &[u8]) -> Decision {
        let question = match message::parse(query) {
            Ok(question) => question,
            Err(Rejected::Ignored) => return Decision::Ignore,
            Err(Rejected::Answered(code)) => {
                return Decision::Answer(failure(query, code), LONGEST);
            }
        };
        match self.known(&question) {
            Ok(Some(records)) => {
                let answer = message::answer(query, &question, &records, u16::MAX.into());
                Decision::Answer(answer, question.limit)
            }
            Ok(None) => Decision::Forward(question.limit),
            Err(_) => Decision::Answer(failure(query, SERVER_FAILURE), question.limit),
        }
    }

    /// What our networks know: none if it is not about one of their names or addresses. A name that
    /// is ours but has nothing of this kind is not asked of others.
    fn known(&self, question: &Question) -> Result<Option<Vec<Record>>, sys::Error> {
        let Some(name) = &question.name else { return Ok(None) };
        let reversed = message::reversed(name);
        let mut found: Option<Vec<Record>> = None;
        for zone in &self.zones {
            let text = zone.read()?;
            if let Some(address) = reversed {
                if let Some(name) = zone::name_of(&text, address) {
                    return Ok(Some(match question.kind {
                        Kind::Pointer | Kind::Any => vec![Record::Name(name.to_owned())],
                        _ => Vec::new(),
                    }));
                }
                continue;
            }
            if let Some(addresses) = zone::addresses(&text, name) {
                let wanted = addresses.into_iter().filter(|address| match question.kind {
                    Kind::A => address.is_ipv4(),
                    Kind::Aaaa => address.is_ipv6(),
                    Kind::Any => true,
                    Kind::Pointer | Kind::Other(_) => false,
                });
                found.get_or_insert_default().extend(wanted.map(Record::Address));
            }
        }
        Ok(found)
    }
}

/// What to do with a question.
enum Decision {
    Ignore,
    /// The answer, and how long it may be over UDP.
    Answer(Vec<u8>, usize),
    /// Others are to be asked; so long their answer may be over UDP.
    Forward(usize),
}

fn watch(
    poll: &OwnedFd,
    socket: &impl AsFd,
    number: u64,
    flags: epoll::EventFlags,
) -> Result<(), sys::Error> {
    epoll::add(poll, socket, epoll::EventData::new_u64(number), flags)
        .or_error("epoll_ctl", || "EPOLL_CTL_ADD")
}

impl AsFd for Responder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }
}
