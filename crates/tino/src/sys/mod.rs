//! The kernel, as far as `tino` needs it: typed system calls and the strings that it hands over,
//! without libc. The only unsafe code outside the entry point.
//!
//! Each function is the system call of its name; the man page (section 2) says what it does.

#![allow(unsafe_code)]

mod call;
mod file;
mod landlock;
mod process;
mod signal;
mod terminal;
mod text;

pub use call::Errno;
pub use file::{
    Descriptor, Directory, OPEN_DIRECTORY, OPEN_PATH, OPEN_READ, chdir, close, close_from, open,
    pages, pread, read, read_directory, write,
};
pub use landlock::{
    RULE_NET_PORT, RULE_PATH_BENEATH, Ruleset, landlock_abi, landlock_add_rule,
    landlock_create_ruleset, landlock_restrict_self,
};
pub use process::{
    Fork, Status, Waited, clock_ms, execve, exit, fork, getpgid, getpid, getppid, getsid,
    parent_death_signal, pidfd_open, pidfd_send_signal, power_off, set_no_new_privs, set_subreaper,
    setpgid, setsid, wait,
};
pub use signal::{
    Disposition, SignalSet, Signalled, kill, restore_child_signal, set_mask, take_child_signal,
    wait_signal,
};
pub use terminal::{foreground, give_up_terminal, set_foreground, take_terminal};
#[cfg(test)]
pub(crate) use text::texts;
pub use text::{Buffer, PATH_MAX, Text, Texts, keep, read_lines, text_in};

/// `errno(3)` values that are told apart.
#[allow(missing_docs, reason = "the names are the kernel's")]
pub mod errno {
    use super::Errno;
    pub const EPERM: Errno = Errno::new(1);
    pub const ENOENT: Errno = Errno::new(2);
    pub const ESRCH: Errno = Errno::new(3);
    pub const EINTR: Errno = Errno::new(4);
    pub const ENOEXEC: Errno = Errno::new(8);
    pub const EAGAIN: Errno = Errno::new(11);
    pub const EACCES: Errno = Errno::new(13);
    pub const ENODEV: Errno = Errno::new(19);
    pub const ENOTDIR: Errno = Errno::new(20);
    pub const EINVAL: Errno = Errno::new(22);
    pub const ENAMETOOLONG: Errno = Errno::new(36);
    pub const ENOSYS: Errno = Errno::new(38);
    pub const ELOOP: Errno = Errno::new(40);
    pub const EOPNOTSUPP: Errno = Errno::new(95);
    pub const ETIMEDOUT: Errno = Errno::new(110);
    pub const ESTALE: Errno = Errno::new(116);
}
