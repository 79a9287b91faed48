//! seccomp(2): a filter, as a classic BPF program, on the system calls of a thread.

#![allow(unsafe_code)]

use crate::Error;
use crate::call::value;
use rustix::io::Errno;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// One instruction of a classic BPF program: `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do: `BPF_*`.
    pub code: u16,
    /// How many instructions a jump skips when its condition holds.
    pub when_true: u8,
    /// How many it skips otherwise.
    pub when_false: u8,
    /// The operand.
    pub k: u32,
}

/// `SECCOMP_FILTER_FLAG_TSYNC`: filter all threads of the process. Linux 3.17.
pub const FILTER_FLAG_TSYNC: u32 = 1 << 0;
/// `SECCOMP_FILTER_FLAG_LOG`: log all that is not allowed, but for errors. Linux 4.14.
pub const FILTER_FLAG_LOG: u32 = 1 << 1;
/// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`: no mitigation of speculative store bypass. Linux 4.17.
pub const FILTER_FLAG_SPEC_ALLOW: u32 = 1 << 2;
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`: return a descriptor for `SECCOMP_RET_USER_NOTIF`. Linux 5.0.
pub const FILTER_FLAG_NEW_LISTENER: u32 = 1 << 3;
/// `SECCOMP_FILTER_FLAG_TSYNC_ESRCH`: a thread that cannot be synchronized is `ESRCH` instead of
/// its id, which a descriptor could be mistaken for. Linux 5.7.
pub const FILTER_FLAG_TSYNC_ESRCH: u32 = 1 << 4;
/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`: once a notification was received, only fatal signals
/// interrupt the system call it is about. Linux 5.19.
pub const FILTER_FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// Adds a filter to those of the calling thread, and of its later children. Returns the listener
/// where [`FILTER_FLAG_NEW_LISTENER`] was given; it is close-on-exec.
///
/// `int seccomp(SECCOMP_SET_MODE_FILTER, unsigned int flags, struct sock_fprog *args)`, seccomp(2),
/// Linux 3.17. Older kernels answer ENOSYS; EINVAL means that the kernel lacks a flag or knows no
/// filters.
///
/// # Errors
/// `EACCES` without `no_new_privs` and `CAP_SYS_ADMIN`, `EBUSY` when a filter of the thread has a
/// listener already and this one shall have one too, `ESRCH` when a thread could not be synchronized.
pub fn set_mode_filter(program: &[Instruction], flags: u32) -> Result<Option<OwnedFd>, Error> {
    let failed = |errno| {
        let arguments = format!(
            "SECCOMP_SET_MODE_FILTER, {flags:#x}, a program of {} instructions",
            program.len()
        );
        Error::new("seccomp", arguments, errno)
    };
    let Ok(length) = u16::try_from(program.len()) else { return Err(failed(Errno::INVAL)) };
    let program = Program { length, instructions: program.as_ptr() };
    // SAFETY: `program` points to `length` instructions, borrowed by the caller for the duration
    // of the call; the kernel copies them and writes nothing.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    let value = value(result).map_err(failed)?;
    match RawFd::try_from(value) {
        Ok(0) => Ok(None),
        Ok(descriptor) if flags & FILTER_FLAG_NEW_LISTENER != 0 => {
            // SAFETY: with this flag, a positive result is a descriptor that the kernel has made
            // for this call, which nobody else knows of yet.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }))
        }
        // Without it, a positive result is the id of a thread that has other filters.
        _ => Err(failed(Errno::SRCH)),
    }
}

/// Adds a filter to the process of a command, just before it executes its program: see
/// [`set_mode_filter`]. It must let it do so, and what goes wrong is the error of starting it.
pub fn filter_command(command: &mut Command, program: Vec<Instruction>, flags: u32) {
    let filter = move || {
        let listener = set_mode_filter(&program, flags);
        listener.map(drop).map_err(|error| std::io::Error::from(error.errno))
    };
    // SAFETY: between fork and execve it makes one system call, and allocates only for its error:
    // a process of one thread, as who runs programs in a container is, holds no lock then.
    unsafe { command.pre_exec(filter) };
}

/// Whether the kernel knows all of these flags for filters.
///
/// `seccomp(SECCOMP_SET_MODE_FILTER, flags, NULL)` fails with `EFAULT` where they are known, with
/// `EINVAL` where they are not.
#[must_use]
pub fn knows_filter_flags(flags: u32) -> bool {
    let none = std::ptr::null::<Program>();
    // SAFETY: a null program is not read: the call can only fail.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, none) };
    value(result) == Err(Errno::FAULT)
}

/// Whether the kernel knows this action, `SECCOMP_RET_*`.
///
/// `seccomp(SECCOMP_GET_ACTION_AVAIL, 0, const uint32_t *action)`, seccomp(2), Linux 4.14.
#[must_use]
pub fn knows_action(action: u32) -> bool {
    // SAFETY: the kernel reads the four bytes of `action`, which live until the call returns.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action)
    };
    result == 0
}

#[cfg(test)]
mod tests {
    use super::{FILTER_FLAG_SPEC_ALLOW, knows_action, knows_filter_flags, set_mode_filter};

    #[test]
    fn what_this_kernel_knows() {
        assert!(knows_filter_flags(FILTER_FLAG_SPEC_ALLOW));
        assert!(!knows_filter_flags(1 << 31));
        assert!(knows_action(libc::SECCOMP_RET_ALLOW));
        assert!(!knows_action(0x1234_0000));
    }

    #[test]
    fn an_empty_program_is_refused_and_the_error_says_so() {
        let error = set_mode_filter(&[], 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "seccomp(SECCOMP_SET_MODE_FILTER, 0x0, a program of 0 instructions): Invalid argument (errno 22)"
        );
    }
}
