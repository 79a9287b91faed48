//! Why a program could not be executed, where its filter lets nothing be sent.
//!
//! That the connection ends without a failure is taken for an execve that succeeded. A process
//! that may not send writes into memory, which takes no system call and cannot be forbidden. The
//! file behind it goes to the other end beforehand, with `Ready`.

use crate::failure::Failure;
use kernel::seccomp::Program;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::memory::SharedMemory;
use sys::rustix::io::{pread, retry_on_intr};

/// More than any failure takes.
const LENGTH: usize = crate::handshake::MAX_MESSAGE;

/// The place for them.
pub(crate) struct LastWords(SharedMemory);

impl LastWords {
    /// A place, unless the filter lets the process send to the end.
    pub(crate) fn new(filter: Option<&Program>) -> Result<Option<LastWords>, sys::Error> {
        if filter.is_none_or(Program::lets_send) {
            return Ok(None);
        }
        let memory = SharedMemory::new("last words", LENGTH);
        memory.map(|it| Some(LastWords(it))).or_error("memfd_create", || LENGTH.to_string())
    }

    /// Leaves the failure.
    pub(crate) fn say(&mut self, failure: &Failure) {
        let text = failure.encode();
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes();
        self.0.write(&[&length[..], &text].concat());
    }
}

impl AsFd for LastWords {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a process has left that is gone, if it has.
pub(crate) fn left_in(file: &OwnedFd) -> Result<Option<Failure>, sys::Error> {
    let mut bytes = vec![0; LENGTH];
    let read = retry_on_intr(|| pread(file, &mut bytes, 0)).or_error("pread", || "last words")?;
    Ok(parse(&bytes[..read]))
}

/// The length, and so many bytes of a failure.
pub(crate) fn parse(bytes: &[u8]) -> Option<Failure> {
    let (length, text) = bytes.split_first_chunk::<2>()?;
    Failure::decode(text.get(..usize::from(u16::from_le_bytes(*length)))?)
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, LastWords, left_in};
    use crate::failure::{Failure, Step};
    use std::os::fd::AsFd;
    use sys::memory::SharedMemory;

    #[test]
    fn they_are_heard_by_who_has_the_file() {
        let mut words = LastWords(SharedMemory::new("test", LENGTH).unwrap());
        let file = words.0.as_fd().try_clone_to_owned().unwrap();
        assert_eq!(left_in(&file).unwrap(), None);
        let failure = Failure::new(Step::Execute, "x".repeat(10_000));
        words.say(&failure);
        drop(words);
        let heard = left_in(&file).unwrap().unwrap();
        assert_eq!(heard.step, Step::Execute);
        assert!(heard.reason.len() > 8000 && failure.reason.starts_with(&heard.reason));
    }
}
