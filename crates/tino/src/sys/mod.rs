//! The kernel, as far as `tino` needs it: typed system calls and the strings that it hands over,
//! without libc. The only unsafe code outside the entry point.
//!
//! Each function is the system call of its name; the man page (section 2) says what it does.

#![allow(unsafe_code)]

mod buffer;
mod call;
mod file;
mod landlock;
mod process;
mod signal;
mod terminal;
mod text;

pub use buffer::{Buffer, PATH_MAX, Room, room};
pub use call::Errno;
pub use file::{
    Descriptor, Directory, Image, NONE, OPEN_PATH, OPEN_READ, chdir_to_root, close, close_from,
    open, pages, pread, read, write,
};
pub use landlock::{
    RULE_NET_PORT, RULE_PATH_BENEATH, Ruleset, landlock_abi, landlock_add_rule,
    landlock_create_ruleset, landlock_restrict_self,
};
pub use process::{
    NO_CHILDREN, Status, Waited, clock_ms, execve, execve_by_shell, exit, fork, getpgid, getpid,
    getppid, getsid, parent_death_signal, pidfd_open, pidfd_send_signal, power_off,
    set_no_new_privs, set_subreaper, setpgid, setsid, wait,
};
pub use signal::{
    BY_KERNEL, Disposition, FOREVER, SignalSet, Signalled, exchange_child_signal, kill, set_mask,
    wait_signal,
};
pub use terminal::{give_up_terminal, move_foreground, take_terminal};
#[cfg(test)]
pub(crate) use text::texts;
pub use text::{Text, Texts, Word};

/// `errno(3)` values that are told apart.
#[allow(missing_docs, reason = "the names are the kernel's")]
pub mod errno {
    use super::Errno;
    pub const ENOENT: Errno = Errno::new(2);
    pub const ESRCH: Errno = Errno::new(3);
    pub const ENOEXEC: Errno = Errno::new(8);
    pub const ENOMEM: Errno = Errno::new(12);
    pub const EACCES: Errno = Errno::new(13);
    pub const ENODEV: Errno = Errno::new(19);
    pub const ENOTDIR: Errno = Errno::new(20);
    pub const EINVAL: Errno = Errno::new(22);
    pub const EFBIG: Errno = Errno::new(27);
    pub const ENAMETOOLONG: Errno = Errno::new(36);
    pub const ELOOP: Errno = Errno::new(40);
    pub const ETIMEDOUT: Errno = Errno::new(110);
    pub const ESTALE: Errno = Errno::new(116);
}
