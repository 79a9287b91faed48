//! Sends a request to where it belongs: an idle connection or a new one, direct or by a proxy.

use super::connect;
use super::dns::{ResolveError, Resolver};
use super::http::{Body, Head, HttpError, Request, Response, Timeouts};
use super::http::{Method, Target};
use super::pool::{Key, Lease, Pool};
use super::proxy::{Proxies, Proxy};
use super::stream::Stream;
use super::tls::{self, Server, ServerSettings, TlsError};
use super::url::{Origin, Scheme};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, RootCertStore};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
    pub reason: Box<Reason>,
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
    /// The connection ended within the handshake.
    #[error("TLS handshake: {0}")]
    Handshake(io::Error),
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
            Reason::Connect(_) | Reason::Handshake(_) => true,
            Reason::Tls(_) | Reason::PlainHttp | Reason::Settings(_) => false,
            Reason::Proxy { status, .. } => *status >= 500,
            Reason::Http(error) => matches!(error, HttpError::Connection(_) | HttpError::Closed),
        }
    }

    /// Whether the server may be one that knows no TLS: some answer in the clear to a handshake,
    /// some close the connection.
    pub(crate) fn may_be_plain_http(&self) -> bool {
        matches!(self, Reason::PlainHttp | Reason::Handshake(_))
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
    servers: Mutex<HashMap<ServerSettings, Server>>,
}

impl Client {
    /// A client without connections.
    pub fn new(settings: Settings) -> Client {
        Client {
            settings,
            pool: Arc::default(),
            roots: Mutex::default(),
            servers: Mutex::default(),
        }
    }

    /// Prepares settings, or finds what was prepared for the same ones.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn server(&self, settings: &ServerSettings) -> Result<Server, TlsError> {
        let mut known = self.servers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(server) = known.get(settings) {
            return Ok(server.clone());
        }
        let server = Server::new(&*self.system_roots()?, settings)?;
        known.insert(settings.clone(), server.clone());
        Ok(server)
    }

    /// Sends the request and reads the head of its response. Redirects are the caller's.
    ///
    /// # Errors
    /// There is no response: see [`Reason`].
    pub fn send(
        &self,
        request: &mut Request<'_>,
        server: &Server,
    ) -> Result<Response, TransportError> {
        self.try_send(request, server).map_err(|reason| {
            let server = request.url.origin().clone();
            TransportError { server, reason: Box::new(reason) }
        })
    }

    fn try_send(&self, request: &mut Request<'_>, server: &Server) -> Result<Response, Reason> {
        let origin = request.url.origin().clone();
        let key = Key { origin, identity: server.identity() };
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
        let stream = self.connect(&key.origin, server)?;
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

    fn connect(&self, origin: &Origin, server: &Server) -> Result<Stream, Reason> {
        let stream = match self.settings.proxies.to(origin) {
            None => self.connect_to(origin, server.connect_timeout)?,
            Some(proxy) => self.connect_by(proxy, origin)?,
        };
        match origin.scheme {
            Scheme::Http => Ok(stream),
            Scheme::Https => secure(stream, origin, server),
        }
    }

    /// A connection on which the server, or for plain HTTP the proxy, listens.
    fn connect_by(&self, proxy: &Proxy, origin: &Origin) -> Result<Stream, Reason> {
        let mut stream = self.connect_to(&proxy.origin, None)?;
        if proxy.origin.scheme == Scheme::Https {
            stream = secure(stream, &proxy.origin, &self.server(&ServerSettings::default())?)?;
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

    fn connect_to(&self, origin: &Origin, timeout: Option<Duration>) -> Result<Stream, Reason> {
        let addresses = self.settings.resolver.addresses(&origin.host)?;
        let addresses: Vec<_> =
            addresses.into_iter().map(|address| SocketAddr::new(address, origin.port)).collect();
        let timeouts = &self.settings.timeouts;
        let timeout = timeout.unwrap_or(timeouts.connect);
        let socket = connect::first_to_answer(&addresses, timeout).map_err(Reason::Connect)?;
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
fn secure(stream: Stream, origin: &Origin, server: &Server) -> Result<Stream, Reason> {
    let name = ServerName::try_from(origin.host.clone())
        .map_err(|error| Reason::Tls(rustls::Error::General(error.to_string())))?;
    let mut session = ClientConnection::new(server.config.clone(), name).map_err(Reason::Tls)?;
    let mut stream = stream;
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| match Reason::from(error) {
            Reason::Http(HttpError::Connection(error)) => Reason::Handshake(error),
            reason => reason,
        })?;
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
