//! What parent and child say to each other.
//!
//! ```text
//! parent                                         child
//!   clone3 ------------------------------------>   (joined user namespace: the child clones
//!          <------------------------- Cloned(pid)    the real one, and ends)
//!   id maps, oom score
//!          Proceed ---------------------------->   (only if a user namespace is new)
//!   cgroup
//!          Group + fds ------------------------>   (only if the cgroup could wait for the child)
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
//! calls comes before that `Start`, compiled while the child was at work. Orders that follow each
//! other at once are one message.
//!
//! At any place the child may say `Failed` and end. An end of stream, in either direction, means
//! that the other one is dead; the child then ends as well. After `Ready` of a `create` the same
//! conversation goes on, from `Start`, over a connection that `start` has made.

mod words;

pub(crate) use words::{Order, Report};

use crate::failure::Failure;
use kernel::cgroup::{Description, Entry};
use std::cell::Cell;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::buffer::spare_capacity;
use sys::rustix::event::{PollFd, PollFlags, poll};
use sys::rustix::io::{Errno, retry_on_intr};
use sys::rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recv,
    recvmsg, sendmsg, shutdown, socketpair,
};

/// One end of the connection, which keeps messages apart (SOCK_SEQPACKET, unix(7)).
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
    /// The second order of a message.
    told: Cell<Option<Order>>,
}

impl Channel {
    /// The parent's and the child's end.
    pub(crate) fn pair() -> Result<(Channel, Channel), sys::Error> {
        // The parent closes the lower one of the two, so that what it opens next is beside what it has
        // open, and all of that is closed by one call.
        let (theirs, ours) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .or_error("socketpair", || "AF_UNIX, SOCK_SEQPACKET")?;
        Ok((Channel::new(ours), Channel::new(theirs)))
    }

    /// An end that was connected or accepted.
    pub(crate) fn new(socket: OwnedFd) -> Channel {
        Channel { socket, told: Cell::new(None) }
    }

    pub(crate) fn report(
        &self,
        report: &Report,
        fd: Option<BorrowedFd<'_>>,
    ) -> Result<(), sys::Error> {
        self.send(&report.encode(), fd.as_slice())
    }

    /// The report that there is a listener, and it: sent by what its filter lets through.
    pub(crate) fn notify(
        &self,
        filter: &kernel::seccomp::Program,
        listener: BorrowedFd<'_>,
    ) -> Result<(), sys::Error> {
        filter.hand_over(listener, self.as_fd(), &Report::Notify.encode())
    }

    pub(crate) fn order(&self, order: Order) -> Result<(), sys::Error> {
        self.send(&[order.encode()], &[])
    }

    /// Says `Start`, after the filter if there is one, to a child that may have failed by now: then it
    /// tells of that.
    pub(crate) fn start_in_advance(
        &self,
        filter: Option<&kernel::seccomp::Program>,
    ) -> Result<(), sys::Error> {
        let sent = filter.map_or(Ok(()), |filter| self.send_bytes(&filter.to_bytes()));
        unless_failed(sent.and_then(|()| self.order(Order::Start)))
    }

    /// Hands over the source of a bind mount.
    pub(crate) fn hand(&self, tree: BorrowedFd<'_>) -> Result<(), sys::Error> {
        self.send(&[Order::Tree.encode()], &[tree])
    }

    /// Hands over what it takes to enter the cgroup, to a child that may have failed by now, and
    /// tells it to start if `start`.
    pub(crate) fn hand_group(&self, entry: &Entry, start: bool) -> Result<(), sys::Error> {
        let orders = [Order::Group.encode(), Order::Start.encode()];
        let tasks: Vec<_> = entry.tasks().iter().map(OwnedFd::as_fd).collect();
        unless_failed(self.send(&orders[..1 + usize::from(start)], &tasks))
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

    /// Whether the child has said something by now, or is gone.
    pub(crate) fn has_report(&self) -> Result<bool, sys::Error> {
        let now = sys::rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut socket = [PollFd::new(&self.socket, PollFlags::IN)];
        let ready = retry_on_intr(|| poll(&mut socket, Some(&now)));
        Ok(ready.or_error("poll", || "the other process")? > 0)
    }

    /// What the parent says next; `None` when it is gone.
    pub(crate) fn next_order(&self) -> Result<Option<Order>, sys::Error> {
        if let Some(told) = self.told.take() {
            return Ok(Some(told));
        }
        let (bytes, _) = self.receive_up_to(MAX_ORDER)?;
        Ok(self.first_order(&bytes))
    }

    /// What it takes to enter the cgroup; `None` when the parent is gone.
    pub(crate) fn next_group(&self) -> Result<Option<Entry>, sys::Error> {
        let mut space =
            [MaybeUninit::uninit(); sys::rustix::cmsg_space!(ScmRights(Description::MAX_FOLDERS))];
        let (bytes, tasks) = self.receive_with(MAX_ORDER, &mut space)?;
        let is_group = self.first_order(&bytes) == Some(Order::Group);
        Ok(is_group.then(|| Entry::of_tasks(tasks)))
    }

    fn first_order(&self, bytes: &[u8]) -> Option<Order> {
        let (first, second) = match bytes {
            [first] => (first, None),
            [first, second] => (first, Some(second)),
            _ => return None,
        };
        self.told.set(second.and_then(|it| Order::decode(*it)));
        Order::decode(*first)
    }

    /// The filter that comes before a `Start` in advance; `None` when the parent is gone, or says
    /// something else.
    pub(crate) fn next_filter(&self) -> Result<Option<kernel::seccomp::Program>, sys::Error> {
        // No more of it is touched than there is to read: this is the container's memory.
        let mut bytes = Vec::with_capacity(MAX_FILTER);
        loop {
            match recv(&self.socket, spare_capacity(&mut bytes), RecvFlags::empty()) {
                Err(Errno::INTR | Errno::CONNRESET) => {}
                result => break result.or_error("recv", || "the other process").map(drop)?,
            }
        }
        Ok(kernel::seccomp::Program::from_bytes(&bytes))
    }

    /// What the parent was asked to open; `None` when it is gone.
    pub(crate) fn next_tree(&self) -> Result<Option<OwnedFd>, sys::Error> {
        let (bytes, fd) = self.receive()?;
        Ok(fd.filter(|_| bytes == [Order::Tree.encode()]))
    }

    /// Whether the other side is gone, and nothing that it has said is left to be heard.
    pub(crate) fn is_closed(&self) -> Result<bool, sys::Error> {
        match recv(&self.socket, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((length, _)) => Ok(length == 0),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(Errno::CONNRESET) => Ok(true),
            Err(errno) => Err(sys::Error::new("recv", "MSG_PEEK", errno)),
        }
    }

    fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), sys::Error> {
        send_with_descriptors(self.as_fd(), bytes, fds)
    }

