//! A connection to systemd, directly or through a message bus.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use sys::OrError as _;
use sys::rustix::buffer::spare_capacity;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;
use sys::rustix::net::sockopt::{Timeout, set_socket_timeout};
use sys::rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use super::super::error::{Error, Result};
use super::message::{self, Call, Kind, Message, PREFIX};

/// How long systemd may take for everything that one operation asks of it. It answers in
/// milliseconds unless the machine is in trouble; without a limit that trouble would be ours.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// EXTERNAL means: the kernel says who is at the other end. No name is told, and so this also works
/// from a user namespace. All lines are sent at once; the last one ends the talk.
const HANDSHAKE: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

/// An open connection that is used for one operation.
pub(super) struct Connection {
    socket: OwnedFd,
    deadline: Instant,
    serial: u32,
    received: Vec<u8>,
    /// Jobs that were done while something else was awaited, with their results.
    jobs: VecDeque<(String, String)>,
}

impl Connection {
    /// Connects to a socket. Everything that is asked there must be done within `patience`.
    pub(super) fn open(path: &str, patience: Duration) -> Result<Connection> {
        let describe = || format!("{path:?}");
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .or_error("socket", || "AF_UNIX, SOCK_STREAM")?;
        // This also limits how long connect(2) waits for room in the queue of the other side.
        set_socket_timeout(&socket, Timeout::Send, Some(patience))
            .or_error("setsockopt", || "SO_SNDTIMEO")?;
        let address = match path.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
            None => SocketAddrUnix::new(path),
        };
        connect(&socket, &address.or_error("connect", describe)?).or_error("connect", describe)?;
        let deadline = Instant::now() + patience;
        let (received, jobs) = (Vec::new(), VecDeque::new());
        let mut connection = Connection { socket, deadline, serial: 0, received, jobs };
        connection.authenticate()?;
        Ok(connection)
    }

    /// The answers are lines, of which the one with `OK` is the last.
    fn authenticate(&mut self) -> Result<()> {
        self.send(HANDSHAKE)?;
        loop {
            let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") else {
                if self.received.len() > 1000 {
                    return Err(confused("no end of a line"));
                }
                self.receive()?;
                continue;
            };
            let line: Vec<u8> = self.received.drain(..end + 2).collect();
            if line.starts_with(b"OK ") {
                return Ok(());
            }
            if !line.starts_with(b"DATA") {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                return Err(Error::Systemd(format!("it does not let us in: {line}")));
            }
        }
    }

    /// Calls a method and waits for the reply.
    pub(super) fn call(&mut self, call: &Call<'_>) -> Result<Message> {
        self.serial += 1;
        let serial = self.serial;
        self.send(&call.encode(serial))?;
        loop {
            let message = self.next_message()?;
            if message.reply_to == Some(serial) {
                return match message.kind {
                    Kind::Reply => Ok(message),
                    _ => Err(refusal(call, &message)),
                };
            }
            self.keep_job(&message);
        }
    }

    /// Waits until a job is done, and tells how it went: `done`, or why not.
    pub(super) fn wait_for_job(&mut self, job: &str) -> Result<String> {
        loop {
            while let Some((done, result)) = self.jobs.pop_front() {
                if done == job {
                    return Ok(result);
                }
            }
            let message = self.next_message()?;
            self.keep_job(&message);
        }
    }

    fn keep_job(&mut self, message: &Message) {
        if let Some((job, result)) = message.job_removed() {
            self.jobs.push_back((job.to_owned(), result.to_owned()));
        }
    }

    fn next_message(&mut self) -> Result<Message> {
        loop {
            if let Some(prefix) = self.received.first_chunk::<PREFIX>() {
                let length = message::length(*prefix).ok_or_else(|| confused("no message"))?;
                if self.received.len() >= length {
                    let bytes: Vec<u8> = self.received.drain(..length).collect();
                    return Message::parse(&bytes).ok_or_else(|| confused("a bad message"));
                }
            }
            self.receive()?;
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::INTR) => {}
                // SO_SNDTIMEO
                Err(Errno::AGAIN) => return Err(timed_out()),
                Err(errno) => return Err(sys::Error::new("send", "to systemd", errno).into()),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let left = self.deadline.checked_duration_since(Instant::now()).ok_or_else(timed_out)?;
        let limit = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&limit)) {
            Ok(0) => return Err(timed_out()),
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(errno) => return Err(sys::Error::new("poll", "systemd", errno).into()),
        }
        self.received.reserve(4096);
        match recv(&self.socket, spare_capacity(&mut self.received), RecvFlags::empty()) {
            Ok((_, 0)) => Err(Error::Systemd("it closed the connection".to_owned())),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(sys::Error::new("recv", "from systemd", errno).into()),
        }
    }
}

fn confused(what: &str) -> Error {
    Error::Systemd(format!("it does not speak D-Bus: {what}"))
}

fn timed_out() -> Error {
    Error::TimedOut { what: "an answer of systemd".to_owned(), seconds: PATIENCE.as_secs() }
}

fn refusal(call: &Call<'_>, message: &Message) -> Error {
    let text = message.text().unwrap_or_default().to_owned();
    Error::SystemdRefused { call: call.member.to_owned(), name: message.error.clone(), text }
}

#[cfg(test)]
mod tests;
