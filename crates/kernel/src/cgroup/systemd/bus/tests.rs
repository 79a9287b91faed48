//! Talks to sockets behind which there is no systemd.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::super::error::{Error, Result};
use super::super::message::Call;
use super::Connection;

const CALL: Call<'_> =
    Call { destination: "a.b", path: "/a", interface: "a.b", member: "Member", body: &[] };

/// A socket that goes away with the test, and what happens behind it.
struct Server {
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(name: &str, serve: impl FnOnce(UnixStream) + Send + 'static) -> Server {
        let path = std::env::temp_dir().join(format!("tinyo-bus-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        Server { path, thread: Some(thread) }
    }

    fn connect(&self, patience: Duration) -> Result<Connection> {
        Connection::open(self.path.to_str().unwrap(), patience)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = sys::rustix::fs::unlink(&self.path);
    }
}

/// Reads the handshake and lets the caller in.
fn let_in(stream: &mut UnixStream) {
    let mut handshake = [0; 29];
    stream.read_exact(&mut handshake).unwrap();
    assert_eq!(&handshake, b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    stream.write_all(b"DATA\r\nOK 0123\r\n").unwrap();
}

/// A reply or an error without fields but the serial it answers, and without a body.
fn answer(kind: u8, serial: u8) -> [u8; 24] {
    let mut answer = [0; 24];
    answer[..4].copy_from_slice(&[b'l', kind, 0, 1]);
    answer[8] = 1;
    answer[12] = 8;
    answer[16..20].copy_from_slice(&[5, 1, b'u', 0]);
    answer[20] = serial;
    answer
}

/// Reads one call; the tests make them short.
fn read_call(stream: &mut UnixStream) {
    let mut buffer = [0; 4096];
    assert!(stream.read(&mut buffer).unwrap() > 16);
}

#[test]
fn replies_are_told_from_what_answers_another_call() {
    let server = Server::start("replies", |mut stream| {
        let_in(&mut stream);
        read_call(&mut stream);
        stream.write_all(&answer(2, 99)).unwrap();
        // A byte at a time: a message need not come as a whole.
        for byte in answer(2, 1) {
            stream.write_all(&[byte]).unwrap();
        }
        read_call(&mut stream);
        stream.write_all(&answer(3, 2)).unwrap();
    });
    let mut connection = server.connect(Duration::from_secs(20)).unwrap();
    assert_eq!(connection.call(&CALL).unwrap().reply_to, Some(1));
    let refused = connection.call(&CALL).unwrap_err();
    assert!(matches!(refused, Error::SystemdRefused { .. }), "{refused}");
}

#[test]
fn silence_ends_the_talk() {
    let server = Server::start("silence", |mut stream| {
        let_in(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    // Long enough for the first words, which do come.
    let mut connection = server.connect(Duration::from_secs(3)).unwrap();
    assert!(matches!(connection.call(&CALL), Err(Error::TimedOut { .. })));
}

#[test]
fn a_closed_connection_and_a_refusal_are_errors() {
    let server = Server::start("closed", |mut stream| let_in(&mut stream));
    let mut connection = server.connect(Duration::from_secs(20)).unwrap();
    let error = connection.call(&CALL).unwrap_err();
    assert!(matches!(error, Error::Systemd(_) | Error::System(_)), "{error}");
    drop(server);

    let server = Server::start("refusal", |mut stream| {
        stream.write_all(b"REJECTED EXTERNAL\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = server.connect(Duration::from_secs(20)).err().unwrap().to_string();
    assert_eq!(error, "systemd: it does not let us in: REJECTED EXTERNAL");
}

#[test]
fn what_is_no_message_is_an_error() {
    for (name, bytes) in [("version", *b"l\x02\0\x09"), ("length", [b'l', 2, 0, 1])] {
        let server = Server::start(name, move |mut stream| {
            let_in(&mut stream);
            let mut message = [0xff; 64];
            message[..4].copy_from_slice(&bytes);
            stream.write_all(&message).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let mut connection = server.connect(Duration::from_secs(20)).unwrap();
        let error = connection.call(&CALL).unwrap_err().to_string();
        assert_eq!(error, "systemd: it does not speak D-Bus: no message");
    }
}
