//! Sends a request to where it belongs: an idle connection or a new one, direct or by a proxy.

use super::connect;
use super::dns::{ResolveError, Resolver};
use super::http::{Body, Head, HttpError, Request, Response, Timeouts};
use super::http::{Method, Target};
use super::pool::{Key, Lease, Pool};
use super::proxy::{Proxies, Proxy};
use super::stream::Stream;
use super::tls::{self, Tls, TlsError, TlsFiles};
use super::url::{Origin, Scheme};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, RootCertStore};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The buffer of a connection: a read of a body that asks for more goes past it.
const BUFFER: usize = 16 * 1024;

/// What a client is made of.
#[derive(Debug)]
pub struct Settings {
    /// Finds addresses.
    pub resolver: Resolver,
    /// What stands between us and servers.
    pub proxies: Proxies,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// The first of these files that exists has the certificates of the authorities that everyone
    /// trusts ([`tls::SYSTEM_ROOTS`]).
    pub system_roots: Vec<PathBuf>,
    /// How we introduce ourselves.
    pub user_agent: String,
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
#[error("{server}: {reason}")]
pub struct TransportError {
    /// For whom the request was.
    pub server: Origin,
    /// What happened.
    #[source]
    pub reason: Reason,
}

/// What can happen to a request.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The server's or the proxy's name.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// No address could be connected to.
    #[error("cannot connect to {0}")]
    Connect(io::Error),
    /// The server's certificate is not trusted, or it speaks no TLS that we do.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// The server answers in the clear where TLS was expected.
    #[error("it speaks plain HTTP, not HTTPS")]
    PlainHttp,
    /// Certificates of ours that cannot be used.
    #[error(transparent)]
    Settings(#[from] TlsError),
    /// The proxy refused.
    #[error("the proxy {proxy} answered {status}")]
    Proxy {
        /// The proxy.
        proxy: Origin,
        /// The status of its answer.
        status: u16,
    },
    /// Anything after the connection was made.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Reason {
    /// Whether another try may succeed: the fault is the network's or passing.
    pub fn is_passing(&self) -> bool {
        match self {
            Reason::Resolve(error) => matches!(error, ResolveError::NoAnswer { .. }),
            Reason::Connect(_) => true,
            Reason::Tls(_) | Reason::PlainHttp | Reason::Settings(_) => false,
            Reason::Proxy { status, .. } => *status >= 500,
            Reason::Http(error) => matches!(error, HttpError::Connection(_) | HttpError::Closed),
        }
    }

    /// Whether nobody listens where the server should be.
    pub fn is_refused(&self) -> bool {
        matches!(self, Reason::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

impl From<io::Error> for Reason {
    /// rustls hides its errors in those of the stream.
    fn from(error: io::Error) -> Reason {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            // The first bytes were no TLS record: in practice `HTTP/1.1 400`.
            Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
                Reason::PlainHttp
            }
            Some(inner) => Reason::Tls(inner.clone()),
            None if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                let text = "the server does not answer in time";
                Reason::Http(HttpError::Connection(io::Error::new(io::ErrorKind::TimedOut, text)))
            }
            None => Reason::Http(HttpError::Connection(error)),
        }
    }
}

/// Sends requests. Shared by threads; each request waits on its own.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    pool: Arc<Pool>,
    roots: Mutex<Option<Arc<RootCertStore>>>,
    tls: Mutex<HashMap<TlsFiles, Tls>>,
}

impl Client {
    /// A client without connections.
    pub fn new(settings: Settings) -> Client {
        Client { settings, pool: Arc::default(), roots: Mutex::default(), tls: Mutex::default() }
    }

