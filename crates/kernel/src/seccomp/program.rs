//! A compiled filter.

use std::os::fd::OwnedFd;
use sys::seccomp::{self, Instruction};

/// A filter that is ready to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(super) instructions: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_*`.
    pub(super) flags: u32,
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

    /// Whether the profile has `SCMP_ACT_NOTIFY`, so that [`Program::install`] returns a listener.
    #[must_use]
    pub fn has_listener(&self) -> bool {
        self.flags & seccomp::FILTER_FLAG_NEW_LISTENER != 0
    }

    /// The program, as the kernel takes it.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }
}

/// The words of those [`FLAGS`](super::FLAGS) that the running kernel knows.
#[must_use]
pub fn supported_flags() -> Vec<&'static str> {
    let known = |word: &&str| super::check::flag(word).is_some_and(seccomp::knows_filter_flags);
    super::FLAGS.iter().copied().filter(known).collect()
}
