//! A TCP connection to one of several addresses, the first that answers (RFC 8305).

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;
use sys::rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

/// How long an address may take before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// More addresses than these are not tried.
const MAX_ADDRESSES: usize = 8;

/// An address that has been asked and not answered.
struct Attempt {
    socket: OwnedFd,
    address: SocketAddr,
    deadline: Instant,
}

/// Connects to the addresses in their order, each a quarter of a second after the one before or as
/// soon as that failed, and keeps the first connection that succeeds. `timeout` is for each.
///
/// # Errors
/// The last address's, when none succeeded.
pub(super) fn first_to_answer(
    addresses: &[SocketAddr],
    timeout: Duration,
) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().copied().take(MAX_ADDRESSES);
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut failure = io::Error::other("the host has no address");
    let mut next_start = Instant::now();
    loop {
        if Instant::now() >= next_start
            && let Some(address) = waiting.next()
        {
            match begin(address, timeout) {
                Ok(attempt) => attempts.push(attempt),
                Err(errno) => {
                    failure = with_address(errno, address);
                    continue;
                }
            }
            next_start = Instant::now() + HEAD_START;
        }
        if attempts.is_empty() && waiting.len() == 0 {
            return Err(failure);
        }
        let now = Instant::now();
        let ends = attempts.iter().map(|attempt| attempt.deadline);
        let starts = (waiting.len() > 0).then_some(next_start);
        let until = ends.chain(starts).min().unwrap_or(now).saturating_duration_since(now);
        for answer in answers(&mut attempts, until)? {
            match answer {
                Ok(socket) => return into_stream(socket),
                Err(error) => {
                    failure = error;
                    // It needs no head start any more.
                    next_start = Instant::now();
                }
            }
        }
    }
}

/// Asks for a connection without waiting for it.
fn begin(address: SocketAddr, timeout: Duration) -> Result<Attempt, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {
            Ok(Attempt { socket, address, deadline: Instant::now() + timeout })
        }
        Err(errno) => Err(errno),
    }
}

/// Waits for at most `until`, and takes those out that have succeeded, failed or waited too long.
fn answers(attempts: &mut Vec<Attempt>, until: Duration) -> io::Result<Vec<io::Result<OwnedFd>>> {
    let mut polled: Vec<PollFd<'_>> =
        attempts.iter().map(|attempt| PollFd::new(&attempt.socket, PollFlags::OUT)).collect();
    // A millisecond more, or the deadline is not over yet when the kernel has waited for it.
    let time = Timespec::try_from(until + Duration::from_millis(1))
        .unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    match poll(&mut polled, Some(&time)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let is_ready: Vec<bool> = polled.iter().map(|entry| !entry.revents().is_empty()).collect();
    let now = Instant::now();
    let mut found = Vec::new();
    let mut still_waiting = Vec::new();
    for (attempt, is_ready) in std::mem::take(attempts).into_iter().zip(is_ready) {
        if is_ready {
            found.push(match sockopt::socket_error(&attempt.socket) {
                Ok(Ok(())) => Ok(attempt.socket),
                Ok(Err(errno)) | Err(errno) => Err(with_address(errno, attempt.address)),
            });
        } else if now >= attempt.deadline {
            found.push(Err(with_address(Errno::TIMEDOUT, attempt.address)));
        } else {
            still_waiting.push(attempt);
        }
    }
    *attempts = still_waiting;
    Ok(found)
}

fn into_stream(socket: OwnedFd) -> io::Result<TcpStream> {
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    // Requests are written whole: waiting to fill a packet only costs time.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn with_address(errno: Errno, address: SocketAddr) -> io::Error {
    let error = io::Error::from(errno);
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    io::Error::new(error.kind(), format!("{address}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::first_to_answer;
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;
    use sys::rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

    const TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn one_that_refuses_costs_no_head_start() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        // Somebody has it, so that nobody else gets it meanwhile, and does not listen.
        let owner = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&owner, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let closed = SocketAddr::try_from(getsockname(&owner).unwrap()).unwrap();
        let stream = first_to_answer(&[closed, good], TIMEOUT).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let error = first_to_answer(&[closed], TIMEOUT).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().starts_with(&closed.to_string()), "{error}");
        assert!(first_to_answer(&[], TIMEOUT).is_err());
    }

    #[test]
    fn one_that_is_silent_is_overtaken() {
        // With its queue full, a listener leaves a connection without an answer.
        let full = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = full.local_addr().unwrap();
        sys::rustix::net::listen(&full, 0).unwrap();
        let _filling: Vec<_> = (0..2)
            .filter_map(|_| {
                std::net::TcpStream::connect_timeout(&silent, Duration::from_millis(100)).ok()
            })
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good: SocketAddr = listener.local_addr().unwrap();
        let stream = first_to_answer(&[silent, good], TIMEOUT).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let error = first_to_answer(&[silent], Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
}
