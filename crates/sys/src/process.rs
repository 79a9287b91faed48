//! Processes: clone3(2), execve(2), and what surrounds them.

#![allow(unsafe_code)]

use crate::rustix::io::Errno;
use crate::rustix::process::Pid;
use std::convert::Infallible;
use std::ffi::{CStr, CString, c_char};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr;

/// Make the new process a child of the caller's parent, a sibling of the caller.
pub const CLONE_PARENT: u64 = 0x0000_8000;
const CLONE_PIDFD: u64 = 0x0000_1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args`, `CLONE_ARGS_SIZE_VER2` (Linux 5.7).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Which of the two processes clone3(2) has returned in.
#[derive(Debug)]
pub enum Cloned {
    /// The new one.
    Child,
    /// The one that called: the id of the new one in the caller's PID namespace, and its pidfd.
    Parent(Pid, OwnedFd),
}

/// `long syscall(SYS_clone3, struct clone_args *, size_t)`, clone3(2), Linux 5.3: a new process
/// with a copy of the memory, with these `CLONE_NEW*` flags, born in the v2 cgroup whose folder is
/// `cgroup` (Linux 5.7), and reported by SIGCHLD.
///
/// It must be called by a process with one thread: the copy has only the calling thread, and a
/// lock that another one holds would stay locked in it for ever. Nothing here can check that.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN (but for a user namespace), ENOSPC for too many namespaces, EAGAIN
/// for too many processes, ENOSYS before Linux 5.3, EBUSY and EOPNOTSUPP for the cgroup.
pub fn clone3_of_single_thread(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Cloned, Errno> {
    let mut pidfd = -1;
    let mut arguments = CloneArguments {
        flags: flags | CLONE_PIDFD,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        ..CloneArguments::default()
    };
    // A sibling is reported to the common parent as the caller is; the kernel wants 0 then.
    if flags & CLONE_PARENT == 0 {
        arguments.exit_signal = libc::SIGCHLD as u64;
    }
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: the structure is of the size that is passed, and `pidfd` outlives the call. Neither
    // CLONE_VM nor a stack is asked for (this function sets no such field, and `flags` cannot:
    // with CLONE_VM and no stack both processes would share this one, so it is masked out below),
    // so the child goes on with its own copy of everything.
    let pid = unsafe {
        arguments.flags &= !((libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_SIGHAND) as u64);
        libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArguments>())
    };
    match pid {
        0 => Ok(Cloned::Child),
        pid if pid > 0 => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
            // SAFETY: with CLONE_PIDFD the kernel has stored a new descriptor, ours alone.
            Ok(Cloned::Parent(pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
        }
        _ => Err(last_error()),
    }
}

/// SIGKILL, signal(7).
pub const SIGKILL: i32 = libc::SIGKILL;

/// `int pidfd_send_signal(int pidfd, int sig, NULL, 0)`, pidfd_send_signal(2), Linux 5.1: for any
/// signal, real-time ones too; 0 only asks whether the process is there.
///
/// # Errors
/// ESRCH when it has ended and was waited for, EPERM, EINVAL for what is no signal.
pub fn send_signal(process: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    let nothing = ptr::null::<libc::siginfo_t>();
    // SAFETY: without information of our own the kernel fills in its usual one.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, nothing, 0)
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// `int unshare(int flags)`, unshare(2), with flags of namespaces alone.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN (but for a user namespace), ENOSPC for too many, EINVAL where the
/// kernel lacks one or the caller has several threads.
pub fn unshare_namespaces(flags: u64) -> Result<(), Errno> {
    // SAFETY: no memory is passed, and the descriptor table, which safe code takes to be shared
    // by all threads, is masked out.
    let result = unsafe { libc::syscall(libc::SYS_unshare, flags & !(libc::CLONE_FILES as u64)) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// The words that execve(2) takes, made ready in advance: a list of pointers, ended by null, into
/// strings that live as long.
pub struct Words {
    pointers: Vec<*const c_char>,
    strings: Vec<CString>,
}

impl Words {
    /// These words, in this order.
    #[must_use]
    pub fn new(strings: Vec<CString>) -> Words {
        // The heap memory of a CString stays where it is when the Vec is moved.
        let pointers = strings.iter().map(|it| it.as_ptr()).chain([ptr::null()]).collect();
        Words { pointers, strings }
    }

    /// The same words.
    #[must_use]
    pub fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// `int execve(const char *pathname, char *const argv[], char *const envp[])`, execve(2): replaces
/// the program of this process. It returns only when that failed.
///
/// # Errors
/// ENOENT, EACCES, ENOEXEC, ENOTDIR, E2BIG, ETXTBSY and others.
pub fn execve(path: &CStr, arguments: &Words, environment: &Words) -> Result<Infallible, Errno> {
    // SAFETY: both lists end with null and point to strings that `Words` keeps alive.
    unsafe {
        libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr())
    };
    Err(last_error())
}

/// `int execveat(int dirfd, "", argv, envp, AT_EMPTY_PATH)`, execveat(2), Linux 3.19: the same for
/// the program behind a descriptor.
///
/// # Errors
/// As [`execve`]; ENOENT for a script whose descriptor is closed on exec.
pub fn execve_descriptor(
    program: BorrowedFd<'_>,
    arguments: &Words,
    environment: &Words,
) -> Result<Infallible, Errno> {
    // SAFETY: as for `execve`; the empty path is a literal.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    Err(last_error())
}

/// `int close_range(unsigned first, unsigned last, CLOSE_RANGE_CLOEXEC)`, close_range(2): marks
/// every descriptor from `first` on to be closed by execve(2). Linux 5.11.
///
/// # Errors
/// EINVAL or ENOSYS on an older kernel.
pub fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// `void _exit(int status)`, _exit(2): ends the process without running anything that was
/// registered for its end, as the child of a clone must, since all of that is the parent's.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: it does not return, and what it leaves behind is the kernel's to free.
    unsafe { libc::_exit(status) }
}

/// `int close_range(unsigned first, unsigned last, 0)`, close_range(2), Linux 5.9: closes every
/// descriptor from `first` on but these, so that what was open cannot be reached by its number any
/// more. Whatever owns one that was closed must not be used again: it may come to mean another.
///
/// # Errors
/// ENOSYS on an older kernel.
pub fn close_all_but(kept: &[BorrowedFd<'_>], first: u32) -> Result<(), Errno> {
    let mut kept: Vec<u32> = kept.iter().map(|it| it.as_raw_fd().cast_unsigned()).collect();
    kept.sort_unstable();
    let mut first = first;
    for number in kept {
        if number < first {
            continue;
        }
        if number > first {
            close_range(first, number - 1, 0)?;
        }
        first = number + 1;
    }
    close_range(first, u32::MAX, 0)
}

/// Files that nobody needs any more. They are closed together when this is dropped: two dozen of them
/// by a few calls.
#[derive(Debug, Default)]
pub struct Spent(Vec<OwnedFd>);

impl Spent {
    /// Has these closed, too.
    pub fn add(&mut self, files: impl IntoIterator<Item = OwnedFd>) {
        self.0.extend(files);
    }

    /// Takes over all that another one would close.
    pub fn append(&mut self, other: &mut Spent) {
        self.0.append(&mut other.0);
    }

    /// Closes them now.
    pub fn close(&mut self) {
        close_all(std::mem::take(&mut self.0));
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        self.close();
    }
}

/// Closes all of these, neighbours among them by one close_range(2) together, and one by one where
/// that is missing.
pub fn close_all(descriptors: Vec<OwnedFd>) {
    let mut numbers: Vec<u32> =
        descriptors.iter().map(|it| it.as_raw_fd().cast_unsigned()).collect();
    numbers.sort_unstable();
    let whole = numbers.chunk_by(|one, next| one + 1 == *next).filter_map(|run| {
        let (first, last) = (*run.first()?, *run.last()?);
        close_range(first, last, 0).is_ok().then_some(first..=last)
    });
    let closed: Vec<_> = whole.collect();
    for descriptor in descriptors {
        let number = descriptor.as_raw_fd().cast_unsigned();
        if closed.iter().any(|run| run.contains(&number)) {
            // Its number is free, and dropping it would close whatever gets that next.
            _ = descriptor.into_raw_fd();
        }
    }
}

fn close_range(first: u32, last: u32, flags: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed. What is closed behind its owner's back the caller of
    // `close_all_but` answers for; it is no memory error.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Has the kernel kill the command's process when the thread that started it ends, even by SIGKILL
/// (`PR_SET_PDEATHSIG`, prctl(2)), and lets it inherit its standard streams alone, whatever the
/// caller was given by its own parent.
pub fn tie_to_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and execve it makes two system calls, which allocate and lock nothing.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            close_on_exec_from(3).map_err(std::io::Error::from)
        });
    }
}

/// A descriptor by its number, which a caller has handed down in a variable or on the command
/// line (`LISTEN_FDS`, `--preserve-fds`); `None` if there is no such one. Marks it close-on-exec.
#[must_use]
pub fn take_descriptor(number: i32) -> Option<OwnedFd> {
    if number < 3 {
        return None;
    }
    // SAFETY: fcntl takes a number, and fails with EBADF if nothing is behind it.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
        return None;
    }
    // SAFETY: it is open; that nobody else in this process owns it is what "handed down" says,
    // and closing one twice is no memory error.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The same for one that execve(2) has left open: what this process has opened itself is
/// close-on-exec, and is not taken for it.
#[must_use]
pub fn take_inherited(number: i32) -> Option<OwnedFd> {
    // SAFETY: fcntl takes a number, and fails with EBADF if nothing is behind it.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags == -1 || flags & libc::FD_CLOEXEC != 0 { None } else { take_descriptor(number) }
}

/// Puts signals back to their default action and unblocks all: sigaction(2), sigprocmask(2). What
/// is ignored stays so over execve(2) otherwise. `ignored` has bit N - 1 for signal N, as `SigIgn`
/// in `/proc/PID/status` (proc(5)) tells it: asking the kernel for each costs 64 calls.
pub fn reset_signals(ignored: u64) {
    // SAFETY: the set is initialised by sigemptyset before its use, and SIG_DFL is no handler.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
        for signal in (1..=64).filter(|signal| ignored >> (signal - 1) & 1 == 1) {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// Has a signal ignored, by what is executed afterwards as well: sigaction(2).
pub fn ignore_signal(signal: crate::rustix::process::Signal) {
    // SAFETY: SIG_IGN is no handler, and a number that is no signal is refused.
    unsafe {
        libc::signal(signal.as_raw(), libc::SIG_IGN);
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
