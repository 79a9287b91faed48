//! What the tests of the runtime use: bundles, containers made of them, and their cgroups.

pub(super) mod bundle;
pub(super) mod container;
pub(super) mod groups;
pub(super) mod kernel;
pub(super) mod tracing;

pub(super) use bundle::Bundle;
pub(super) use container::Container;

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::support::{Running, until};

/// The runtime under test: `$TINYORT_BIN`, or `tinyort` beside this executable. Without it, or
/// without root, the trial is skipped.
pub(super) fn runtime() -> Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        harness::skip("needs root")?;
    }
    let path = harness::tinyort();
    if !path.is_file() {
        harness::skip(format!("there is no runtime at {}", path.display()))?;
    }
    Ok(path)
}

/// Has what this trial mounts concern nobody else; the runtimes that it starts see it.
pub(super) fn unshare_mounts() -> Result<()> {
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// The connection that the runtime makes, unless the program ends without it.
pub(super) fn accept(listener: &UnixListener, running: &Running) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let mut stream = None;
    until("somebody connects", || {
        stream = listener.accept().ok().map(|(stream, _)| stream);
        stream.is_some() || !running.still_runs()
    })?;
    stream.with_context(|| format!("it ended without connecting: {:?}", running.stderr()))
}

/// What comes next on a socket: bytes and descriptors.
pub(super) fn receive(stream: &UnixStream) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; 65536];
    let buffer = &mut [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(stream, buffer, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    bytes.truncate(received.bytes);
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((bytes, descriptors))
}
