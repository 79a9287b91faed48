//! Connections that wait for their next request.

use super::stream::Stream;
use super::url::Origin;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Servers close idle connections after a minute or more; a shorter time avoids most races.
const KEPT: Duration = Duration::from_secs(30);

/// For each server. More would be left over from a pull of many layers at once.
const KEPT_EACH: usize = 8;

/// What a connection can be used for: a server, and what it was told about certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) origin: Origin,
    /// Tells TLS settings apart ([`super::tls::Server::identity`]).
    pub(super) identity: usize,
}

/// Idle connections.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<Key, Vec<(Instant, Stream)>>>,
}

impl Pool {
    /// The connection that was used last, if there is one that is still good.
    pub(super) fn take(self: &Arc<Pool>, key: &Key) -> Option<Lease> {
        let mut idle = self.idle.lock().ok()?;
        let connections = idle.get_mut(key)?;
        while let Some((since, stream)) = connections.pop() {
            if since.elapsed() < KEPT && !stream.is_stale() {
                return Some(Lease { stream, key: key.clone(), pool: self.clone() });
            }
        }
        None
    }

    /// A new connection, which will come here when it has served.
    pub(super) fn lease(self: &Arc<Pool>, key: Key, stream: Stream) -> Lease {
        Lease { stream, key, pool: self.clone() }
    }
}

/// A connection in use. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(super) stream: Stream,
    key: Key,
    pool: Arc<Pool>,
}

impl Lease {
    /// Keeps the connection for another request.
    pub(crate) fn give_back(self) {
        let Ok(mut idle) = self.pool.idle.lock() else { return };
        let connections = idle.entry(self.key).or_default();
        if connections.len() == KEPT_EACH {
            connections.remove(0);
        }
        connections.push((Instant::now(), self.stream));
    }
}

impl Read for Lease {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Lease {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
