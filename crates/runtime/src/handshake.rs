//! What parent and child say to each other.
//!
//! ```text
//! parent                                         child
//!   clone3 ------------------------------------>   (joined user namespace: the child clones
//!          <------------------------- Cloned(pid)    the real one, and ends)
//!   id maps, cgroup, oom score
//!          Proceed ---------------------------->   (only if a user namespace is new)
//!          <----------------------- TimeNamespace  (only if a time namespace is new)
//!   offsets
//!          Proceed ---------------------------->
//!          <-------------------- Tree (+ fd)       (for each bind mount that the child cannot open:
//!          Tree + fd -------------------------->    the first comes with the mount namespace)
//!          <-------------------------------- Hooks (only if there are such hooks, or devices)
//!   prestart, createRuntime, network devices
//!          Proceed ---------------------------->
//!          <----------------------- Console + fd   (only if there is a terminal)
//!          <------------------------------ Warning (for each thing that is not as asked for)
//!          <------------------------ Ready (+ fd) (see last_words, if the filter is strict)
//!   record is on disk
//!          Proceed ---------------------------->   create: now waits on the start socket
//!          Start ------------------------------>   run, exec: instead of Proceed
//!          <------------------------ Notify + fd   (only if seccomp notifies)
//!          Proceed ---------------------------->
//!          <---------------------- end of stream   execve has closed it
//! ```
//!
//! Where nothing is to be done between `Ready` and `Start`, the parent says `Start` before it serves
//! the child, which then finds it waiting: that saves two turns of the scheduler. The filter of system
//! calls comes before that `Start`, compiled while the child was at work.
//!
//! At any place the child may say `Failed` and end. An end of stream, in either direction, means
//! that the other one is dead; the child then ends as well. After `Ready` of a `create` the same
//! conversation goes on, from `Start`, over a connection that `start` has made.

use crate::failure::Failure;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::io::Errno;
use sys::rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recv, recvmsg, sendmsg,
    shutdown, socketpair,
};

/// From the child to the parent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The process id, in the parent's PID namespace, of the process that goes on in its place.
    Cloned(i32),
    /// There is a new time namespace, whose offsets are to be written.
    TimeNamespace,
    /// The next source of a bind mount is to be opened, the first time with the mount namespace in
    /// which all are.
    Tree,
    /// The mounts are there, and the old root as well: the moment for hooks of the runtime.
    Hooks,
    /// With the master of the terminal.
    Console,
    /// Something is not as it was asked for, and that is no error.
    Warning(Failure),
    /// Everything but the last steps is done. With the file for last words, if there is one.
    Ready,
    /// With the descriptor on which the filter's notifications arrive.
    Notify,
    /// It failed, and has ended.
    Failed(Failure),
}

/// From the parent to the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// What was asked for is done.
    Proceed,
    /// With the source of a bind mount.
    Tree,
    /// Execute the program.
    Start,
}

impl Report {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Report::Cloned(pid) => [&[b'c'][..], &pid.to_le_bytes()].concat(),
            Report::TimeNamespace => vec![b't'],
            Report::Tree => vec![b'b'],
            Report::Hooks => vec![b'h'],
            Report::Console => vec![b'o'],
            Report::Warning(what) => [&[b'w'][..], &what.encode()].concat(),
            Report::Ready => vec![b'r'],
            Report::Notify => vec![b'n'],
            Report::Failed(failure) => [&[b'f'][..], &failure.encode()].concat(),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Report> {
        match bytes {
            [b'c', pid @ ..] => Some(Report::Cloned(i32::from_le_bytes(pid.try_into().ok()?))),
            [b't'] => Some(Report::TimeNamespace),
            [b'b'] => Some(Report::Tree),
            [b'h'] => Some(Report::Hooks),
            [b'o'] => Some(Report::Console),
            [b'w', what @ ..] => Failure::decode(what).map(Report::Warning),
            [b'r'] => Some(Report::Ready),
            [b'n'] => Some(Report::Notify),
            [b'f', failure @ ..] => Failure::decode(failure).map(Report::Failed),
            _ => None,
        }
    }
}

