//! Signals: masks, dispositions, waiting, sending.

use core::mem::MaybeUninit;

use super::call::{Errno, act, call4, int, number};

/// A set of signals, bit n-1 for signal n: the kernel's `sigset_t`.
pub type SignalSet = u64;

const SET_SIZE: usize = size_of::<SignalSet>();
const SIGCHLD: usize = 17;

/// Sets the mask of blocked signals and returns the old one: rt_sigprocmask(2).
#[inline(never)]
pub fn set_mask(set: SignalSet) -> SignalSet {
    const SIG_SETMASK: usize = 2;
    let mut old: SignalSet = 0;
    let (set, old_address) = (&raw const set as usize, &raw mut old as usize);
    // SAFETY: both point to sets of the size that is passed. It cannot fail then.
    unsafe { call4(SIG_SETMASK, set, old_address, number::RT_SIGPROCMASK, SET_SIZE) };
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

impl Disposition {
    /// The default, without which an ended child would leave no status to wait for.
    pub const DEFAULT: Disposition = Disposition { handler: 0, flags: 0, restorer: 0, mask: 0 };
}

/// Exchanges what is to happen on SIGCHLD: a parent may have left it ignored. rt_sigaction(2).
pub fn exchange_child_signal(disposition: &mut Disposition) {
    let address = &raw mut *disposition as usize;
    // SAFETY: both point to one `struct sigaction`, which the kernel has read before it writes it,
    // with a set of the size that is passed. What it reads is the default or was written by it.
    unsafe { call4(SIGCHLD, address, address, number::RT_SIGACTION, SET_SIZE) };
}

/// A signal that arrived, from its `siginfo_t`.
#[derive(Clone, Copy)]
pub struct Signalled {
    /// Which one, 1 to 64; 0 when none arrived in time.
    pub signal: i32,
    /// The process that sent it, or [`BY_KERNEL`].
    pub sender: i32,
}

/// A sender that is no process: the kernel, to a whole process group, as for a terminal
/// (`SI_KERNEL`).
pub const BY_KERNEL: i32 = -1;

/// A number of milliseconds that never pass.
pub const FOREVER: u64 = u64::MAX;

/// Waits for a signal of `set`, at most `limit` milliseconds: rt_sigtimedwait(2).
#[must_use]
#[inline(never)]
pub fn wait_signal(set: SignalSet, limit: u64) -> Signalled {
    const SI_KERNEL: i32 = 0x80;
    let mut info = MaybeUninit::<[i32; 32]>::uninit();
    let time = [limit / 1000, limit % 1000 * 1_000_000];
    let time_address = if limit == FOREVER { 0 } else { time.as_ptr() as usize };
    let (set, info_address) = (&raw const set as usize, info.as_mut_ptr() as usize);
    // SAFETY: a set of the size that is passed, 128 bytes for a `siginfo_t`, a `timespec` or null.
    // If there is a signal, all of the `siginfo_t` has been written.
    unsafe {
        let signal = call4(set, info_address, time_address, number::RT_SIGTIMEDWAIT, SET_SIZE);
        if signal <= 0 {
            return Signalled { signal: 0, sender: 0 };
        }
        let info = info.assume_init_ref();
        let sender = if info[2] == SI_KERNEL { BY_KERNEL } else { info[4] };
        Signalled { signal: signal as i32, sender }
    }
}

/// kill(2): to a process, or with a negative `target` to a process group (-1: to all).
pub fn kill(target: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { act(int(target), int(signal), 0, number::KILL) }
}
