//! The system calls that neither std nor rustix has as a safe function: fork, exec, signals with
//! all 64 numbers (glibc hides 32 and 33), waiting for any state change, and ptrace.
//!
//! Trials and helpers have one thread each, and nothing here starts another.

#![allow(unsafe_code, reason = "the system calls below have no safe wrapper elsewhere")]

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

/// A set of signals: bit n - 1 stands for signal n.
pub(crate) type Mask = u64;

/// The bit of one signal.
pub(crate) const fn bit(signal: i32) -> Mask {
    1 << (signal - 1)
}

/// The size of the kernel's signal set in bytes, which the `rt_*` calls want to be told.
const MASK_SIZE: usize = size_of::<Mask>();

/// What a signal does when nothing catches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignore,
}

/// The kernel's `struct sigaction`, which differs from glibc's.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: Mask,
}

/// A signal taken with [`wait_signal`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) signal: i32,
    /// The sender.
    pub(crate) pid: i32,
    /// What was sent with it by [`queue`].
    pub(crate) value: i32,
}

/// How a process changed, as `waitpid` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Exited(i32),
    Killed(i32),
    Stopped(i32),
    Continued,
}

fn result(code: i64) -> io::Result<i64> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// Sets the mask of blocked signals.
pub(crate) fn set_mask(mask: Mask) -> io::Result<()> {
    let none = std::ptr::null_mut::<Mask>();
    // SAFETY: the kernel reads MASK_SIZE bytes of `mask`, a live local, and writes nothing.
    let code = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, none, MASK_SIZE)
    };
    result(code).map(drop)
}

/// Sets what `signal` does.
pub(crate) fn set_disposition(signal: i32, disposition: Disposition) -> io::Result<()> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    let action = KernelAction { handler, flags: 0, restorer: 0, mask: 0 };
    let none = std::ptr::null_mut::<KernelAction>();
    // SAFETY: `action` has the kernel's layout and lives across the call; the handler is one of
    // the two constants, so no code of ours is ever entered as a signal handler.
    let code = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, none, MASK_SIZE)
    };
    result(code).map(drop)
}

/// Takes one pending signal of `mask` (which must be blocked), or fails with `EAGAIN` after
/// `limit`, `EINTR` when another signal comes.
pub(crate) fn wait_signal(mask: Mask, limit: Option<Duration>) -> io::Result<Taken> {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: siginfo_t is plain data, for which all zeroes is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: all three pointers are to live locals (or null for `limit`) of the kernel's layout.
    let code = unsafe {
        let (mask, info) = (&raw const mask, &raw mut info);
        libc::syscall(libc::SYS_rt_sigtimedwait, mask, info, limit, MASK_SIZE)
    };
    let signal = result(code)? as i32;
    // SAFETY: the kernel filled `info`; for signals sent by a process these fields are the
    // sender and the value, for others they are whatever bytes lie there, which is harmless.
    let (pid, value) = unsafe { (info.si_pid(), info.si_value().sival_ptr.addr()) };
    // The integer is the lower half of the pointer's place.
    let value = (value & 0xffff_ffff) as u32;
    Ok(Taken { signal, pid, value: value.cast_signed() })
}

/// `kill(2)`, with any number.
pub(crate) fn send(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    result(i64::from(unsafe { libc::kill(pid, signal) })).map(drop)
}

/// `sigqueue(3)`: like [`send`], with a value for the receiver.
pub(crate) fn queue(pid: i32, signal: i32, value: i32) -> io::Result<()> {
    let value = libc::sigval { sival_ptr: value as usize as *mut libc::c_void };
    // SAFETY: the value is an integer in a pointer's clothes and is never dereferenced.
    result(i64::from(unsafe { libc::sigqueue(pid, signal, value) })).map(drop)
}