impl Order {
    pub(crate) fn encode(self) -> &'static [u8] {
        match self {
            Order::Proceed => b"p",
            Order::Tree => b"b",
            Order::Start => b"s",
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Order> {
        match bytes {
            b"p" => Some(Order::Proceed),
            b"b" => Some(Order::Tree),
            b"s" => Some(Order::Start),
            _ => None,
        }
    }
}

/// One end of the connection, which keeps messages apart (SOCK_SEQPACKET, unix(7)).
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// The parent's and the child's end.
    pub(crate) fn pair() -> Result<(Channel, Channel), sys::Error> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .or_error("socketpair", || "AF_UNIX, SOCK_SEQPACKET")?;
        Ok((Channel(ours), Channel(theirs)))
    }

    /// An end that was connected or accepted.
    pub(crate) fn new(socket: OwnedFd) -> Channel {
        Channel(socket)
    }

    pub(crate) fn report(
        &self,
        report: &Report,
        fd: Option<BorrowedFd<'_>>,
    ) -> Result<(), sys::Error> {
        self.send(&report.encode(), fd)
    }

    /// The report that there is a listener, and it: sent by what its filter lets through.
    pub(crate) fn notify(
        &self,
        filter: &kernel::seccomp::Program,
        listener: BorrowedFd<'_>,
    ) -> Result<(), sys::Error> {
        filter.hand_over(listener, self.0.as_fd(), &Report::Notify.encode())
    }

    pub(crate) fn order(&self, order: Order) -> Result<(), sys::Error> {
        self.send(order.encode(), None)
    }

    /// Says `Start`, after the filter if there is one, to a child that may have failed by now: then it
    /// tells of that.
    pub(crate) fn start_in_advance(
        &self,
        filter: Option<&kernel::seccomp::Program>,
    ) -> Result<(), sys::Error> {
        let sent = filter.map_or(Ok(()), |filter| self.send_bytes(&filter.to_bytes()));
        match sent.and_then(|()| self.order(Order::Start)) {
            Err(error) if error.errno == Errno::PIPE => Ok(()),
            result => result,
        }
    }

    /// Hands over the source of a bind mount.
    pub(crate) fn hand(&self, tree: BorrowedFd<'_>) -> Result<(), sys::Error> {
        self.send(Order::Tree.encode(), Some(tree))
    }

    /// What the child says next, and what came with it; `None` when it has ended or executed its
    /// program.
    pub(crate) fn next_report(&self) -> Result<Option<(Report, Option<OwnedFd>)>, sys::Error> {
        let (bytes, fd) = self.receive()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let report = Report::decode(&bytes).or_else(|| {
            Some(Report::Failed(Failure::new(
                crate::Step::Internal,
                "a message that makes no sense",
            )))
        });
        Ok(report.map(|report| (report, fd)))
    }

    /// What the parent says next; `None` when it is gone.
    pub(crate) fn next_order(&self) -> Result<Option<Order>, sys::Error> {
        let (bytes, _) = self.receive_up_to(MAX_ORDER)?;
        Ok(Order::decode(&bytes))
    }

    /// The filter that comes before a `Start` in advance; `None` when the parent is gone, or says
    /// something else.
    pub(crate) fn next_filter(&self) -> Result<Option<kernel::seccomp::Program>, sys::Error> {
        let (bytes, _) = self.receive_up_to(MAX_FILTER)?;
        Ok(kernel::seccomp::Program::from_bytes(&bytes))
    }

    /// What the parent was asked to open; `None` when it is gone.
    pub(crate) fn next_tree(&self) -> Result<Option<OwnedFd>, sys::Error> {
        let (bytes, fd) = self.receive()?;
        Ok(fd.filter(|_| Order::decode(&bytes) == Some(Order::Tree)))
    }

    /// Whether the other side is gone, and nothing that it has said is left to be heard.
    pub(crate) fn is_closed(&self) -> Result<bool, sys::Error> {
        match recv(&self.0, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((length, _)) => Ok(length == 0),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(Errno::CONNRESET) => Ok(true),
            Err(errno) => Err(sys::Error::new("recv", "MSG_PEEK", errno)),
        }
    }

    fn send(&self, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<(), sys::Error> {
        send_with_descriptor(self.0.as_fd(), bytes, fd)
    }

    /// Bytes that are no message of ours.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Result<(), sys::Error> {
        self.send(bytes, None)
    }

    /// The other end sees that nothing more comes.
    pub(crate) fn shut_down(&self) -> Result<(), sys::Error> {
        shutdown(&self.0, Shutdown::Write).or_error("shutdown", || "the other process")
    }

    /// What comes next, and the descriptor with it; nothing at the end.
    pub(crate) fn receive(&self) -> Result<(Vec<u8>, Option<OwnedFd>), sys::Error> {
        self.receive_up_to(MAX_MESSAGE)
    }

    fn receive_up_to(&self, longest: usize) -> Result<(Vec<u8>, Option<OwnedFd>), sys::Error> {
        let mut bytes = vec![0; longest];
        let mut space = [MaybeUninit::uninit(); sys::rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut slices = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                // It ended without having read all; what it has said before comes next, or its end.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                result => break result.or_error("recvmsg", || "the other process")?,
            }
        };
        bytes.truncate(received.bytes);
        let fd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Ok((bytes, fd))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Larger than any order: memory that the child need not touch.
