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
    #[inline(never)]
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

/// Makes system call `number` with three arguments, the others 0.
///
/// A function that is not inlined: a call costs less space than the instruction with its error
/// check at each place.
///
/// # Safety
///
/// The arguments must be what the system call asks for: pointers point to memory that it may
/// read or write as its man page says, for as long as it does.
#[inline(never)]
pub(super) unsafe fn call3(
    first: usize,
    second: usize,
    third: usize,
    number: usize,
) -> Result<u32, Errno> {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the kernel changes rax, rcx and r11 only.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") 0,
            in("r8") 0,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    checked(result)
}

/// The same with five arguments (the sixth, which mmap(2) alone has, is 0). Returns what the
/// kernel does: an error is its negative number.
///
/// # Safety
///
/// As for [`call3`].
pub(super) unsafe fn call5(arguments: [usize; 5], number: usize) -> isize {
    let [first, second, third, fourth, fifth] = arguments;
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
            in("r8") fifth,
            in("r9") 0,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// [`call3`] for a system call that returns nothing.
///
/// # Safety
///
/// As for [`call3`].
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

/// What a system call that returns a small number has returned.
pub(super) const fn checked(result: isize) -> Result<u32, Errno> {
    if result < 0 { Err(Errno::new(-(result as i32))) } else { Ok(result as u32) }
}
