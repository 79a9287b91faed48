//! A netlink socket, which belongs for ever to the network namespace it was opened in.

use super::message::{Message, Received, messages, number};
use crate::{Error, OrError};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv,
    send, socket_with, sockopt,
};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_ACK: u16 = 0x0004;

/// Asks for an answer to a request that has none otherwise.
pub const ACKNOWLEDGE: u16 = 0x0001 | NLM_F_ACK;
/// Asks for all there are.
pub const DUMP: u16 = 0x0001 | 0x0300;
/// Asks for one.
pub const ONE: u16 = 0x0001 | NLM_F_ACK;

/// As large as the kernel's messages get.
const BUFFER: usize = 32 * 1024;
/// What a socket takes at once unless told otherwise (`net.core.wmem_default`), and less than that.
const USUAL_SEND_BUFFER: usize = 128 * 1024;

/// A socket for requests and their answers, or for what the kernel tells by itself.
#[derive(Debug)]
pub struct Socket {
    socket: OwnedFd,
    sequence: u32,
}

/// A batch of which nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError {
    /// The first message that the kernel refused, unless it refused all of them.
    pub message: Option<usize>,
    /// Its answer.
    pub error: Error,
}

impl fmt::Display for BatchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl std::error::Error for BatchError {}

impl Socket {
    /// Opens one for devices, addresses and routes, rtnetlink(7), in the network namespace of the
    /// caller.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn open() -> Result<Socket, Error> {
        // Without a protocol it is NETLINK_ROUTE.
        Socket::of_family(None, "NETLINK_ROUTE", SocketFlags::CLOEXEC)
    }

    /// Opens one for nf_tables and connection tracking.
    ///
    /// # Errors
    /// EPROTONOSUPPORT if the kernel lacks it; EMFILE, ENFILE.
    pub fn open_netfilter() -> Result<Socket, Error> {
        Socket::of_family(Some(netlink::NETFILTER), "NETLINK_NETFILTER", SocketFlags::CLOEXEC)
    }

    /// The same with an address of its own that begins with these 16 bits: the kernel says it of changes,
    /// to those that listen. Numbers of processes, which are addresses otherwise, are lower than 2^22.
    ///
    /// # Errors
    /// Those of [`Socket::open_netfilter`]; EADDRINUSE if there are as many already.
    pub fn open_netfilter_as(sender: u16) -> Result<Socket, Error> {
        let socket = Socket::open_netfilter()?;
        let first = std::process::id() as u16;
        let mut bound = Err(Errno::ADDRINUSE);
        for number in 0..=u16::MAX {
            let port = u32::from(sender) << 16 | u32::from(first.wrapping_add(number));
            bound = bind(&socket.socket, &SocketAddrNetlink::new(port, 0));
            if bound != Err(Errno::ADDRINUSE) {
                break;
            }
        }
        bound.or_error("bind", || format!("AF_NETLINK, {sender:#x}0000"))?;
        Ok(socket)
    }

    /// Opens one that hears what the kernel tells to the netfilter `groups` (bits, the first of
    /// which is group 1), and never waits.
    ///
    /// # Errors
    /// As [`Socket::open_netfilter`]; EPERM without CAP_NET_ADMIN.
    pub fn listen_netfilter(groups: u32) -> Result<Socket, Error> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = Socket::of_family(Some(netlink::NETFILTER), "NETLINK_NETFILTER", flags)?;
        bind(&socket.socket, &SocketAddrNetlink::new(0, groups))
            .or_error("bind", || format!("AF_NETLINK, groups {groups:#x}"))?;
        Ok(socket)
    }

    fn of_family(
        protocol: Option<Protocol>,
        name: &'static str,
        flags: SocketFlags,
    ) -> Result<Socket, Error> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
            .or_error("socket", || format!("AF_NETLINK, SOCK_RAW, {name}"))?;
        Ok(Socket { socket, sequence: 0 })
    }

    /// Sends a request and gives each message of the answer to `each`.
    ///
    /// # Errors
    /// What the kernel answers; `name` says to what.
    pub fn request(
        &mut self,
        name: &'static str,
        message: Message,
        mut each: impl FnMut(&Received<'_>),
    ) -> Result<(), Error> {
        self.sequence += 1;
        let (bytes, number) = (message.finish(self.sequence), self.sequence);
        self.send(name, &bytes)?;
        let result = self.receive(name, |message| match outcome(message) {
            _ if message.sequence != number => None,
            Some(result) => Some(result),
            None => {
                each(message);
                None
            }
        })?;
        result.or_error("netlink", || name)
    }

    /// Sends messages of which the kernel does all or none, between a `first` and a `last` message
    /// that say so (`NFNL_MSG_BATCH_BEGIN` and `_END`).
    ///
    /// # Errors
    /// See [`BatchError`].
    pub fn batch(
        &mut self,
        name: &'static str,
        first: Message,
        messages: Vec<Message>,
        last: Message,
    ) -> Result<(), BatchError> {
        let Some(end) = messages.len().checked_sub(1) else { return Ok(()) };
        let start = self.sequence + 1;
        self.sequence = start;
        let mut bytes = first.finish(start);
        for (index, mut message) in messages.into_iter().enumerate() {
            if index == end {
                message.add_flags(NLM_F_ACK);
            }
            self.sequence += 1;
            pad(&mut bytes);
            bytes.extend(message.finish(self.sequence));
        }
        pad(&mut bytes);
        bytes.extend(last.finish(self.sequence + 1));
        let whole = |error| BatchError { message: None, error };
        self.send(name, &bytes).map_err(whole)?;
        let (begun, ended) = (start, self.sequence);
        self.sequence += 1;
        let mut refused = None;
        let result = self.receive(name, |message| {
            let place = message.sequence.checked_sub(begun)?;
            if let Err(errno) = outcome(message)? {
                refused = refused.or(Some((place, errno)));
            }
            // All answers come at the end, in order; one to the first message is about them all.
            (message.sequence == ended || place == 0).then_some(())
        });
        result.map_err(whole)?;
        let Some((place, errno)) = refused else { return Ok(()) };
        let message = (place as usize).checked_sub(1);
        Err(BatchError { message, error: Error::new("netlink", name, errno) })
    }

    /// Takes what the kernel has told, without waiting, until there is no more. False if some of
    /// it is lost, as there was too much.
    ///
    /// # Errors
    /// Those of recvfrom(2).
    pub fn drain(&mut self, mut each: impl FnMut(&Received<'_>)) -> Result<bool, Error> {
        let mut buffer = vec![0; BUFFER];
        let mut is_complete = true;
        loop {
            match retry_on_intr(|| recv(&self.socket, buffer.as_mut_slice(), RecvFlags::TRUNC)) {
                Ok((_, length)) => match buffer.get(..length) {
                    Some(received) => messages(received).for_each(|message| each(&message)),
                    None => is_complete = false,
                },
                Err(Errno::NOBUFS) => is_complete = false,
                Err(Errno::AGAIN) => return Ok(is_complete),
                Err(errno) => return Err(errno).or_error("recvfrom", || "netlink"),
            }
        }
    }

    fn send(&self, name: &'static str, bytes: &[u8]) -> Result<(), Error> {
        let arguments = || format!("{name} over netlink");
        if bytes.len() > USUAL_SEND_BUFFER {
            // The kernel doubles it, for what it needs beside the bytes.
            sockopt::set_socket_send_buffer_size_force(&self.socket, bytes.len())
                .or_error("setsockopt", || "netlink, SOL_SOCKET, SO_SNDBUFFORCE")?;
        }
        retry_on_intr(|| send(&self.socket, bytes, SendFlags::empty()))
            .or_error("sendto", arguments)
            .map(drop)
    }

    /// Receives until `each` has a result.
    fn receive<T>(
        &self,
        name: &'static str,
        mut each: impl FnMut(&Received<'_>) -> Option<T>,
    ) -> Result<T, Error> {
        let arguments = || format!("{name} over netlink");
        let mut buffer = vec![0; BUFFER];
        loop {
            let (_, length) =
                retry_on_intr(|| recv(&self.socket, buffer.as_mut_slice(), RecvFlags::TRUNC))
                    .or_error("recvfrom", arguments)?;
            let received = buffer.get(..length).ok_or(Errno::MSGSIZE);
            let received = received.or_error("recvfrom", arguments)?;
            if let Some(result) = messages(received).find_map(|message| each(&message)) {
                return Ok(result);
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What a message says about the end of a request, if it is about that.
fn outcome(message: &Received<'_>) -> Option<Result<(), Errno>> {
    match (message.kind, number(message.content)) {
        (NLMSG_DONE, None) | (NLMSG_DONE | NLMSG_ERROR, Some(0)) => Some(Ok(())),
        (NLMSG_DONE | NLMSG_ERROR, code) => {
            let code = code.map_or(Errno::IO.raw_os_error(), u32::cast_signed);
            Some(Err(Errno::from_raw_os_error(code.saturating_neg())))
        }
        _ => None,
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
