//! Handing the seccomp listener to the agent that decides on system calls.

use crate::error::{Error, Result};
use crate::handshake::send_with_descriptors;
use spec::runtime::Spec;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use sys::OrError;
use sys::rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
};

/// Where the agent listens, and what it is told besides.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    path: PathBuf,
    metadata: String,
}

impl Listener {
    /// The agent of `linux.seccomp.listenerPath`, if there is one.
    pub(crate) fn new(spec: &Spec<'_>) -> Option<Listener> {
        let seccomp = spec.linux.seccomp.as_ref()?;
        (!seccomp.listener_path.is_empty()).then(|| Listener {
            path: PathBuf::from(&*seccomp.listener_path),
            metadata: seccomp.listener_metadata.to_string(),
        })
    }

    /// Sends the descriptor and the state of the process it is about: `ContainerProcessState` of
    /// the specification. `state` is the container's state document.
    pub(crate) fn hand_over(&self, fd: BorrowedFd<'_>, pid: i32, state: &str) -> Result<()> {
        let parsed = spec::json::parse(state.as_bytes());
        let message = spec::runtime::ContainerProcessState {
            oci_version: spec::runtime::VERSION.into(),
            fds: vec![spec::runtime::SECCOMP_FD_NAME.into()],
            pid,
            metadata: self.metadata.as_str().into(),
            state: parsed.map_err(|_| Error::Internal("a state that is no JSON"))?,
        };
        let message = spec::json::to_line(&message)
            .map_err(|_| Error::Internal("a state that is no JSON"))?;
        let socket = connect_to(&self.path).map_err(|error| Error::File {
            what: "seccomp listener",
            path: self.path.clone(),
            error,
        })?;
        Ok(send_with_descriptors(socket.as_fd(), message.as_bytes(), &[fd])?)
    }
}

/// A stream to a unix socket of the host.
pub(crate) fn connect_to(path: &std::path::Path) -> std::result::Result<OwnedFd, sys::Error> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .or_error("socket", || "AF_UNIX, SOCK_STREAM")?;
    let address = SocketAddrUnix::new(path).or_error("connect", || format!("{path:?}"))?;
    connect(&socket, &address).or_error("connect", || format!("{path:?}"))?;
    Ok(socket)
}
