//! Scheduling and placement of a process, where rustix has no call.

#![allow(unsafe_code)]

use crate::rustix::io::Errno;

/// `struct sched_attr`, `SCHED_ATTR_SIZE_VER1` (Linux 5.3), sched_setattr(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerAttributes {
    /// Filled in by the call.
    pub size: u32,
    /// `SCHED_OTHER` 0, `SCHED_FIFO` 1, `SCHED_RR` 2, `SCHED_BATCH` 3, `SCHED_IDLE` 5,
    /// `SCHED_DEADLINE` 6.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 to 19, for the policies of ordinary processes.
    pub nice: i32,
    /// 1 to 99, for `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub runtime: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub deadline: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub period: u64,
    /// 0 to 1024.
    pub utilization_minimum: u32,
    /// 0 to 1024.
    pub utilization_maximum: u32,
}

/// `int sched_setattr(0, struct sched_attr *attr, 0)`, sched_setattr(2), Linux 3.14: policy and
/// parameters of the calling thread.
///
/// # Errors
/// EINVAL for values that the policy does not take, EPERM without CAP_SYS_NICE, EBUSY for a
/// deadline that cannot be kept.
pub fn sched_setattr(attributes: &SchedulerAttributes) -> Result<(), Errno> {
    let size = size_of::<SchedulerAttributes>() as u32;
    let attributes = SchedulerAttributes { size, ..*attributes };
    // SAFETY: the structure has the size that it says, and outlives the call.
    done(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) })
}

/// `int sched_setaffinity(0, size_t cpusetsize, const cpu_set_t *mask)`, sched_setaffinity(2): lets
/// the calling thread run on all processors. The kernel takes those that there are, and that its
/// cpuset allows.
///
/// # Errors
/// None that the manual knows; EPERM where a filter forbids it.
pub fn use_all_processors() -> Result<(), Errno> {
    // Twice as many as any kernel has: what is too long it does not read.
    let all = [u64::MAX; 256];
    // SAFETY: the kernel reads no more than the array has.
    done(unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&all), all.as_ptr()) })
}

/// `int ioprio_set(IOPRIO_WHO_PROCESS, 0, class << 13 | level)`, ioprio_set(2): the place of the
/// calling thread among those who wait for a disk. Classes: 1 real time, 2 best effort, 3 idle.
///
/// # Errors
/// EINVAL for what is no class or level (0 to 7), EPERM without CAP_SYS_ADMIN for real time.
pub fn ioprio_set(class: u16, level: u16) -> Result<(), Errno> {
    const WHO_PROCESS: libc::c_int = 1;
    let priority = i32::from(class) << 13 | i32::from(level);
    // SAFETY: no memory is passed.
    done(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, priority) })
}

/// `long set_mempolicy(int mode, const unsigned long *nodemask, unsigned long maxnode)`,
/// set_mempolicy(2): on which nodes memory is taken for the calling thread and what it executes.
/// `mode` has the flags in it; `nodes` has bit N of word N / 64 for node N.
///
/// # Errors
/// EINVAL for nodes that do not exist or are not allowed, or a mode unknown to the kernel.
pub fn set_mempolicy(mode: i32, nodes: &[u64]) -> Result<(), Errno> {
    // The kernel takes one bit less than it is told, of none as well.
    let bits = nodes.len() * 64 + 1;
    // SAFETY: the kernel reads `bits - 1` bits, which the slice has.
    done(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, nodes.as_ptr(), bits) })
}

/// `int personality(unsigned long persona)`, personality(2). `PER_LINUX` 0, `PER_LINUX32` 8.
///
/// # Errors
/// None that is known.
pub fn personality(domain: u64) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    done(unsafe { libc::syscall(libc::SYS_personality, domain) })
}

fn done(result: libc::c_long) -> Result<(), Errno> {
    if result >= 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