const MAX_ORDER: usize = 16;

/// Larger than any filter: the kernel takes 4096 instructions of 8 bytes.
const MAX_FILTER: usize = 4096 * 8 + 16;

/// Larger than any message: a failure with its longest reason.
pub(crate) const MAX_MESSAGE: usize = 8192 + 16;

/// Sends these bytes over a unix socket, and a descriptor with them. A reader that is gone is
/// EPIPE, not a signal.
pub(crate) fn send_with_descriptor(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fd: Option<BorrowedFd<'_>>,
) -> Result<(), sys::Error> {
    let mut space = [MaybeUninit::uninit(); sys::rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if let Some(fd) = &fd {
        ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(fd)));
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => return result.or_error("sendmsg", || "the other process").map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Order, Report};
    use crate::failure::{Failure, Step};
    use std::os::fd::AsFd;

    #[test]
    fn messages_cross_with_their_descriptors() {
        let (parent, child) = Channel::pair().unwrap();
        let failed = Report::Failed(Failure::new(Step::Mount, "/x"));
        let warning = Report::Warning(Failure::new(Step::Capabilities, "CAP_KILL"));
        for report in [
            Report::Cloned(-7),
            Report::TimeNamespace,
            Report::Tree,
            Report::Hooks,
            warning,
            Report::Ready,
            Report::Notify,
            failed,
        ] {
            child.report(&report, None).unwrap();
            let (got, fd) = parent.next_report().unwrap().unwrap();
            assert_eq!(got, report);
            assert!(fd.is_none());
        }
        child.report(&Report::Console, Some(std::io::stdin().as_fd())).unwrap();
        let (got, fd) = parent.next_report().unwrap().unwrap();
        assert_eq!(got, Report::Console);
        assert!(fd.is_some());
        for order in [Order::Proceed, Order::Tree, Order::Start] {
            parent.order(order).unwrap();
            assert_eq!(child.next_order().unwrap(), Some(order));
        }
        parent.hand(std::io::stdin().as_fd()).unwrap();
        assert!(child.next_tree().unwrap().is_some());
        parent.order(Order::Tree).unwrap();
        assert!(child.next_tree().unwrap().is_none());
    }

    #[test]
    fn the_end_of_one_is_seen_by_the_other() {
        let (parent, child) = Channel::pair().unwrap();
        drop(child);
        assert!(parent.next_report().unwrap().is_none());
        assert!(parent.order(Order::Proceed).is_err());
    }

    #[test]
    fn what_fails_before_it_has_read_all_is_heard() {
        let failure = || Report::Failed(Failure::new(Step::Mount, "/x"));
        for fails_first in [false, true] {
            let (parent, child) = Channel::pair().unwrap();
            if fails_first {
                child.report(&failure(), None).unwrap();
                drop(child);
                parent.start_in_advance(None).unwrap();
            } else {
                parent.start_in_advance(None).unwrap();
                child.report(&failure(), None).unwrap();
                drop(child);
            }
            assert_eq!(parent.next_report().unwrap().unwrap().0, failure());
            assert!(parent.next_report().unwrap().is_none());
        }
    }

    #[test]
    fn nonsense_is_a_failure_not_a_panic() {
        let (parent, child) = Channel::pair().unwrap();
        for bytes in [&b"z"[..], b"c12", b"f", b"rr"] {
            child.send(bytes, None).unwrap();
            let (report, _) = parent.next_report().unwrap().unwrap();
            assert!(matches!(report, Report::Failed(_)), "{report:?}");
        }
    }
}
