//! What can be said.

use crate::failure::Failure;

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
    /// With what it takes to enter the cgroup.
    Group,
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
    pub(crate) fn encode(self) -> u8 {
        match self {
            Order::Proceed => b'p',
            Order::Tree => b'b',
            Order::Group => b'g',
            Order::Start => b's',
        }
    }

    pub(crate) fn decode(byte: u8) -> Option<Order> {
        match byte {
            b'p' => Some(Order::Proceed),
            b'b' => Some(Order::Tree),
            b'g' => Some(Order::Group),
            b's' => Some(Order::Start),
            _ => None,
        }
    }
}
