//! What a monitor and its clients say to each other: one message a packet, the first byte says
//! which.
//!
//! ```text
//! starter                    monitor                    other clients
//!   Attach, spawn ------------> starts the container
//!     <------ Started or Failed
//!                              listens <---------------- Attach, or Wait
//!     <-------------------------- Output ------------------->
//!   Input, InputEnd, Resize ---> terminal or pipe <------ Input, InputEnd, Resize
//!     <--------------------------- Exit --------------------> and the end
//! ```

use crate::error::{Error, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::Errno;
use sys::rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    listen, recv, send, socket_with, socketpair,
};

/// The most bytes of output or input in a message.
pub(crate) const CHUNK: usize = 16 << 10;

/// One of a program's streams of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Output,
    /// Standard error.
    Error,
}

/// A message, either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// To the monitor: send output from now on.
    Attach,
    /// To the monitor: nothing but the end is of interest.
    Wait,
    /// To the monitor: this is for the program.
    Input(&'a [u8]),
    /// To the monitor: there is no more.
    InputEnd,
    /// To the monitor: rows and columns of the terminal.
    Resize(u16, u16),
    /// To the monitor: whoever says this removes the container when it has ended.
    WillRemove,
    /// To the monitor: do not wait until it is time to start it again.
    Quit,
    /// To the monitor: open the log anew.
    ReopenLog,
    /// To the monitor: add this process, `process` of the runtime's configuration as JSON, and
    /// look after it. Answered by `Started` or `Failed`.
    Exec(&'a str),
    /// To the monitor: what the container was started with is another now.
    LaunchChanged,
    /// To the monitor: check its health now. Answered by `Checked`.
    Check,
    /// To the guard: this container has a monitor.
    Lives(&'a str),
    /// To the guard: that monitor ends well.
    Over,
    /// To the guard: there was another one before, and perhaps it was not the only one to be killed.
    GuardLost,
    /// From the monitor: the program runs, as this process.
    Started(i32),
    /// From the monitor: it could not be started; an exit code and why, and whether that is a full
    /// disk.
    Failed(u8, &'a str, bool),
    /// From the monitor: the program has printed something.
    Output(Stream, &'a [u8]),
    /// From the monitor: whether the check that was asked for has found it healthy.
    Checked(bool),
    /// From the monitor: it has ended for good, with this exit code.
    Exit(u8),
    /// From the keeper of a process that was added: nobody is in front of it any more.
    Left,
}

impl<'a> Message<'a> {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let with = |kind: u8, rest: &[u8]| [&[kind], rest].concat();
        match self {
            Message::Attach => vec![b'a'],
            Message::Wait => vec![b'w'],
            Message::Input(bytes) => with(b'i', bytes),
            Message::InputEnd => vec![b'e'],
            Message::Resize(rows, columns) => {
                with(b'r', &[rows.to_le_bytes(), columns.to_le_bytes()].concat())
            }
            Message::WillRemove => vec![b'd'],
            Message::Quit => vec![b'q'],
            Message::ReopenLog => vec![b'l'],
            Message::Exec(text) => with(b'p', text.as_bytes()),
            Message::LaunchChanged => vec![b'n'],
            Message::Check => vec![b'c'],
            Message::Lives(id) => with(b'v', id.as_bytes()),
            Message::Over => vec![b'o'],
            Message::GuardLost => vec![b'g'],
            Message::Started(pid) => with(b'S', &pid.to_le_bytes()),
            Message::Failed(code, text, is_full) => {
                let kind = if *is_full { b'D' } else { b'F' };
                with(kind, &[&[*code], text.as_bytes()].concat())
            }
            Message::Output(Stream::Output, bytes) => with(b'O', bytes),
            Message::Output(Stream::Error, bytes) => with(b'E', bytes),
            Message::Checked(healthy) => vec![b'H', u8::from(*healthy)],
            Message::Exit(code) => vec![b'X', *code],
            Message::Left => vec![b'L'],
        }
    }

    /// Nothing for what we do not know, as a newer program may say more.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let (kind, rest) = bytes.split_first()?;
        Some(match kind {
            b'a' => Message::Attach,
            b'w' => Message::Wait,
            b'i' => Message::Input(rest),
            b'e' => Message::InputEnd,
            b'r' => {
                let [a, b, c, d] = rest.try_into().ok()?;
                Message::Resize(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
            }
            b'd' => Message::WillRemove,
            b'q' => Message::Quit,
            b'l' => Message::ReopenLog,
            b'p' => Message::Exec(std::str::from_utf8(rest).ok()?),
            b'n' => Message::LaunchChanged,
            b'c' => Message::Check,
            b'v' => Message::Lives(std::str::from_utf8(rest).ok()?),
            b'o' => Message::Over,
            b'g' => Message::GuardLost,
            b'S' => Message::Started(i32::from_le_bytes(rest.try_into().ok()?)),
            b'F' | b'D' => {
                let (code, text) = rest.split_first()?;
                Message::Failed(*code, std::str::from_utf8(text).ok()?, *kind == b'D')
            }
            b'O' => Message::Output(Stream::Output, rest),
            b'E' => Message::Output(Stream::Error, rest),
            b'H' => Message::Checked(*rest.first()? != 0),
            b'X' => Message::Exit(*rest.first()?),
            b'L' => Message::Left,
            _ => return None,
        })
    }
}

/// Two connected ends.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .or_error("socketpair", || "SOCK_SEQPACKET")?)
}

/// Sends a message; false if nobody is there any more.
pub(crate) fn tell(socket: impl AsFd, message: &Message<'_>) -> Result<bool> {
    let bytes = message.to_bytes();
    loop {
        match send(&socket, &bytes, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => return Ok(false),
            Err(errno) => return Err(sys::Error::new("send", "the monitor", errno).into()),
        }
    }
}

/// Waits for a message; nothing when the other side is gone.
pub(crate) fn hear<'a>(
    socket: impl AsFd,
    buffer: &'a mut Vec<u8>,
    flags: RecvFlags,
) -> Result<Option<Message<'a>>, Errno> {
    buffer.resize(CHUNK + 1, 0);
    let length = loop {
        match recv(&socket, &mut buffer[..], flags) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            Err(errno) => return Err(errno),
            Ok((0, _)) => return Ok(None),
            Ok((length, _)) => break length,
        }
    };
    // What we do not know is passed over as if it had asked for nothing.
    Ok(Some(Message::parse(&buffer[..length]).unwrap_or(Message::Wait)))
}