/// Forks; `flags` may name new namespaces. The child runs `body` and exits with its result.
pub(crate) fn fork(flags: i32, body: impl FnOnce() -> i32) -> io::Result<i32> {
    let flags = i64::from(flags | libc::SIGCHLD);
    // SAFETY: no new stack is given, so the child runs on a copy of this one, as after fork. The
    // process has one thread, so no lock can be held by a thread that the child lacks.
    let pid = result(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    if pid == 0 {
        let code = body();
        // SAFETY: ends the process; the parent's buffers must not be flushed a second time.
        unsafe { libc::_exit(code) }
    }
    Ok(pid as i32)
}

/// Replaces the program; returns only with the error.
pub(crate) fn exec(program: &OsStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let Ok(program) = CString::new(program.as_bytes()) else {
        return io::Error::from_raw_os_error(libc::EINVAL);
    };
    let terminated = |words: &[CString]| -> Vec<*const libc::c_char> {
        words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (terminated(arguments), terminated(environment));
    // SAFETY: both arrays end with a null pointer and point to C strings that live until the end.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// `waitpid(2)`; `pid` -1 means any child. None with `WNOHANG` when nothing has changed.
pub(crate) fn wait(pid: i32, options: i32) -> io::Result<Option<(i32, Change)>> {
    let mut status = 0;
    // SAFETY: `status` is a live local.
    let pid = result(i64::from(unsafe { libc::waitpid(pid, &raw mut status, options) }))?;
    let change = if libc::WIFEXITED(status) {
        Change::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Change::Killed(libc::WTERMSIG(status))
    } else if libc::WIFSTOPPED(status) {
        // With ptrace the event is above the signal.
        Change::Stopped(status >> 8)
    } else {
        Change::Continued
    };
    Ok((pid != 0).then_some((pid as i32, change)))
}

/// `ptrace(2)` for the requests that take numbers only.
pub(crate) fn ptrace(request: libc::c_uint, pid: i32, data: usize) -> io::Result<()> {
    // SAFETY: the requests used here (TRACEME, SETOPTIONS, SYSCALL, CONT) take no pointer to
    // memory of this process.
    result(unsafe { libc::ptrace(request, pid, std::ptr::null_mut::<u8>(), data) }).map(drop)
}

/// Which system call a process stopped by `PTRACE_SYSCALL` is entering; None when leaving.
pub(crate) fn entered_call(pid: i32) -> io::Result<Option<u64>> {
    // SAFETY: plain data, for which all zeroes is a value.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    // SAFETY: the kernel writes at most `size` bytes to `info`, a live local of that size.
    let code = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size, &raw mut info) };
    result(code)?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return Ok(None);
    }
    // SAFETY: `op` tells that the `entry` part of the union is the one that was filled.
    Ok(Some(unsafe { info.u.entry.nr }))
}

/// Has the call that a process stopped by `PTRACE_SYSCALL` is entering fail instead.
pub(crate) fn fail_call(pid: i32, errno: i32) -> io::Result<()> {
    // SAFETY: plain data, for which all zeroes is a value.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    let none = std::ptr::null_mut::<u8>();
    // SAFETY: the kernel fills `registers`, a live local of the type that it fills.
    result(unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, none, &raw mut registers) })?;
    // No call has this number, so none is made, and what is in `rax` is its result.
    registers.orig_rax = u64::MAX;
    registers.rax = i64::from(-errno).cast_unsigned();
    // SAFETY: the kernel reads `registers`, as above.
    result(unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, none, &raw const registers) }).map(drop)
}

/// `dup2(2)` with plain numbers: the tests decide which descriptors a program starts with.
pub(crate) fn duplicate(from: i32, to: i32) -> io::Result<()> {
    // SAFETY: called between fork and exec, where nothing owns the number that is overwritten.
    result(i64::from(unsafe { libc::dup2(from, to) })).map(drop)
}

/// `close(2)` of a plain number, open or not.
pub(crate) fn close(number: i32) {
    // SAFETY: called between fork and exec (or before main), where nothing owns the number.
    unsafe { libc::close(number) };
}

/// What tells which processes a process shares cores with; 0 for those that share with all.
pub(crate) fn core_cookie(pid: i32) -> io::Result<u64> {
    let mut cookie = 0_u64;
    // SAFETY: PR_SCHED_CORE_GET writes a number of 64 bits to its last argument, which lives on.
    let code = unsafe {
        libc::prctl(libc::PR_SCHED_CORE, libc::PR_SCHED_CORE_GET, pid, 0, &raw mut cookie)
    };
    result(i64::from(code)).map(|_| cookie)
}

/// `truncate(2)` to nothing.
pub(crate) fn truncate(path: &std::ffi::CStr) -> io::Result<()> {
    // SAFETY: `path` is a C string that lives across the call.
    result(i64::from(unsafe { libc::truncate(path.as_ptr(), 0) })).map(drop)
}

/// Marks all descriptors from `first` up to be closed at the exec.
pub(crate) fn close_from_at_exec(first: u32) -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: closes nothing now; at the exec every owner of a descriptor is gone anyway.
    result(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flag) }).map(drop)
}

/// The kernel's Landlock ABI, 0 when it has none or does not let us use it.
pub(crate) fn landlock_abi() -> u32 {
    const VERSION: u32 = 1;
    let none = std::ptr::null::<u8>();
    // SAFETY: with this flag the kernel takes no attributes, only a null pointer of size 0.
    let code = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    u32::try_from(code).unwrap_or(0)
}
