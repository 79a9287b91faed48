//! Processes: their making, ending and names.

use super::call::{Errno, act, call3, int, number};
use super::file::Descriptor;
use super::text::{Text, Texts};

/// fork(2): the new process's pid, 0 in the new process itself.
pub fn fork() -> Result<i32, Errno> {
    // SAFETY: no memory is shared; each side goes on with its own copy and the only thread.
    unsafe { call3(0, 0, 0, number::FORK) }.map(u32::cast_signed)
}

/// execve(2); returns only when it failed.
pub fn execve(path: Text<'_>, arguments: Texts, environment: Texts) -> Result<(), Errno> {
    let (arguments, environment) = (arguments.address(), environment.address());
    // SAFETY: `Texts` promises null-terminated arrays of NUL-terminated strings.
    unsafe { act(path.address(), arguments, environment, number::EXECVE) }
}

/// execve(2) of a script that names no interpreter, by `/bin/sh`; returns only when it failed.
///
/// `arguments` was made by [`Texts::from`] with an index above 0: the shell's name takes the place
/// of the string before its first one, and the script that of the first.
pub fn execve_by_shell(script: Text<'_>, arguments: Texts, environment: Texts) {
    let shell = Text::of(c"/bin/sh").address();
    let place = (arguments.address() as *mut [usize; 2]).wrapping_byte_sub(size_of::<usize>());
    // SAFETY: the array is ours, and the caller says that it begins before `place`. What is
    // written there is NUL-terminated strings, and is gone again before they are.
    unsafe {
        let strings = place.read();
        place.write([shell, script.address()]);
        let _the_first_error_says_more =
            act(shell, place as usize, environment.address(), number::EXECVE);
        place.write(strings);
    }
}

/// exit_group(2).
#[inline(never)]
pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: nothing is used after it.
        let _never = unsafe { call3(int(code), 0, 0, number::EXIT_GROUP) };
    }
}

/// What [`wait`] found.
pub struct Waited {
    /// The process that ended or stopped; 0 when there are children, but none has, and
    /// [`NO_CHILDREN`].
    pub pid: i32,
    /// How.
    pub status: Status,
}

/// In place of a pid: there are no children.
pub const NO_CHILDREN: i32 = -1;

/// How a process ended or stopped: the status word of wait(2).
#[derive(Clone, Copy)]
pub struct Status(i32);

impl Status {
    /// The signal by which it was stopped; it is still there.
    #[must_use]
    pub const fn stopped_by(self) -> Option<i32> {
        if self.0 as u8 == 0x7f { Some(self.0 >> 8 & 0xff) } else { None }
    }

    /// The exit code, 128 and the signal's number if it was killed by one.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self.0 & 0x7f {
            0 => self.0 >> 8 & 0xff,
            signal => 128 + signal,
        }
    }
}

/// wait4(2) for any child, without waiting: `WNOHANG | WUNTRACED`.
#[must_use]
#[inline(never)]
pub fn wait() -> Waited {
    const WNOHANG_WUNTRACED: usize = 3;
    let mut word: i32 = 0;
    let address = &raw mut word as usize;
    // SAFETY: the kernel writes one int to `word`.
    let pid = unsafe { call3(usize::MAX, address, WNOHANG_WUNTRACED, number::WAIT4) };
    Waited { pid: pid.map_or(NO_CHILDREN, u32::cast_signed), status: Status(word) }
}

/// getpid(2).
#[must_use]
pub fn getpid() -> i32 {
    who(number::GETPID)
}

/// getppid(2); 0 when the parent is outside the PID namespace.
#[must_use]
pub fn getppid() -> i32 {
    who(number::GETPPID)
}

/// getpgid(2) of the calling process; 0 when its group began outside the PID namespace.
#[must_use]
pub fn getpgid() -> i32 {
    who(number::GETPGID)
}

/// getsid(2) of the calling process.
#[must_use]
pub fn getsid() -> i32 {
    who(number::GETSID)
}

#[inline(never)]
fn who(number: usize) -> i32 {
    // SAFETY: no memory is involved. For the caller itself these cannot fail.
    unsafe { call3(0, 0, 0, number) }.map_or(0, u32::cast_signed)
}

/// setpgid(2): makes `pid` (0: the caller) the leader of its own process group.
#[inline(never)]
pub fn setpgid(pid: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { act(int(pid), 0, 0, number::SETPGID) }
}

/// setsid(2).
pub fn setsid() -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { act(0, 0, 0, number::SETSID) }
}

/// `PR_SET_CHILD_SUBREAPER`, Linux 3.4.
pub fn set_subreaper() -> Result<(), Errno> {
    prctl(36, 1)
}

/// `PR_SET_PDEATHSIG`, Linux 2.1.57.
pub fn parent_death_signal(signal: i32) -> Result<(), Errno> {
    prctl(1, int(signal))
}

/// `PR_SET_NO_NEW_PRIVS`, Linux 3.5.
pub fn set_no_new_privs() -> Result<(), Errno> {
    prctl(38, 1)
}

fn prctl(option: usize, argument: usize) -> Result<(), Errno> {
    // SAFETY: the options above take a number, no pointer.
    unsafe { act(option, argument, 0, number::PRCTL) }
}

/// Milliseconds of `CLOCK_MONOTONIC`, clock_gettime(2).
#[must_use]
#[inline(never)]
pub fn clock_ms() -> u64 {
    const CLOCK_MONOTONIC: usize = 1;
    let mut time = [0u64; 2];
    // SAFETY: the kernel writes one `struct timespec`, two 64-bit words. It cannot fail.
    let _cannot_fail =
        unsafe { call3(CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0, number::CLOCK_GETTIME) };
    time[0] * 1000 + time[1] / 1_000_000
}

/// pidfd_open(2), Linux 5.3. Close-on-exec.
pub fn pidfd_open(pid: i32) -> Result<Descriptor, Errno> {
    // SAFETY: no memory is involved.
    unsafe { call3(int(pid), 0, 0, number::PIDFD_OPEN) }
}

/// pidfd_send_signal(2), Linux 5.1.
pub fn pidfd_send_signal(pidfd: Descriptor, signal: i32) -> Result<(), Errno> {
    // SAFETY: a null siginfo is filled in by the kernel.
    unsafe { act(pidfd as usize, int(signal), 0, number::PIDFD_SEND_SIGNAL) }
}

/// Writes caches to disk and powers the machine off: sync(2), reboot(2). Returns if refused.
pub fn power_off() -> Result<(), Errno> {
    const MAGIC: usize = 0xfee1_dead;
    const MAGIC2: usize = 672_274_793;
    const POWER_OFF: usize = 0x4321_fedc;
    // SAFETY: no memory is involved.
    unsafe {
        let _cannot_fail = call3(0, 0, 0, number::SYNC);
        act(MAGIC, MAGIC2, POWER_OFF, number::REBOOT)
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn status_words() {
        let ended = |word| (Status(word).stopped_by(), Status(word).code());
        assert_eq!(ended(0x0700), (None, 7));
        assert_eq!(ended(0x0009), (None, 128 + 9));
        assert_eq!(ended(0x008b), (None, 128 + 0x0b), "the core-dump bit is no part of it");
        assert_eq!(ended(0x0040), (None, 128 + 64), "the last real-time signal");
        assert_eq!(Status(0x147f).stopped_by(), Some(20));
    }
}
