//! Those who talk to a monitor: whoever has started it, and any number of others.

use crate::error::{Error, Result};
use crate::protocol::{self, Message, Stream, hear};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;
use sys::rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, send};

/// How long a client that does not read keeps a monitor whose container has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// After one could not be taken in, the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// All of them.
pub(super) struct Clients {
    listener: OwnedFd,
    /// Nobody is taken in before that.
    paused: Option<Instant>,
    clients: Vec<Client>,
}

struct Client {
    socket: OwnedFd,
    /// It gets output.
    attached: bool,
    /// It is in front of the container, and the input ends with it.
    foreground: bool,
    will_remove: bool,
    /// What it has no room for at the moment.
    waiting: Option<Vec<u8>>,
    gone: bool,
}

/// What clients want of the program.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) input: Vec<u8>,
    pub(super) input_ends: bool,
    pub(super) size: Option<(u16, u16)>,
    pub(super) quit: bool,
    pub(super) reopen_log: bool,
    /// Processes to be added, each with the socket of who asks.
    pub(super) added: Vec<(String, OwnedFd)>,
    pub(super) launch_changed: bool,
    /// The sockets of those who want to know at once how healthy it is.
    pub(super) checks: Vec<OwnedFd>,
}

impl Client {
    fn new(socket: OwnedFd, foreground: bool) -> Client {
        let (attached, will_remove) = (false, false);
        Client { socket, attached, foreground, will_remove, waiting: None, gone: false }
    }

    fn tell(&mut self, bytes: Vec<u8>) {
        if self.gone {
            return;
        }
        match send(&self.socket, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => self.waiting = Some(bytes),
            Err(_) => self.gone = true,
        }
    }

    fn hear(&mut self, wishes: &mut Wishes) {
        let mut buffer = Vec::new();
        while wishes.input.is_empty() {
            match hear(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN) => return,
                Err(_) | Ok(None) => {
                    self.gone = true;
                    wishes.input_ends |= self.foreground && self.attached;
                    return;
                }
                Ok(Some(message)) => self.note(&message, wishes),
            }
        }
    }

    fn note(&mut self, message: &Message<'_>, wishes: &mut Wishes) {
        match message {
            Message::Attach => self.attached = true,
            Message::Input(bytes) => wishes.input.extend_from_slice(bytes),
            Message::InputEnd => wishes.input_ends = true,
            Message::Resize(rows, columns) => wishes.size = Some((*rows, *columns)),
            Message::WillRemove => self.will_remove = true,
            Message::Quit => wishes.quit = true,
            Message::ReopenLog => wishes.reopen_log = true,
            Message::Exec(process) => {
                // Without another descriptor there is nobody to answer to.
                if let Ok(socket) = self.socket.try_clone() {
                    wishes.added.push(((*process).to_owned(), socket));
                }
            }
            Message::LaunchChanged => wishes.launch_changed = true,
            Message::Check => wishes.checks.extend(self.socket.try_clone()),
            // The rest is said by monitors alone.
            _ => {}
        }
    }
}

impl Clients {
    pub(super) fn new(starter: OwnedFd, path: &Path) -> Result<Clients> {
        let clients = vec![Client::new(starter, true)];
        Ok(Clients { listener: protocol::serve(path)?, paused: None, clients })
    }

    /// Lets the starter know, who may be gone or not care any more.
    pub(super) fn tell_starter(&mut self, message: &Message<'_>) {
        if let Some(starter) = self.clients.first_mut().filter(|client| client.foreground) {
            starter.tell(message.to_bytes());
        }
    }

    /// Sends output to those who want it. It must not be called while [`Clients::are_slow`].
    pub(super) fn send(&mut self, stream: Stream, bytes: &[u8]) {
        let mut attached = self.clients.iter_mut().filter(|client| client.attached).peekable();
        if attached.peek().is_none() {
            return;
        }
        let bytes = Message::Output(stream, bytes).to_bytes();
        attached.for_each(|client| client.tell(bytes.clone()));
    }

    /// Whether one of them has no room: then the program waits, so that nothing is lost.
    pub(super) fn are_slow(&self) -> bool {
        self.clients.iter().any(|client| client.waiting.is_some())
    }

    /// When somebody may be taken in again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.paused
    }

    /// What to wait for: the listener first, then each client.
    pub(super) fn wanted(&self, want_input: bool) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut wanted = Vec::new();
        if self.paused.is_none() {
            wanted.push((self.listener.as_fd(), PollFlags::IN));
        }
        wanted.extend(self.clients.iter().map(|client| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::OUT, client.waiting.is_some());
            flags.set(PollFlags::IN, want_input);
            (client.socket.as_fd(), flags)
        }));
        wanted
    }

    /// Takes in who is new, and what they say.
    pub(super) fn serve(&mut self, want_input: bool) -> Result<Wishes> {
        self.paused = self.paused.filter(|at| *at > Instant::now());
        while self.paused.is_none() {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match accept_with(&self.listener, flags) {
                Ok(socket) => self.clients.push(Client::new(socket, false)),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                // No descriptor is left; those who wait are served later, and told of then.
                Err(Errno::MFILE | Errno::NFILE) => self.paused = Some(Instant::now() + PAUSE),
                Err(errno) => return Err(sys::Error::new("accept4", "clients", errno).into()),
            }
        }
        let mut wishes = Wishes::default();
        for client in &mut self.clients {
            if let Some(bytes) = client.waiting.take() {
                client.tell(bytes);
            }
            if want_input {
                client.hear(&mut wishes);
            }
        }
        self.clients.retain(|client| !client.gone);
        Ok(wishes)
    }

    /// Tells everybody how it ended, and whether nobody is there who will remove the container.
    pub(super) fn finish(&mut self, code: u8) -> bool {
        // Whoever has come since the last look is told, too.
        let failed: Option<Error> = self.serve(true).err();
        let deadline = Instant::now() + PATIENCE;
        while self.are_slow() && failed.is_none() && Instant::now() < deadline {
            let slow = self.clients.iter().filter(|client| client.waiting.is_some());
            let mut polled: Vec<_> =
                slow.map(|client| PollFd::new(&client.socket, PollFlags::OUT)).collect();
            let second = Timespec { tv_sec: 1, tv_nsec: 0 };
            if poll(&mut polled, Some(&second)).or_error("poll", || "").is_err() {
                break;
            }
            if self.serve(true).is_err() {
                break;
            }
        }
        let is_left_alone = !self.clients.iter().any(|client| client.will_remove && !client.gone);
        for client in &mut self.clients {
            client.tell(Message::Exit(code).to_bytes());
        }
        is_left_alone
    }
}
