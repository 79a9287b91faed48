//! Processes: their making, ending and names.

use super::call::{Errno, act, call3, number};
use super::file::Descriptor;
use super::text::{Text, Texts};

/// Which side of [`fork`] this is.
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the new one's pid.
    Parent(i32),
}

/// fork(2).
pub fn fork() -> Result<Fork, Errno> {
    // SAFETY: no memory is shared; each side goes on with its own copy and the only thread.
    let pid = unsafe { call3(0, 0, 0, number::FORK) }?;
    Ok(if pid == 0 { Fork::Child } else { Fork::Parent(pid.cast_signed()) })
}

/// execve(2); returns only when it failed.
pub fn execve(path: Text<'_>, arguments: Texts, environment: Texts) -> Errno {
    let (arguments, environment) = (arguments.address(), environment.address());
    // SAFETY: `Texts` promises null-terminated arrays of NUL-terminated strings.
    match unsafe { call3(path.address(), arguments, environment, number::EXECVE) } {
        Ok(_) => Errno::new(0),
        Err(errno) => errno,
    }
}

/// exit_group(2).
pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: nothing is used after it.
        let _never = unsafe { call3(code as usize, 0, 0, number::EXIT_GROUP) };
    }
}

/// How a process ended or why it is reported, from the status word of wait(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Exited with this code.
    Exited(i32),
    /// Killed by this signal.
    Killed(i32),
    /// Stopped by this signal, and still there.
    Stopped(i32),
}

/// What [`wait`] found.
pub enum Waited {
    /// This process ended or stopped.
    Process(i32, Status),
    /// There are children, but none has ended or stopped.
    Nothing,
    /// There are no children.
    NoChildren,
}

/// wait4(2) for any child, without waiting: `WNOHANG | WUNTRACED`.
#[must_use]
pub fn wait() -> Waited {
    const WNOHANG_WUNTRACED: usize = 3;
    let mut word: i32 = 0;
    let address = &raw mut word as usize;
    // SAFETY: the kernel writes one int to `word`.
    match unsafe { call3(usize::MAX, address, WNOHANG_WUNTRACED, number::WAIT4) } {
        Err(_) => Waited::NoChildren,
        Ok(0) => Waited::Nothing,
        Ok(pid) => Waited::Process(pid.cast_signed(), status(word)),
    }
}

const fn status(word: i32) -> Status {
    match word & 0x7f {
        0 => Status::Exited((word >> 8) & 0xff),
        0x7f => Status::Stopped((word >> 8) & 0xff),
        signal => Status::Killed(signal),
    }
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

fn who(number: usize) -> i32 {
    // SAFETY: no memory is involved. For the caller itself these cannot fail.
    unsafe { call3(0, 0, 0, number) }.map_or(0, u32::cast_signed)
}

/// setpgid(2): makes `pid` (0: the caller) the leader of its own process group.
pub fn setpgid(pid: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { act(pid as usize, 0, 0, number::SETPGID) }
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
    prctl(1, signal as usize)
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
    unsafe { call3(pid as usize, 0, 0, number::PIDFD_OPEN) }.map(u32::cast_signed)
}

/// pidfd_send_signal(2), Linux 5.1.
pub fn pidfd_send_signal(pidfd: Descriptor, signal: i32) -> Result<(), Errno> {
    // SAFETY: a null siginfo is filled in by the kernel.
    unsafe { act(pidfd as usize, signal as usize, 0, number::PIDFD_SEND_SIGNAL) }
}

/// Writes caches to disk and powers the machine off: sync(2), reboot(2). Returns if refused.
pub fn power_off() -> Errno {
    const MAGIC: usize = 0xfee1_dead;
    const MAGIC2: usize = 672_274_793;
    const POWER_OFF: usize = 0x4321_fedc;
    // SAFETY: no memory is involved.
    unsafe {
        let _cannot_fail = call3(0, 0, 0, number::SYNC);
        call3(MAGIC, MAGIC2, POWER_OFF, number::REBOOT).err().unwrap_or(Errno::new(0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Status, status};

    #[test]
    fn status_words() {
        assert_eq!(status(0x0700), Status::Exited(7));
        assert_eq!(status(0x0009), Status::Killed(9));
        assert_eq!(status(0x008b), Status::Killed(0x0b), "the core-dump bit is no part of it");
        assert_eq!(status(0x147f), Status::Stopped(20));
        assert_eq!(status(0x0040), Status::Killed(64), "the last real-time signal");
    }
}
