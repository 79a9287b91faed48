//! Signals: masks, dispositions, waiting, sending.

use super::call::{Errno, act, call5, checked, number};

/// A set of signals, bit n-1 for signal n: the kernel's `sigset_t`.
pub type SignalSet = u64;

const SET_SIZE: usize = size_of::<SignalSet>();
const SIGCHLD: usize = 17;

/// Sets the mask of blocked signals and returns the old one: rt_sigprocmask(2).
pub fn set_mask(set: SignalSet) -> SignalSet {
    const SIG_SETMASK: usize = 2;
    let mut old: SignalSet = 0;
    let (set, old_address) = (&raw const set as usize, &raw mut old as usize);
    // SAFETY: both point to sets of the size that is passed. It cannot fail then.
    let _cannot_fail =
        unsafe { call5([SIG_SETMASK, set, old_address, SET_SIZE, 0], number::RT_SIGPROCMASK) };
    old
}

/// What is to happen on a signal: `struct sigaction` as the kernel has it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Disposition {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: SignalSet,
}

/// Sets SIGCHLD to its default, without which an ended child would leave no status to wait for,
/// and returns what it was: a parent may have left it ignored.
#[must_use]
pub fn take_child_signal() -> Disposition {
    let default = Disposition { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let mut old = default;
    let (new, old_address) = (&raw const default as usize, &raw mut old as usize);
    // SAFETY: both point to a `struct sigaction` with a set of the size that is passed.
    let _cannot_fail =
        unsafe { call5([SIGCHLD, new, old_address, SET_SIZE, 0], number::RT_SIGACTION) };
    old
}

/// Gives back what [`take_child_signal`] took, if it was anything but the default.
pub fn restore_child_signal(disposition: &Disposition) {
    if disposition.handler == 0 {
        return;
    }
    let new = core::ptr::from_ref(disposition) as usize;
    // SAFETY: points to a `struct sigaction` that the kernel itself wrote.
    let _cannot_fail = unsafe { call5([SIGCHLD, new, 0, SET_SIZE, 0], number::RT_SIGACTION) };
}

/// A signal that arrived, from its `siginfo_t`.
#[derive(Clone, Copy)]
pub struct Signalled {
    /// Which one, 1 to 64.
    pub signal: i32,
    /// Whether the kernel sent it to a whole process group, as a terminal does (`SI_KERNEL`).
    pub by_kernel: bool,
    /// The sender, when a process sent it.
    pub sender: i32,
}

/// Waits for a signal of `set`, at most `limit` milliseconds if there is one: rt_sigtimedwait(2).
/// `EAGAIN` when the time is over.
pub fn wait_signal(set: SignalSet, limit: Option<u64>) -> Result<Signalled, Errno> {
    const SI_KERNEL: i32 = 0x80;
    let mut info = [0i32; 32];
    let time = limit.map(|ms| [ms / 1000, ms % 1000 * 1_000_000]);
    let time_address = time.as_ref().map_or(0, |time| time.as_ptr() as usize);
    let (set, info_address) = (&raw const set as usize, info.as_mut_ptr() as usize);
    // SAFETY: a set of the size that is passed, 128 bytes for a `siginfo_t`, a `timespec` or null.
    let signal =
        unsafe { call5([set, info_address, time_address, SET_SIZE, 0], number::RT_SIGTIMEDWAIT) };
    let signal = checked(signal)?;
    Ok(Signalled { signal: signal.cast_signed(), by_kernel: info[2] == SI_KERNEL, sender: info[4] })
}

/// kill(2): to a process, or with a negative `target` to a process group (-1: to all).
pub fn kill(target: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { act(target as usize, signal as usize, 0, number::KILL) }
}
