//! Work in a network namespace by who cannot come back from it.
//!
//! A user's process may enter the network namespaces of his user namespace, but not the machine's,
//! which it has left by that. So a child does the work, and hands back descriptors.

use crate::Error;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::process::{Cloned, clone3_of_single_thread, exit_now};
use sys::rustix::cmsg_space;
use sys::rustix::io::retry_on_intr;
use sys::rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use sys::rustix::process::{WaitOptions, waitpid};

/// So many descriptors can be handed back.
const MOST: usize = 2;

/// The longest text of an error.
const LONGEST: usize = 4096;

/// The first byte of the answer.
const DONE: u8 = 0;
const FAILED: u8 = 1;

/// Does some work in a child process, and returns the descriptors (two at most) that it hands back.
/// The calling process must have one thread.
///
/// # Errors
/// [`Error::Apart`] with what the work says; the child cannot be made, or was killed.
pub fn apart(work: impl FnOnce() -> Result<Vec<OwnedFd>, String>) -> Result<Vec<OwnedFd>, Error> {
    let failed = || Error::doing("work in a network namespace");
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .or_error("socketpair", || "AF_UNIX, SOCK_SEQPACKET")
            .map_err(failed())?;
    let cloned = clone3_of_single_thread(0, None).or_error("clone3", || "0").map_err(failed())?;
    let Cloned::Parent(pid, _) = cloned else {
        let told = match work() {
            Ok(descriptors) => tell(theirs.as_fd(), DONE, "", &descriptors),
            Err(text) => tell(theirs.as_fd(), FAILED, &text, &[]),
        };
        exit_now(i32::from(told.is_err()))
    };
    drop(theirs);
    let answer = hear(ours.as_fd());
    let waited = retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
    waited.or_error("waitpid", || "the child").map_err(failed())?;
    answer
}

fn tell(
    socket: BorrowedFd<'_>,
    kind: u8,
    text: &str,
    descriptors: &[OwnedFd],
) -> Result<(), sys::Error> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(|it| it.as_fd()).collect();
    if !borrowed.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&borrowed));
    }
    let text = &text.as_bytes()[..text.len().min(LONGEST - 1)];
    let kind = [kind];
    let parts = [IoSlice::new(&kind), IoSlice::new(text)];
    sendmsg(socket, &parts, &mut ancillary, SendFlags::NOSIGNAL)
        .or_error("sendmsg", || "the caller")
        .map(drop)
}

fn hear(socket: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Error> {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let parts = &mut [IoSliceMut::new(&mut bytes)];
        recvmsg(socket, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    });
    let received = received
        .or_error("recvmsg", || "the child")
        .map_err(Error::doing("work in a network namespace"))?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(handed) = message {
            descriptors.extend(handed);
        }
    }
    match bytes[..received.bytes] {
        [DONE, ..] => Ok(descriptors),
        [_, ref text @ ..] => Err(Error::Apart(String::from_utf8_lossy(text).into_owned())),
        [] => Err(Error::Apart("the process that sets up the network was killed".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::apart;
    use std::fs::File;
    use std::io::Read as _;
    use sys::rustix::process::{Pid, Signal, getpid, kill_process};

    #[test]
    fn descriptors_and_errors_come_back() {
        let own = getpid();
        let handed = apart(|| {
            assert_ne!(getpid(), own);
            Ok(vec![File::open("/proc/self/comm").unwrap().into()])
        });
        let [descriptor] = <[_; 1]>::try_from(handed.unwrap()).unwrap();
        let mut text = String::new();
        // The file of a process that has ended: the descriptor came, and there is nobody behind it.
        let _ = File::from(descriptor).read_to_string(&mut text);
        assert_eq!(apart(|| Err("why".to_owned())).unwrap_err().to_string(), "why");
        let killed = apart(|| {
            kill_process(Pid::from_raw(getpid().as_raw_nonzero().get()).unwrap(), Signal::KILL)
                .unwrap();
            Ok(Vec::new())
        });
        assert!(killed.unwrap_err().to_string().contains("was killed"));
    }
}
