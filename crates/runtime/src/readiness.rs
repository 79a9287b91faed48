//! What a container's program tells the service manager, sd_notify(3), passed on.
//!
//! The program gets a socket of its own, in a folder that is mounted into the container. The
//! manager is told by us, who are of the service, and only what it may be told from inside: ids of
//! processes mean others there, and descriptors are not passed on.

use crate::error::Result;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags, poll};
use sys::rustix::io::Errno;
use sys::rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, recv, sendto,
    socket_with,
};
use sys::rustix::process::Pid;

/// Where the folder is in the container.
pub(crate) const FOLDER_INSIDE: &str = "/run/notify";
/// What the program finds in its environment.
pub(crate) const VARIABLE: &str = "NOTIFY_SOCKET";
/// The socket's name in the folder.
pub(crate) const SOCKET: &str = "notify.sock";

/// What is passed on: the names of the lines. `FDSTORE`, `BARRIER` and the like come with
/// descriptors, and `MAINPID` and `NOTIFYACCESS` are ours to say.
const PASSED_ON: [&str; 11] = [
    "READY",
    "STATUS",
    "RELOADING",
    "STOPPING",
    "MONOTONIC_USEC",
    "ERRNO",
    "BUSERROR",
    "EXIT_STATUS",
    "WATCHDOG",
    "WATCHDOG_USEC",
    "EXTEND_TIMEOUT_USEC",
];

/// More than a message has that makes sense.
const MAX_MESSAGE: usize = 4096;

/// Between a container and the service manager.
#[derive(Debug)]
pub(crate) struct Readiness {
    /// Where the program writes.
    inside: OwnedFd,
    outside: OwnedFd,
    manager: SocketAddrUnix,
}

impl Readiness {
    /// Takes the end that is bound in the container's folder; `manager` is a path, or a name after
    /// `@`.
    pub(crate) fn new(inside: OwnedFd, manager: &Path) -> Result<Readiness> {
        let address = match manager.as_os_str().as_bytes() {
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name),
            _ => SocketAddrUnix::new(manager),
        };
        let manager = address.or_error("sendto", || format!("{manager:?}"))?;
        let outside = datagram_socket()?;
        Ok(Readiness { inside, outside, manager })
    }

    /// Waits until the program is ready, or has ended.
    pub(crate) fn wait(&self, pid: Pid, pidfd: BorrowedFd<'_>) -> Result<()> {
        loop {
            let mut polled = [
                PollFd::new(&self.inside, PollFlags::IN),
                PollFd::from_borrowed_fd(pidfd, PollFlags::IN),
            ];
            match poll(&mut polled, None) {
                Err(Errno::INTR) => continue,
                result => result.or_error("poll", || "the program")?,
            };
            let ended = !polled[1].revents().is_empty();
            // What it has said before its end counts.
            if self.pass_on(pid)? || ended {
                return Ok(());
            }
        }
    }

    /// Passes on what there is; whether the program is ready by that.
    pub(crate) fn pass_on(&self, pid: Pid) -> Result<bool> {
        let mut ready = false;
        let mut message = [0; MAX_MESSAGE];
        loop {
            // Descriptors that come with it are closed by the kernel, as nobody asks for them.
            let length = match recv(&self.inside, &mut message, RecvFlags::DONTWAIT) {
                Ok((_, length)) => length.min(MAX_MESSAGE),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(ready),
                Err(errno) => return Err(sys::Error::new("recvfrom", SOCKET, errno).into()),
            };
            let message = String::from_utf8_lossy(&message[..length]);
            let (text, is_ready) = passed_on(&message, pid);
            ready |= is_ready;
            if !text.is_empty() {
                self.tell(text.as_bytes())?;
            }
        }
    }

    fn tell(&self, message: &[u8]) -> Result<()> {
        sendto(&self.outside, message, SendFlags::NOSIGNAL, &self.manager)
            .or_error("sendto", || "the service manager")?;
        Ok(())
    }
}

impl AsFd for Readiness {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inside.as_fd()
    }
}

/// What the manager is told of a message, and whether it says that the program is ready.
fn passed_on(message: &str, pid: Pid) -> (String, bool) {
    let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let lines = message.lines().filter(|line| PASSED_ON.contains(&&*name(line)));
    let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let ready = text.lines().any(|line| line == "READY=1");
    if ready {
        text.push_str(&format!("MAINPID={pid}\n"));
    }
    (text, ready)
}

pub(crate) fn datagram_socket() -> std::result::Result<OwnedFd, sys::Error> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .or_error("socket", || "AF_UNIX, SOCK_DGRAM")
}

#[cfg(test)]
mod tests {
    use super::passed_on;
    use sys::rustix::process::Pid;

    #[test]
    fn only_what_makes_sense_outside_is_passed_on() {
        let pid = Pid::from_raw(77).unwrap();
        let message = "STATUS=up\nMAINPID=1\nREADY=1\nFDSTORE=1\nBARRIER=1\nX_OWN=1";
        assert_eq!(passed_on(message, pid), ("STATUS=up\nREADY=1\nMAINPID=77\n".to_owned(), true));
        assert_eq!(passed_on("WATCHDOG=1", pid), ("WATCHDOG=1\n".to_owned(), false));
        assert_eq!(passed_on("MAINPID=1\n\n=", pid), (String::new(), false));
    }
}
