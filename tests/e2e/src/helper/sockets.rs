//! Steps that try something with a socket and say how it went.

use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};

use super::say_result;

/// False when the word is not one of these.
pub(super) fn step(verb: &str, value: &str) -> bool {
    let what = format!("{verb} {value}");
    let port = || value.parse::<u16>().expect("a port");
    match verb {
        "bind" => say_result(&what, TcpListener::bind(("127.0.0.1", port()))),
        "connect" => say_result(&what, TcpStream::connect(("127.0.0.1", port()))),
        "connect-abstract" => {
            let address = SocketAddr::from_abstract_name(value);
            say_result(&what, address.and_then(|address| UnixStream::connect_addr(&address)));
        }
        // Tells the service manager, sd_notify(3).
        "notify" => {
            let manager = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
            let sent = UnixDatagram::unbound().and_then(|it| it.send_to(value.as_bytes(), manager));
            say_result(&what, sent);
        }
        _ => return false,
    }
    true
}
