//! Ports of the machine, held so that nobody else takes them.

use crate::Error;
use crate::port::{Port, Protocol};
use crate::relay::Listener;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use sys::OrError;
use sys::rustix::io::Errno;
use sys::rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, ipproto, socket_with, sockopt,
};

const LOOPBACK: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// How often another free port is tried that only one of several addresses has free.
const TRIES: usize = 20;

/// Ports that are ours as long as this lives.
///
/// The firewall takes what comes for them before any socket would get it. The sockets are bound
/// only so that a program which wants the same port is told so, and does not wait in vain. But it
/// cannot take what comes for `::1`: for that there are sockets to listen on.
#[derive(Debug)]
pub struct Reservation {
    ports: Vec<Port>,
    sockets: Vec<OwnedFd>,
    listeners: Vec<Listener>,
}

impl Reservation {
    /// Reserves ports, and finds free ones where none are given.
    ///
    /// # Errors
    /// [`Error::PortInUse`]; EACCES for a port below 1024 without CAP_NET_BIND_SERVICE;
    /// EADDRNOTAVAIL for an address that the machine does not have.
    pub fn new(ports: &[Port]) -> Result<Reservation, Error> {
        Reservation::with(ports, false)
    }

    /// Finds out whether another program could listen on these ports, and which are free where none
    /// are given: all of them with a number. What is left of old connections does not matter.
    ///
    /// # Errors
    /// As of [`Reservation::new`].
    pub fn try_for_other(ports: &[Port]) -> Result<Vec<Port>, Error> {
        Ok(Reservation::with(ports, true)?.ports)
    }

    fn with(ports: &[Port], reuse: bool) -> Result<Reservation, Error> {
        let mut reservation =
            Reservation { ports: Vec::new(), sockets: Vec::new(), listeners: Vec::new() };
        for port in ports {
            let held = reserve(port, reuse)?;
            reservation.ports.push(Port { host: Some(held.number), last: None, ..*port });
            reservation.sockets.extend(held.sockets);
            reservation.listeners.extend(held.listener);
        }
        Ok(reservation)
    }

    /// The ports, all of them with a number on the machine.
    #[must_use]
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The sockets at `::1`, once: they are held by whoever has them from then on.
    pub fn take_listeners(&mut self) -> Vec<Listener> {
        std::mem::take(&mut self.listeners)
    }

    /// From now on they are not ours.
    pub fn release(&mut self) {
        self.sockets.clear();
        self.listeners.clear();
    }
}

/// Sockets for what comes by IPv6, beside a helper that has IPv4 alone: at all addresses, and what comes
/// there goes to the same port of `127.0.0.1`. TCP alone: `slirp4netns` loses what is answered over UDP
/// to the machine itself.
///
/// # Errors
/// As of [`Reservation::new`].
pub fn listen_beside_helper(ports: &[Port]) -> Result<Vec<Listener>, Error> {
    let mut listeners = Vec::new();
    let is_one = |it: &&Port| it.address.is_none() && it.protocol == Protocol::Tcp;
    for port in ports.iter().filter(is_one) {
        let Some(number) = port.host else { continue };
        let address = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), number);
        // There may be remains of connections.
        match bound(address, port.protocol, true) {
            Ok(socket) => {
                let to_same = Port { container: number, ..*port };
                let listener = Listener::new(socket, None, &to_same);
                listeners.push(listener.map_err(Error::doing("listen by IPv6"))?);
            }
            Err(error) if is_unknown(error.errno) => {}
            Err(error) if error.errno == Errno::ADDRINUSE => {
                return Err(Error::PortInUse { port: *port });
            }
            Err(error) => return Err(Error::doing(format!("publish the port {port}"))(error)),
        }
    }
    Ok(listeners)
}

/// What holds one port.
#[derive(Default)]
struct Held {
    number: u16,
    sockets: Vec<OwnedFd>,
    listener: Option<Listener>,
}

fn reserve(port: &Port, reuse: bool) -> Result<Held, Error> {
    let mut tries = 0;
    let mut tried = *port;
    loop {
        tries += 1;
        match reserve_once(&tried, reuse) {
            Err(error) if error.errno == Errno::ADDRINUSE => {
                if let (Some(number), Some(last)) = (tried.host, tried.last)
                    && number < last
                {
                    tried.host = Some(number + 1);
                } else if port.host.is_some() || tries == TRIES {
                    return Err(Error::PortInUse { port: *port });
                }
            }
            result => {
                return result.map_err(Error::doing(format!("publish the port {port}")));
            }
        }
    }
}