    /// Makes TLS settings, or finds those that were made for the same files.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn tls(&self, files: &TlsFiles) -> Result<Tls, TlsError> {
        let mut known = self.tls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(tls) = known.get(files) {
            return Ok(tls.clone());
        }
        let tls = Tls::new(&*self.system_roots()?, files)?;
        known.insert(files.clone(), tls.clone());
        Ok(tls)
    }

    /// Sends the request and reads the head of its response. Redirects are the caller's.
    ///
    /// # Errors
    /// There is no response: see [`Reason`].
    pub fn send(&self, request: &mut Request<'_>, tls: &Tls) -> Result<Response, TransportError> {
        let server = request.url.origin().clone();
        self.try_send(request, tls).map_err(|reason| TransportError { server, reason })
    }

    fn try_send(&self, request: &mut Request<'_>, tls: &Tls) -> Result<Response, Reason> {
        let origin = request.url.origin().clone();
        let key = Key { origin, identity: tls.identity() };
        while let Some(lease) = self.pool.take(&key) {
            match self.exchange(lease, request) {
                // The server may have closed the idle connection just as we wrote.
                Err(reason)
                    if reason.is_passing()
                        && request.is_repeatable()
                        && request.method.is_safe() => {}
                result => return result,
            }
        }
        let stream = self.connect(&key.origin, tls)?;
        self.exchange(self.pool.lease(key, stream), request)
    }

    fn exchange(&self, mut lease: Lease, request: &mut Request<'_>) -> Result<Response, Reason> {
        let timeouts = &self.settings.timeouts;
        let origin = request.url.origin().clone();
        let proxy = self.settings.proxies.to(&origin).filter(|_| origin.scheme == Scheme::Http);
        let target = match proxy {
            Some(proxy) => Target::Proxy(proxy.authorization.as_deref()),
            None => Target::Server,
        };
        lease.stream.set_timeout(timeouts.stall)?;
        let sent = request.write(&mut lease, target, &self.settings.user_agent);
        let gave_up = match sent {
            Ok(()) => None,
            // A server may answer and close before it has read an upload that it refuses.
            Err(error) if is_closed(&error) => Some(error),
            Err(error) => return Err(error.into()),
        };
        let mut connection = BufReader::with_capacity(BUFFER, lease);
        let head = match read_head(&mut connection, timeouts) {
            Ok(head) => head,
            Err(reason) => return Err(gave_up.map_or(reason, Reason::from)),
        };
        connection.get_ref().stream.set_timeout(timeouts.stall)?;
        let body = Body::new(connection, &head, request.method == Method::Head, timeouts)?;
        Ok(Response { head, body })
    }

    fn connect(&self, origin: &Origin, tls: &Tls) -> Result<Stream, Reason> {
        let stream = match self.settings.proxies.to(origin) {
            None => self.connect_to(origin)?,
            Some(proxy) => self.connect_by(proxy, origin)?,
        };
        match origin.scheme {
            Scheme::Http => Ok(stream),
            Scheme::Https => secure(stream, origin, tls),
        }
    }

    /// A connection on which the server, or for plain HTTP the proxy, listens.
    fn connect_by(&self, proxy: &Proxy, origin: &Origin) -> Result<Stream, Reason> {
        let mut stream = self.connect_to(&proxy.origin)?;
        if proxy.origin.scheme == Scheme::Https {
            stream = secure(stream, &proxy.origin, &self.tls(&TlsFiles::default())?)?;
        }
        if origin.scheme == Scheme::Http {
            return Ok(stream);
        }
        let place = origin.place();
        let mut head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        if let Some(authorization) = &proxy.authorization {
            head.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        // Nothing comes from the server before we begin with TLS, so no byte of it is buffered.
        let key = Key { origin: proxy.origin.clone(), identity: 0 };
        let mut connection = BufReader::with_capacity(BUFFER, self.pool.lease(key, stream));
        let head = read_head(&mut connection, &self.settings.timeouts)?;
        if head.status != 200 {
            return Err(Reason::Proxy { proxy: proxy.origin.clone(), status: head.status });
        }
        Ok(connection.into_inner().stream)
    }

    fn connect_to(&self, origin: &Origin) -> Result<Stream, Reason> {
        let addresses = self.settings.resolver.addresses(&origin.host)?;
        let addresses: Vec<_> =
            addresses.into_iter().map(|address| SocketAddr::new(address, origin.port)).collect();
        let timeouts = &self.settings.timeouts;
        let socket =
            connect::first_to_answer(&addresses, timeouts.connect).map_err(Reason::Connect)?;
        let stream = Stream::plain(socket)?;
        stream.set_timeout(timeouts.head)?;
        Ok(stream)
    }

    fn system_roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = self.roots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(roots) = &*roots {
            return Ok(roots.clone());
        }
        let read = Arc::new(tls::system_roots(&self.settings.system_roots)?);
        Ok(roots.insert(read).clone())
    }
}

/// TLS over a connection, with the handshake done, so that its errors are told from others.
fn secure(stream: Stream, origin: &Origin, tls: &Tls) -> Result<Stream, Reason> {
    let name = ServerName::try_from(origin.host.clone())
        .map_err(|error| Reason::Tls(rustls::Error::General(error.to_string())))?;
    let mut session = ClientConnection::new(tls.config.clone(), name).map_err(Reason::Tls)?;
    let mut stream = stream;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(stream.within(session))
}

/// Reads up to the empty line, within the time for that.
fn read_head(connection: &mut BufReader<Lease>, timeouts: &Timeouts) -> Result<Head, Reason> {
    let deadline = Instant::now() + timeouts.head;
    let mut bytes = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        connection.get_ref().stream.set_timeout(left)?;
        let new = connection.fill_buf()?;
        if new.is_empty() {
            let error = if bytes.is_empty() {
                HttpError::Closed
            } else {
                HttpError::Connection(io::ErrorKind::UnexpectedEof.into())
            };
            return Err(error.into());
        }
        let before = bytes.len();
        bytes.extend_from_slice(new);
        let count = new.len();
        let Some((head, length)) = Head::parse(&bytes)? else {
            connection.consume(count);
            continue;
        };
        connection.consume(length - before);
        if !head.is_interim() {
            return Ok(head);
        }
        // What follows an interim head is still in the buffer.
        bytes.clear();
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
