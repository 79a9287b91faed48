//! Datagrams that are passed on: a socket for each client, so that answers find their way back.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use sys::rustix::event::epoll::{self, EventFlags};

/// So many clients are remembered; then the one that was silent for the longest time is forgotten.
pub(super) const MOST_CLIENTS: usize = 1024;

/// A client that was silent for so long is forgotten.
const SILENT: Duration = Duration::from_secs(60);

/// So often that is looked for.
const PAUSE: Duration = Duration::from_secs(5);

/// So many answers are passed on before it is others' turn.
const ROUNDS: usize = 32;

/// A client of one of the sockets.
type Key = (usize, SocketAddr);

/// Those who have sent datagrams.
#[derive(Default)]
pub(super) struct Datagrams {
    ids: BTreeMap<Key, u64>,
    clients: BTreeMap<u64, Client>,
    swept: Option<Instant>,
}

struct Client {
    key: Key,
    /// Where it sends to.
    socket: UdpSocket,
    /// Where answers come from.
    answers: Rc<UdpSocket>,
    last: Instant,
}

impl Datagrams {
    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Passes on the next datagram that came to a socket, which has this number. True if there is a
    /// new client, which epoll tells of by this id.
    pub(super) fn pass(
        &mut self,
        socket: &Rc<UdpSocket>,
        number: usize,
        target: SocketAddr,
        (epoll, id): (&OwnedFd, u64),
        buffer: &mut [u8],
    ) -> bool {
        let Ok((length, from)) = socket.recv_from(buffer) else { return false };
        let key = (number, from);
        let known = self.ids.get(&key).and_then(|id| self.clients.get_mut(id));
        if let Some(client) = known {
            client.last = Instant::now();
            // It may be lost, as any.
            let _ = client.socket.send(&buffer[..length]);
            return false;
        }
        self.make_room();
        let Ok(client) = Client::new(key, socket, target) else { return false };
        let data = epoll::EventData::new_u64(id);
        if epoll::add(epoll, &client.socket, data, EventFlags::IN).is_err() {
            return false;
        }
        let _ = client.socket.send(&buffer[..length]);
        self.ids.insert(key, id);
        self.clients.insert(id, client);
        true
    }

    /// Passes on what the container has answered to a client.
    pub(super) fn answer(&mut self, id: u64, buffer: &mut [u8]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        for _ in 0..ROUNDS {
            match client.socket.recv(buffer) {
                Ok(length) => {
                    client.last = Instant::now();
                    let _ = client.answers.send_to(&buffer[..length], client.key.1);
                }
                // Nothing more; or nobody is there, which a client is not to hear as it is not said
                // of it.
                Err(_) => return,
            }
        }
    }

    /// Forgets those that were silent for long, now and then.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|at| now.saturating_duration_since(at) < PAUSE) {
            return;
        }
        self.swept = Some(now);
        let is_silent = |it: &Client| now.saturating_duration_since(it.last) > SILENT;
        let silent: Vec<u64> =
            self.clients.iter().filter(|(_, it)| is_silent(it)).map(|(id, _)| *id).collect();
        silent.into_iter().for_each(|id| self.forget(id));
    }

    fn make_room(&mut self) {
        if self.clients.len() >= MOST_CLIENTS
            && let Some((&id, _)) = self.clients.iter().min_by_key(|(_, it)| it.last)
        {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(client) = self.clients.remove(&id) {
            self.ids.remove(&client.key);
        }
    }
}

impl Client {
    fn new(key: Key, answers: &Rc<UdpSocket>, target: SocketAddr) -> std::io::Result<Client> {
        let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(target)?;
        socket.set_nonblocking(true)?;
        Ok(Client { key, socket, answers: Rc::clone(answers), last: Instant::now() })
    }
}
