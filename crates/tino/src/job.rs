//! Job control: Ctrl-Z, `fg` and `bg` for a child in a process group of its own.
//!
//! The terminal stops the child's group; the shell waits for ours. So we stop too, and when the
//! shell continues us, the child gets the terminal back and goes on. Nobody waits for PID 1, nor
//! for a group that the kernel calls orphaned: there the child goes on at once, as it would if
//! it were in such a group itself.

use crate::options::{Isolation, Options};
use crate::signals::{self, signal};
use crate::sys;
use crate::terminal;

/// To be called when the child has been stopped by anybody but us.
#[inline(never)]
pub fn child_stopped(options: &Options, child: i32, by: i32) {
    if options.isolation != Isolation::ProcessGroup {
        return;
    }
    let in_foreground = terminal::in_foreground(child);
    let wants_terminal = by == signal::TTIN || by == signal::TTOU;
    if !in_foreground && !wants_terminal {
        return; // it was not the terminal
    }
    // A shell's `fg` may have come between the child's wish for the terminal and its stop.
    let ours = wants_terminal && terminal::in_foreground(sys::getpgid());
    if ours || stop_with_group(options) {
        continued(options, child);
        let _ended = sys::kill(-child, signal::CONT);
    } else if in_foreground && by == signal::TSTP {
        let _ended = sys::kill(-child, signal::CONT);
    }
}

/// Stops our own group as the terminal would. It is the kernel that decides: it drops the signal
/// if nobody could continue the group. Whether we have been stopped and continued.
fn stop_with_group(options: &Options) -> bool {
    let blocked = crate::supervise::blocked(options.ruled);
    let _cannot_fail = sys::kill(0, signal::TSTP);
    sys::set_mask(blocked & !signals::set(signal::TSTP));
    sys::set_mask(blocked);
    sys::wait_signal(signals::set(signal::CONT), Some(0)).is_ok()
}

/// To be called when we have been continued: in the foreground, the terminal is the child's.
pub fn continued(options: &Options, child: i32) {
    if options.isolation == Isolation::ProcessGroup && child != 0 {
        terminal::hand_over(sys::getpgid(), child);
    }
}

/// To be called when the child has ended and another is to be started.
pub fn take_back_terminal(child: i32) {
    terminal::hand_over(child, sys::getpgid());
}
