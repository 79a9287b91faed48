//! Datagrams that are passed on: a socket for each client, so that answers find their way back.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use sys::rustix::event::epoll::{self, EventFlags};

/// So many clients are remembered, if this process may have the descriptors; then the one that was
/// silent for the longest time is forgotten.
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
pub(super) struct Datagrams {
    most: usize,
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
    /// Of so many clients at a time.
    pub(super) fn new(most: usize) -> Datagrams {
        Datagrams { most, ids: BTreeMap::new(), clients: BTreeMap::new(), swept: None }
    }

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
        if self.clients.len() >= self.most
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

#[cfg(test)]
mod tests {
    use super::{Datagrams, PAUSE, SILENT};
    use std::net::UdpSocket;
    use std::os::fd::OwnedFd;
    use std::rc::Rc;
    use std::time::{Duration, Instant};
    use sys::rustix::event::epoll;

    const SECOND: Duration = Duration::from_secs(1);

    /// A container that is to be served, a socket that is published, and what remembers its clients.
    struct Scene {
        server: UdpSocket,
        published: Rc<UdpSocket>,
        epoll: OwnedFd,
        datagrams: Datagrams,
    }

    fn scene(most: usize) -> Scene {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(10 * SECOND)).unwrap();
            socket
        };
        Scene {
            server: bind(),
            published: Rc::new(bind()),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(),
            datagrams: Datagrams::new(most),
        }
    }

    impl Scene {
        fn client(&self) -> UdpSocket {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.connect(self.published.local_addr().unwrap()).unwrap();
            client.set_read_timeout(Some(SECOND / 5)).unwrap();
            client
        }

        /// Passes on what a client sends, and returns from where the container has got it.
        fn pass(&mut self, client: &UdpSocket, id: u64) -> std::net::SocketAddr {
            client.send(b"question").unwrap();
            let (epoll, mut buffer) = (&self.epoll, [0; 100]);
            let target = self.server.local_addr().unwrap();
            self.datagrams.pass(&self.published, 0, target, (epoll, id), &mut buffer);
            self.server.recv_from(&mut buffer).unwrap().1
        }

        fn answer(&mut self, to: std::net::SocketAddr, id: u64) {
            self.server.send_to(b"answer", to).unwrap();
            self.datagrams.answer(id, &mut [0; 100]);
        }
    }

    #[test]
    fn who_was_silent_is_forgotten_and_served_again_when_he_comes_again() {
        let mut scene = scene(9);
        let (silent, busy) = (scene.client(), scene.client());
        let (first, _) = (scene.pass(&silent, 2), scene.pass(&busy, 4));
        scene.answer(first, 2);
        assert_eq!(silent.recv(&mut [0; 9]).unwrap(), 6);
        // Not before its time, nor all the time.
        let now = Instant::now();
        scene.datagrams.sweep(now);
        scene.datagrams.sweep(now + SILENT - SECOND);
        assert_eq!(scene.datagrams.clients.len(), 2);
        scene.datagrams.clients.get_mut(&4).unwrap().last = now + SILENT;
        scene.datagrams.sweep(now + SILENT + SECOND);
        assert_eq!(scene.datagrams.clients.len(), 2);
        scene.datagrams.sweep(now + SILENT + PAUSE);
        assert_eq!(scene.datagrams.clients.keys().copied().collect::<Vec<_>>(), [4]);
        assert_eq!(scene.datagrams.ids.len(), 1);
        // An answer that comes now goes nowhere.
        scene.answer(first, 2);
        assert!(silent.recv(&mut [0; 9]).is_err());
        let second = scene.pass(&silent, 6);
        scene.answer(second, 6);
        assert_eq!(silent.recv(&mut [0; 9]).unwrap(), 6);
        scene.datagrams.sweep(now + 10 * SILENT);
        assert!(scene.datagrams.is_empty() && scene.datagrams.ids.is_empty());
    }

    #[test]
    fn of_too_many_the_one_that_was_silent_for_longest_goes() {
        let mut scene = scene(3);
        let clients: Vec<_> = (0..4).map(|_| scene.client()).collect();
        (0..3).for_each(|it| _ = scene.pass(&clients[it], 2 * it as u64));
        scene.pass(&clients[0], 99);
        scene.pass(&clients[3], 6);
        assert_eq!(scene.datagrams.clients.keys().copied().collect::<Vec<_>>(), [0, 4, 6]);
    }
}