fn reserve_once(port: &Port, reuse: bool) -> Result<Held, sys::Error> {
    let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let given = port.address.map(|address| [address]);
    let addresses: &[IpAddr] = given.as_ref().map_or(&everywhere, |given| given);
    let is_tcp = port.protocol == Protocol::Tcp;
    let mut held = Held { number: port.host.unwrap_or(0), ..Held::default() };
    for address in addresses {
        let is_everywhere = port.address.is_none() && address.is_ipv6();
        // There may be remains of connections to `::1`, which end here.
        // Who listens is in the way all the same; with UDP nobody would be.
        let reuse = is_tcp && (reuse || is_everywhere || *address == LOOPBACK);
        match bound(SocketAddr::new(*address, held.number), port.protocol, reuse) {
            Ok(socket) => {
                held.number = number_of(&socket)?;
                if is_everywhere {
                    held.add_with_loopback(socket, port)?;
                } else if *address == LOOPBACK {
                    held.listener = Some(Listener::new(socket, None, port)?);
                } else {
                    held.sockets.push(socket);
                }
            }
            // Without IPv6, or without SCTP, nobody else can have the port either.
            Err(error) if port.address.is_none() && is_unknown(error.errno) && held.number != 0 => {
            }
            Err(error) => return Err(error),
        }
    }
    Ok(held)
}

impl Held {
    /// A socket for all addresses of IPv6, which is to keep others away, and one for `::1` beside it,
    /// if that is there: both must allow it for this moment.
    fn add_with_loopback(&mut self, everywhere: OwnedFd, port: &Port) -> Result<(), sys::Error> {
        if port.protocol == Protocol::Sctp {
            self.sockets.push(everywhere);
            return Ok(());
        }
        allow_others(&everywhere, true)?;
        match bound(SocketAddr::new(LOOPBACK, self.number), port.protocol, true) {
            Ok(socket) => {
                self.listener = Some(Listener::new(socket, Some(everywhere), port)?);
                Ok(())
            }
            Err(error) if is_unknown(error.errno) => {
                allow_others(&everywhere, false)?;
                self.sockets.push(everywhere);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether another socket may be bound to the same port that says the same.
pub(crate) fn allow_others(socket: &OwnedFd, allow: bool) -> Result<(), sys::Error> {
    sockopt::set_socket_reuseaddr(socket, allow)
        .or_error("setsockopt", || format!("SO_REUSEADDR, {allow}"))
}

fn is_unknown(errno: Errno) -> bool {
    matches!(errno, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT)
}

fn bound(address: SocketAddr, protocol: Protocol, reuse: bool) -> Result<OwnedFd, sys::Error> {
    let arguments = || format!("{address}/{protocol}");
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, ipproto::SCTP),
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(number))
        .or_error("socket", arguments)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true).or_error("setsockopt", arguments)?;
    }
    if reuse {
        allow_others(&socket, true)?;
    }
    bind(&socket, &address).or_error("bind", arguments)?;
    Ok(socket)
}

fn number_of(socket: &OwnedFd) -> Result<u16, sys::Error> {
    let address = getsockname(socket).or_error("getsockname", || "")?;
    Ok(SocketAddr::try_from(address).or_error("getsockname", || "")?.port())
}

#[cfg(test)]
mod tests {
    use super::Reservation;
    use crate::Error;
    use crate::port::parse;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn a_port_is_had_once_and_free_again_afterwards() {
        let first = Reservation::new(&parse("80").unwrap()).unwrap();
        let number = first.ports()[0].host.unwrap();
        assert_ne!(number, 0);
        let same = parse(&format!("{number}:80")).unwrap();
        assert!(matches!(Reservation::new(&same), Err(Error::PortInUse { .. })));
        assert!(TcpListener::bind(("127.0.0.1", number)).is_err());
        assert!(TcpListener::bind(("::1", number)).is_err());
        // Another protocol has ports of its own.
        drop(UdpSocket::bind(("127.0.0.1", number)).unwrap());
        drop(first);
        drop(Reservation::new(&same).unwrap());
    }

    #[test]
    fn what_somebody_else_has_is_refused() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = other.local_addr().unwrap().port();
        let text = format!("127.0.0.1:{number}:80");
        let error = Reservation::new(&parse(&text).unwrap()).unwrap_err();
        assert!(error.to_string().contains(&format!("127.0.0.1:{number}:80/tcp")), "{error}");
        // Not at another address, nor one that the machine does not have.
        drop(Reservation::new(&parse(&format!("127.0.0.2:{number}:80")).unwrap()).unwrap());
        let error = Reservation::new(&parse("203.0.113.9:8080:80").unwrap()).unwrap_err();
        assert!(error.to_string().contains("bind(203.0.113.9:8080/tcp)"), "{error}");
    }
}
