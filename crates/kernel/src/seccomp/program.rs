//! A compiled filter.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::Command;
use sys::OrError;
use sys::rustix::io::{Errno, retry_on_intr};
use sys::rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use sys::seccomp::{self, Instruction};
use sys::socket::sendmmsg_with_descriptor;

/// A filter that is ready to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(super) instructions: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_*`.
    pub(super) flags: u32,
    pub(super) sender: Sender,
    pub(super) lets_send: bool,
}

/// A call that can send a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Sendmsg,
    Sendmmsg,
}

impl Program {
    /// Filters the calling thread from now on. This cannot be undone, and whatever the thread does
    /// next must be allowed by the profile.
    ///
    /// Returns the listener of a program that [has one](Program::has_listener): a descriptor from
    /// which the calls with `SCMP_ACT_NOTIFY` are read, and on which they are answered,
    /// seccomp_unotify(2). It is close-on-exec.
    ///
    /// # Errors
    /// `EACCES` where the thread has neither `no_new_privs` nor `CAP_SYS_ADMIN` in its user namespace;
    /// `EINVAL` where the kernel lacks filters or a flag; `EBUSY` for a second listener.
    pub fn install(&self) -> Result<Option<OwnedFd>, sys::Error> {
        seccomp::set_mode_filter(&self.instructions, self.flags)
    }

    /// Filters the process of a command from its execve on. Nobody listens to it: calls about which
    /// the profile would notify fail with `ENOSYS`.
    pub fn restrict(&self, command: &mut Command) {
        let of_listener = seccomp::FILTER_FLAG_NEW_LISTENER
            | seccomp::FILTER_FLAG_WAIT_KILLABLE_RECV
            | seccomp::FILTER_FLAG_TSYNC_ESRCH;
        seccomp::filter_command(command, self.instructions.clone(), self.flags & !of_listener);
    }

    /// Whether the profile has `SCMP_ACT_NOTIFY`, so that [`Program::install`] returns a listener.
    #[must_use]
    pub fn has_listener(&self) -> bool {
        self.flags & seccomp::FILTER_FLAG_NEW_LISTENER != 0
    }

    /// Whether sendmsg(2) still works when the program is installed, whatever is sent.
    #[must_use]
    pub fn lets_send(&self) -> bool {
        self.lets_send
    }

    /// Sends the listener with a message over a unix socket, once the program is installed: by a
    /// call about which the profile does not notify, for nobody could answer yet.
    ///
    /// # Errors
    /// Those of sendmsg(2), and what the filter answers to it.
    pub fn hand_over(
        &self,
        listener: BorrowedFd<'_>,
        socket: BorrowedFd<'_>,
        message: &[u8],
    ) -> Result<(), sys::Error> {
        let (call, result) = match self.sender {
            Sender::Sendmsg => {
                ("sendmsg", retry_on_intr(|| send_descriptor(socket, message, listener)))
            }
            Sender::Sendmmsg => {
                let send = || sendmmsg_with_descriptor(socket, message, listener);
                ("sendmmsg", retry_on_intr(send))
            }
        };
        result.or_error(call, || "the listener of a seccomp filter")
    }

    /// For another process of this program: [`Program::from_bytes`] takes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(6 + 8 * self.instructions.len());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend([u8::from(self.sender == Sender::Sendmmsg), u8::from(self.lets_send)]);
        for it in &self.instructions {
            bytes.extend(it.code.to_ne_bytes());
            bytes.extend([it.when_true, it.when_false]);
            bytes.extend(it.k.to_ne_bytes());
        }
        bytes
    }

    /// What [`Program::to_bytes`] has made; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Program> {
        let (flags, rest) = bytes.split_first_chunk::<4>()?;
        let ([sender, lets_send], rest) = rest.split_first_chunk::<2>()?;
        let (instructions, rest) = rest.as_chunks::<8>();
        if instructions.is_empty() || !rest.is_empty() {
            return None;
        }
        let instruction = |it: &[u8; 8]| Instruction {
            code: u16::from_ne_bytes([it[0], it[1]]),
            when_true: it[2],
            when_false: it[3],
            k: u32::from_ne_bytes([it[4], it[5], it[6], it[7]]),
        };
        Some(Program {
            instructions: instructions.iter().map(instruction).collect(),
            flags: u32::from_ne_bytes(*flags),
            sender: if *sender == 0 { Sender::Sendmsg } else { Sender::Sendmmsg },
            lets_send: *lets_send != 0,
        })
    }

    /// The program, as the kernel takes it.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }
}

fn send_descriptor(
    socket: BorrowedFd<'_>,
    message: &[u8],
    descriptor: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); sys::rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

/// The words of those [`FLAGS`](super::FLAGS) that the running kernel knows.
#[must_use]
pub fn supported_flags() -> Vec<&'static str> {
    let known = |word: &&str| super::check::flag(word).is_some_and(seccomp::knows_filter_flags);
    super::FLAGS.iter().copied().filter(known).collect()
}

#[cfg(test)]
mod tests {
    use super::Program;
    use crate::seccomp::{Profile, Rule, compile};

    #[test]
    fn it_is_the_same_on_the_other_side() {
        let rule = Rule { names: vec!["read"], action: "SCMP_ACT_TRAP", ..Rule::default() };
        let mut profile = Profile { default_action: "SCMP_ACT_ALLOW", ..Profile::default() };
        profile.syscalls.push(rule);
        let program = compile(&profile).unwrap();
        let bytes = program.to_bytes();
        assert_eq!(Program::from_bytes(&bytes), Some(program));
        for nonsense in [&bytes[..bytes.len() - 1], &bytes[..6], b"p", b""] {
            assert_eq!(Program::from_bytes(nonsense), None);
        }
    }
}
