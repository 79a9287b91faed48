//! The system call instruction, and the numbers used with it.

use core::arch::asm;
use core::num::NonZeroI32;

/// A failed system call's error number, `errno(3)`. Not being 0, it leaves room in a register for
/// success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(NonZeroI32);

impl Errno {
    /// The error with this number; 0, which is none, becomes one that the kernel does not have.
    #[must_use]
    pub const fn new(number: i32) -> Errno {
        match NonZeroI32::new(number) {
            Some(number) => Errno(number),
            None => Errno(NonZeroI32::MIN),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0.get()
    }
}

/// The x86_64 system call numbers in use, from `asm/unistd_64.h`.
pub(super) mod number {
    pub(in crate::sys) const READ: usize = 0;
    pub(in crate::sys) const WRITE: usize = 1;
    pub(in crate::sys) const OPEN: usize = 2;
    pub(in crate::sys) const CLOSE: usize = 3;
    pub(in crate::sys) const MMAP: usize = 9;
    pub(in crate::sys) const RT_SIGACTION: usize = 13;
    pub(in crate::sys) const RT_SIGPROCMASK: usize = 14;
    pub(in crate::sys) const IOCTL: usize = 16;
    pub(in crate::sys) const PREAD64: usize = 17;
    pub(in crate::sys) const MADVISE: usize = 28;
    pub(in crate::sys) const GETPID: usize = 39;
    pub(in crate::sys) const FORK: usize = 57;
    pub(in crate::sys) const EXECVE: usize = 59;
    pub(in crate::sys) const WAIT4: usize = 61;
    pub(in crate::sys) const KILL: usize = 62;
    pub(in crate::sys) const CHDIR: usize = 80;
    pub(in crate::sys) const SETPGID: usize = 109;
    pub(in crate::sys) const GETPPID: usize = 110;
    pub(in crate::sys) const SETSID: usize = 112;
    pub(in crate::sys) const GETPGID: usize = 121;
    pub(in crate::sys) const GETSID: usize = 124;
    pub(in crate::sys) const RT_SIGTIMEDWAIT: usize = 128;
    pub(in crate::sys) const PRCTL: usize = 157;
    pub(in crate::sys) const SYNC: usize = 162;
    pub(in crate::sys) const REBOOT: usize = 169;
    pub(in crate::sys) const GETDENTS64: usize = 217;
    pub(in crate::sys) const CLOCK_GETTIME: usize = 228;
    pub(in crate::sys) const EXIT_GROUP: usize = 231;
    pub(in crate::sys) const PIDFD_SEND_SIGNAL: usize = 424;
    pub(in crate::sys) const PIDFD_OPEN: usize = 434;
    pub(in crate::sys) const CLOSE_RANGE: usize = 436;
    pub(in crate::sys) const LANDLOCK_CREATE_RULESET: usize = 444;
    pub(in crate::sys) const LANDLOCK_ADD_RULE: usize = 445;
    pub(in crate::sys) const LANDLOCK_RESTRICT_SELF: usize = 446;
}

/// An `int` as an argument: the kernel looks at the lower half of the register alone.
pub(super) const fn int(number: i32) -> usize {
    number.cast_unsigned() as usize
}

/// Makes system call `number` with four arguments, the others 0. Returns what the kernel does: an
/// error is its negative number.
///
/// A function that is not inlined: a call costs less space than the instruction at each place.
///
/// # Safety
///
/// The arguments must be what the system call asks for: pointers point to memory that it may
/// read or write as its man page says, for as long as it does.
#[inline(never)]
pub(super) unsafe fn call4(
    first: usize,
    second: usize,
    third: usize,
    number: usize,
    fourth: usize,
) -> isize {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the kernel changes rax, rcx and r11 only.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") 0,
            in("r9") 0,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// The same with three arguments, for a system call that returns a small number.
///
/// # Safety
///
/// As for [`call4`].
#[inline(never)]
pub(super) unsafe fn call3(
    first: usize,
    second: usize,
    third: usize,
    number: usize,
) -> Result<u32, Errno> {
    // SAFETY: the caller's promise.
    let result = unsafe { call4(first, second, third, number, 0) };
    if result < 0 { Err(Errno::new(-(result as i32))) } else { Ok(result as u32) }
}

/// [`call3`] for a system call that returns nothing.
///
/// # Safety
///
/// As for [`call4`].
#[inline(never)]
pub(super) unsafe fn act(
    first: usize,
    second: usize,
    third: usize,
    number: usize,
) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { call3(first, second, third, number) }.map(drop)
}
