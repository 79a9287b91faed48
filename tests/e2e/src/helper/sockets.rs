//! Steps that try something with a socket and say how it went.

use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

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
        _ => return false,
    }
    true
}
