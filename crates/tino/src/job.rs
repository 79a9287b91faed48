//! Job control: Ctrl-Z, `fg` and `bg` for a child in a process group of its own.
//!
//! The terminal stops the child's group; the shell waits for ours. So we stop too, and when the
//! shell continues us, the child gets the terminal back and goes on. Nobody waits for PID 1, nor
//! for a group that the kernel calls orphaned: there the child goes on at once, as it would if
//! it were in such a group itself.

use crate::Tino;
use crate::options::Isolation;
use crate::signals::{self, signal};
use crate::supervise::blocked;
use crate::sys;
use crate::terminal;

impl Tino {
    /// To be called when the child has been stopped by anybody but us.
    #[inline(never)]
    pub(crate) fn child_stopped(&self, by: i32) {
        if self.isolation != Isolation::ProcessGroup {
            return;
        }
        let in_foreground = terminal::in_foreground(self.child);
        let wants_terminal = by == signal::TTIN || by == signal::TTOU;
        if !in_foreground && !wants_terminal {
            return; // it was not the terminal
        }
        // A shell's `fg` may have come between the child's wish for the terminal and its stop.
        let ours = wants_terminal && terminal::in_foreground(sys::getpgid());
        let stopped = ours || self.stop_with_group();
        if stopped {
            self.continued();
        }
        if stopped || (in_foreground && by == signal::TSTP) {
            let _ended = sys::kill(-self.child, signal::CONT);
        }
    }

    /// Stops our own group as the terminal would. It is the kernel that decides: it drops the
    /// signal if nobody could continue the group. Whether we have been stopped and continued.
    fn stop_with_group(&self) -> bool {
        let blocked = blocked(self.ruled);
        let _cannot_fail = sys::kill(0, signal::TSTP);
        sys::set_mask(blocked & !signals::set(signal::TSTP));
        sys::set_mask(blocked);
        sys::wait_signal(signals::set(signal::CONT), 0).signal != 0
    }

    /// To be called when we have been continued: in the foreground, the terminal is the child's.
    #[inline(never)]
    pub(crate) fn continued(&self) {
        if self.isolation == Isolation::ProcessGroup && self.child != 0 {
            terminal::hand_over(sys::getpgid(), self.child);
        }
    }
}
