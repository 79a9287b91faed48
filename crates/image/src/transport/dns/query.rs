//! Asking the servers.

use super::config::ResolvConf;
use super::message::{self, Answer, Kind};
use super::{ResolveError, Servers};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// The largest answer that comes without TCP when EDNS is not used is 512 bytes; a server that
/// sends more is not turned down.
const BUFFER: usize = 4096;

/// What one server knows of one name.
enum Found {
    Addresses(Vec<IpAddr>),
    NoSuchName,
}

/// The addresses of `host`, or of the first name made of it and the search list that has any.
pub(super) fn addresses(conf: &ResolvConf, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let servers = || Servers(conf.servers.clone());
    let mut unanswered = None;
    for name in conf.candidates(host) {
        match ask_all(conf, &name) {
            Ok(Found::Addresses(addresses)) if !addresses.is_empty() => return Ok(addresses),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(ResolveError::BadName { host: host.to_owned() });
            }
            // Another name of the list is still tried: musl does not, and users complain.
            Err(error) => unanswered = Some(error),
        }
    }
    Err(match unanswered {
        Some(source) => {
            ResolveError::NoAnswer { host: host.to_owned(), servers: servers(), source }
        }
        None => ResolveError::NoSuchHost { host: host.to_owned(), servers: servers() },
    })
}

/// Asks one server after the other, all of them again up to the number of attempts.
fn ask_all(conf: &ResolvConf, name: &str) -> io::Result<Found> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..conf.attempts {
        for server in &conf.servers {
            match ask(*server, name, conf.timeout) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
                Err(error) => last = error,
                found => return found,
            }
        }
    }
    Err(last)
}

/// Asks one server for both kinds of addresses at once.
fn ask(server: SocketAddr, name: &str, timeout: Duration) -> io::Result<Found> {
    let ids = random_ids();
    let bad_name = || io::Error::from(io::ErrorKind::InvalidInput);
    let questions = [
        message::question(ids[0], name, Kind::Aaaa).ok_or_else(bad_name)?,
        message::question(ids[1], name, Kind::A).ok_or_else(bad_name)?,
    ];
    let answers = exchange(server, &questions, timeout)?;
    let mut addresses = Vec::new();
    let mut exists = false;
    let mut failure = None;
    for (question, answer) in questions.iter().zip(answers) {
        let answer = match answer {
            Answer::Truncated => exchange_over_tcp(server, question, timeout)?,
            answer => answer,
        };
        match answer {
            Answer::Addresses(found) => {
                exists = true;
                addresses.extend(found);
            }
            Answer::NoSuchName => {}
            Answer::Truncated => failure = Some("its answer over TCP is cut off".to_owned()),
            Answer::Failed(code) => failure = Some(format!("it answered with {}", rcode(code))),
        }
    }
    match failure {
        // Some servers fail for AAAA only; the other kind is then enough.
        Some(text) if addresses.is_empty() => {
            Err(io::Error::other(format!("{}: {text}", server.ip())))
        }
        _ if exists => Ok(Found::Addresses(addresses)),
        _ => Ok(Found::NoSuchName),
    }
}

/// Sends the questions over UDP and waits for the answer to each.
fn exchange(
    server: SocketAddr,
    questions: &[Vec<u8>; 2],
    timeout: Duration,
) -> io::Result<[Answer; 2]> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A port chosen by the kernel at random; connected, so that only this server is heard.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    for question in questions {
        socket.send(question)?;
    }
    let deadline = Instant::now() + timeout;
    let mut answers = [None, None];
    let mut buffer = [0; BUFFER];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(no_answer(server));
        }
        socket.set_read_timeout(Some(left))?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(no_answer(server));
            }
            Err(error) => return Err(error),
        };
        for (question, place) in questions.iter().zip(&mut answers) {
            // Anything else is a late or a forged one.
            if let Ok(answer) = message::answer(question, &buffer[..length]) {
                *place = Some(answer);
            }
        }
        if let [Some(first), Some(second)] = &answers {
            return Ok([first.clone(), second.clone()]);
        }
    }
}

/// One question over TCP, where each message has its length in front (RFC 1035, 4.2.2).
fn exchange_over_tcp(server: SocketAddr, question: &[u8], timeout: Duration) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    message::answer(question, &message).map_err(io::Error::other)
}

fn no_answer(server: SocketAddr) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{} does not answer", server.ip()))
}

/// Two different numbers that nobody can guess.
fn random_ids() -> [u16; 2] {
    use std::hash::{BuildHasher, Hasher};
    // The standard library's only source of randomness, seeded by the kernel for each process and
    // changed with each use.
    let bits = std::hash::RandomState::new().build_hasher().finish().to_ne_bytes();
    let first = u16::from_ne_bytes([bits[0], bits[1]]);
    let second = u16::from_ne_bytes([bits[2], bits[3]]);
    [first, if first == second { second.wrapping_add(1) } else { second }]
}

fn rcode(code: u8) -> String {
    match code {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        code => format!("error {code}"),
    }
}
