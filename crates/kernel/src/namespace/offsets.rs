//! The clocks of a time namespace, time_namespaces(7).

use super::id_map::write_file;
use sys::rustix::process::Pid;

/// How far a clock of a time namespace is from the initial one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// CLOCK_BOOTTIME rather than CLOCK_MONOTONIC.
    pub boot: bool,
    /// Whole seconds, which may be negative.
    pub seconds: i64,
    /// And this much more, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// Sets the clocks of the time namespace that this process has unshared and nobody has entered.
///
/// # Errors
/// ERANGE when a clock would be before 0, EACCES when somebody is in it already, EPERM without
/// CAP_SYS_TIME over it.
pub fn write_time_offsets(process: Pid, offsets: &[ClockOffset]) -> Result<(), sys::Error> {
    let lines = offsets.iter().map(|offset| {
        let clock = if offset.boot { "boottime" } else { "monotonic" };
        format!("{clock} {} {}\n", offset.seconds, offset.nanoseconds)
    });
    write_file(&format!("/proc/{process}/timens_offsets"), &lines.collect::<String>())
}