/// A socket that clients can find at a path, however long that is.
pub(crate) fn serve(path: &Path) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .or_error("socket", || "SOCK_SEQPACKET")?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::File { path: path.to_owned(), error });
        }
        _ => {}
    }
    let shown = || format!("{path:?}");
    with_address(path, |address| bind(&socket, address)).or_error("bind", shown)?;
    listen(&socket, 64).or_error("listen", shown)?;
    Ok(socket)
}

/// Connects to the monitor that listens there; nothing if none does.
pub(crate) fn connect_to(path: &Path) -> Result<Option<OwnedFd>> {
    connect_with(path, SocketFlags::CLOEXEC)
}

/// The same for who cannot wait: nothing, too, if too many others do.
pub(crate) fn connect_at_once(path: &Path) -> Result<Option<OwnedFd>> {
    connect_with(path, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

fn connect_with(path: &Path, flags: SocketFlags) -> Result<Option<OwnedFd>> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .or_error("socket", || "SOCK_SEQPACKET")?;
    match with_address(path, |address| connect(&socket, address)) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN) => Ok(None),
        Err(errno) => Err(sys::Error::new("connect", format!("{path:?}"), errno).into()),
    }
}

/// An address has 107 bytes, so it names the folder by a descriptor.
fn with_address<T>(
    path: &Path,
    act: impl FnOnce(&SocketAddrUnix) -> Result<T, Errno>,
) -> Result<T, Errno> {
    use std::os::fd::AsRawFd as _;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL);
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    act(&SocketAddrUnix::new(short)?)
}

#[cfg(test)]
mod tests {
    use super::{Message, Stream};

    #[test]
    fn every_message_arrives_as_it_was() {
        for message in [
            Message::Attach,
            Message::Wait,
            Message::Input(b"\0x"),
            Message::InputEnd,
            Message::Resize(24, 1080),
            Message::WillRemove,
            Message::Quit,
            Message::ReopenLog,
            Message::Exec("{}"),
            Message::LaunchChanged,
            Message::Check,
            Message::Lives("c0ffee"),
            Message::Over,
            Message::GuardLost,
            Message::Started(70_000),
            Message::Failed(127, "no such file", false),
            Message::Failed(125, "no room", true),
            Message::Output(Stream::Output, b"out"),
            Message::Output(Stream::Error, b""),
            Message::Checked(true),
            Message::Checked(false),
            Message::Exit(137),
            Message::Left,
        ] {
            assert_eq!(Message::parse(&message.to_bytes()), Some(message));
        }
        for bytes in [&b""[..], b"?", b"r1", b"S12", b"F", b"X"] {
            assert_eq!(Message::parse(bytes), None);
        }
    }
}
