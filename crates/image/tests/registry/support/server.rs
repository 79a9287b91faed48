//! An HTTP server that can be told to misbehave. It lives as long as its value.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// `Content-Length`, if not the body's.
    pub(crate) declared: Option<u64>,
    /// How many bytes of the body are sent before the connection is closed.
    pub(crate) cut: Option<usize>,
    pub(crate) is_chunked: bool,
    /// Nothing at all is sent, the connection is closed.
    pub(crate) hangs_up: bool,
    /// Bytes that are sent instead of all of the above.
    pub(crate) raw: Option<Vec<u8>>,
    /// The connection stays open without another byte, until the client gives up.
    pub(crate) stalls: bool,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            declared: None,
            cut: None,
            is_chunked: false,
            hangs_up: false,
            raw: None,
            stalls: false,
        }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Reply {
        Reply { body: body.into(), ..Reply::new(200) }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn redirect(status: u16, location: impl Into<String>) -> Reply {
        Reply::new(status).header("Location", location)
    }
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A server on a port of its own of 127.0.0.1.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request with what `handler` says.
    pub(crate) fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
        Server::run(None, handler)
    }

    pub(crate) fn start_tls(
        config: Arc<ServerConfig>,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::run(Some(config), handler)
    }

    fn run(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server {
            address,
            seen: Arc::default(),
            connections: Arc::default(),
            stop: Arc::default(),
        };
        let (seen, stop) = (server.seen.clone(), server.stop.clone());
        let connections = server.connections.clone();
        let handler: Arc<Handler> = Arc::new(handler);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                connections.fetch_add(1, Ordering::Relaxed);
                let (seen, handler, tls) = (seen.clone(), handler.clone(), tls.clone());
                let stream = stream.unwrap();
                std::thread::spawn(move || match tls {
                    None => serve(stream, &handler, &seen),
                    Some(config) => {
                        let session = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(session, stream), &handler, &seen);
                    }
                });
            }
        });
        server
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// `METHOD TARGET` of what came so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|it| format!("{} {}", it.method, it.target)).collect()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// As the host of an image's name.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// What a connection can be closed like.
trait Connection: Read + Write {
    fn close(&mut self);
}

impl Connection for TcpStream {
    fn close(&mut self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Connection for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) {
        let _ = self.sock.shutdown(Shutdown::Both);
    }
}

fn serve(stream: impl Connection, handler: &Arc<Handler>, seen: &Mutex<Vec<Seen>>) {
    let mut stream = BufReader::new(stream);
    // The first byte of TLS. Servers in Go answer as this does.
    if stream.fill_buf().is_ok_and(|bytes| bytes.first() == Some(&0x16)) {
        let _ = stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        stream.get_mut().close();
        return;
    }
    while let Some(request) = read_request(&mut stream) {
        seen.lock().unwrap().push(request.clone());
        let reply = handler(&request);
        let stays = write_reply(stream.get_mut(), &request, &reply);
        if reply.stalls {
            // Until the client has gone.
            let _ = stream.read(&mut [0]);
        }
        if !stays {
            break;
        }
    }
    stream.get_mut().close();
}

fn read_request(stream: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Seen { method, target, headers, body })
}

/// Whether the connection stays.
fn write_reply(stream: &mut impl Connection, request: &Seen, reply: &Reply) -> bool {
    if reply.hangs_up {
        return false;
    }
    if let Some(raw) = &reply.raw {
        let _ = stream.write_all(raw);
        return false;
    }
    let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = reply.declared.unwrap_or(reply.body.len() as u64);
    if reply.is_chunked {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
    } else {
        head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
    }
    let end = reply.cut.unwrap_or(reply.body.len());
    let mut bytes = head.into_bytes();
    if request.method == "HEAD" {
    } else if reply.is_chunked {
        for chunk in reply.body[..end].chunks(1000) {
            bytes.extend(format!("{:x};x=y\r\n", chunk.len()).bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        if reply.cut.is_none() {
            bytes.extend(b"0\r\nTrailer: x\r\n\r\n");
        }
    } else {
        bytes.extend(&reply.body[..end]);
    }
    stream.write_all(&bytes).is_ok() && reply.cut.is_none() && length == reply.body.len() as u64
}
