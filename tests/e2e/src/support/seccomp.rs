//! System calls by number, and the agent's side of seccomp_unotify(2).

#![allow(unsafe_code, reason = "no safe wrapper can make a system call of any number")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// `struct seccomp_notif`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Notification {
    pub(crate) id: u64,
    pub(crate) pid: u32,
    flags: u32,
    pub(crate) number: i32,
    architecture: u32,
    address: u64,
    pub(crate) arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// What the agent decides about a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    /// The call is not made and returns this.
    Value(i64),
    /// The call is made.
    Continue,
}

const RECEIVE: libc::Ioctl = 0xc050_2100;
const SEND: libc::Ioctl = 0xc018_2101;
const FLAG_CONTINUE: u32 = 1;

/// Waits for a call that the agent is to decide about.
pub(crate) fn receive(listener: &impl AsFd) -> io::Result<Notification> {
    let mut notification = Notification::default();
    // SAFETY: RECEIVE has the size of the structure in it, which lives across the call.
    let result =
        unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), RECEIVE, &raw mut notification) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(notification) }
}

/// Tells what becomes of a call.
pub(crate) fn answer(listener: &impl AsFd, id: u64, decision: Decision) -> io::Result<()> {
    let (value, flags) = match decision {
        Decision::Value(value) => (value, 0),
        Decision::Continue => (0, FLAG_CONTINUE),
    };
    let mut answer = Answer { id, value, error: 0, flags };
    // SAFETY: SEND has the size of the structure in it, which lives across the call.
    let result = unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), SEND, &raw mut answer) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes a system call that takes no pointers, or nonsense for them. Returns the error number
/// below zero, as the kernel does.
pub(crate) fn call(number: i64, arguments: [u64; 3]) -> i64 {
    let [first, second, third] = arguments;
    // SAFETY: the tests pass numbers only, of calls that read or write no memory, or calls that a
    // filter keeps from happening.
    let result = unsafe { libc::syscall(number, first, second, third) };
    if result == -1 {
        return -i64::from(io::Error::last_os_error().raw_os_error().unwrap_or(0));
    }
    result
}

/// `getpid()` as a 32-bit program of x86 calls it, by number 20.
pub(crate) fn getpid_of_32_bit() -> i64 {
    let result: i32;
    // SAFETY: the call takes no arguments and no memory; the kernel keeps all registers but eax,
    // and those that its 32-bit entry clears.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inout("eax") 20 => result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    i64::from(result)
}