    /// Bytes that are no message of ours.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Result<(), sys::Error> {
        self.send(bytes, &[])
    }

    /// The other end sees that nothing more comes.
    pub(crate) fn shut_down(&self) -> Result<(), sys::Error> {
        shutdown(&self.socket, Shutdown::Write).or_error("shutdown", || "the other process")
    }

    /// What comes next, and the descriptor with it; nothing at the end.
    pub(crate) fn receive(&self) -> Result<(Vec<u8>, Option<OwnedFd>), sys::Error> {
        self.receive_up_to(MAX_MESSAGE)
    }

    fn receive_up_to(&self, longest: usize) -> Result<(Vec<u8>, Option<OwnedFd>), sys::Error> {
        let mut space = [MaybeUninit::uninit(); sys::rustix::cmsg_space!(ScmRights(1))];
        let (bytes, fds) = self.receive_with(longest, &mut space)?;
        Ok((bytes, fds.into_iter().next()))
    }

    /// `space` is for the descriptors.
    fn receive_with(
        &self,
        longest: usize,
        space: &mut [MaybeUninit<u8>],
    ) -> Result<(Vec<u8>, Vec<OwnedFd>), sys::Error> {
        let mut bytes = vec![0; longest];
        let mut ancillary = RecvAncillaryBuffer::new(space);
        let received = loop {
            let mut slices = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                // It ended without having read all; what it has said before comes next, or its end.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                result => break result.or_error("recvmsg", || "the other process")?,
            }
        };
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(sys::Error::new("recvmsg", "descriptors", Errno::MFILE));
        }
        bytes.truncate(received.bytes);
        let mut all = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                all.extend(fds);
            }
        }
        Ok((bytes, all))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A child that has failed by now tells of that. The kernel says once that it has not read all.
fn unless_failed(sent: Result<(), sys::Error>) -> Result<(), sys::Error> {
    match sent {
        Err(error) if matches!(error.errno, Errno::PIPE | Errno::CONNRESET) => Ok(()),
        result => result,
    }
}

/// Larger than any order: memory that the child need not touch.
const MAX_ORDER: usize = 16;

/// Larger than any filter: the kernel takes 4096 instructions of 8 bytes.
const MAX_FILTER: usize = 4096 * 8 + 16;

/// Larger than any message: a failure with its longest reason.
pub(crate) const MAX_MESSAGE: usize = 8192 + 16;

/// Sends these bytes over a unix socket, and descriptors with them. A reader that is gone is EPIPE,
/// not a signal.
pub(crate) fn send_with_descriptors(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> Result<(), sys::Error> {
    let mut space =
        [MaybeUninit::uninit(); sys::rustix::cmsg_space!(ScmRights(Description::MAX_FOLDERS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(fds));
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
    use super::{Channel, Order, Report, unless_failed};
    use crate::failure::{Failure, Step};
    use kernel::cgroup::Entry;
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
        for order in [Order::Proceed, Order::Tree, Order::Group, Order::Start] {
            parent.order(order).unwrap();
            assert_eq!(child.next_order().unwrap(), Some(order));
        }
        let entry = Entry::of_tasks(vec![std::io::stdin().as_fd().try_clone_to_owned().unwrap()]);
        for start in [false, true] {
            parent.hand_group(&entry, start).unwrap();
            assert_eq!(child.next_group().unwrap().unwrap().tasks().len(), 1);
            if start {
                assert_eq!(child.next_order().unwrap(), Some(Order::Start));
            }
        }
        parent.order(Order::Start).unwrap();
        assert!(child.next_group().unwrap().is_none());
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
        // Before it was told anything, before it was told all, and after that.
        for told in 0..3 {
            let (parent, child) = Channel::pair().unwrap();
            let mut tellings = [Order::Proceed, Order::Start].into_iter();
            for order in tellings.by_ref().take(told) {
                parent.order(order).unwrap();
            }
            child.report(&failure(), None).unwrap();
            drop(child);
            tellings.for_each(|order| unless_failed(parent.order(order)).unwrap());
            assert_eq!(parent.next_report().unwrap().unwrap().0, failure());
            assert!(parent.next_report().unwrap().is_none());
        }
    }

    #[test]
    fn nonsense_is_a_failure_not_a_panic() {
        let (parent, child) = Channel::pair().unwrap();
        for bytes in [&b"z"[..], b"c12", b"f", b"rr"] {
            child.send(bytes, &[]).unwrap();
            let (report, _) = parent.next_report().unwrap().unwrap();
            assert!(matches!(report, Report::Failed(_)), "{report:?}");
        }
    }
}
