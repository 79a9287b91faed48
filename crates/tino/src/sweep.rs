//! `--all`: ends every process that is left, politely first.

use crate::Tino;
use crate::flags::Id;
use crate::log::Level;
use crate::packed::write;
use crate::signals::{self, STOPS, signal};
use crate::supervise::blocked;
use crate::sys::{self, Buffer, Directory, NO_CHILDREN, SignalSet, Text, errno};
use crate::texts::Message;

/// The grace time when none is given, in milliseconds.
const GRACE_MS: u32 = 500;
/// Between two looks at processes whose end sends us no signal, in milliseconds.
const POLL_MS: u64 = 10;
/// How long KILL may take, in milliseconds: a process that hangs in the kernel is left behind.
const KILL_MS: u32 = 2_000;

impl Tino {
    /// Sends TERM to all that is left, waits until it is gone or the grace time is over, and sends
    /// KILL. A stop signal that arrives meanwhile ends the wait. Does not wait for nothing.
    pub(crate) fn sweep(&self) {
        if gone() || !self.signal_all(signal::TERM) {
            return;
        }
        // A stopped process would not see the TERM before the KILL.
        self.signal_all(signal::CONT);
        let grace = if self.was_given(Id::GraceMs) { self.number(Id::GraceMs) } else { GRACE_MS };
        if self.wait_for_all(grace, STOPS, 0) {
            return;
        }
        self.log.note(Level::Info, Message::KILLING, 0);
        if !self.wait_for_all(KILL_MS, 0, signal::KILL) {
            self.log.note(Level::Warn, Message::NOT_ALL_KILLED, 0);
        }
    }

    /// Waits until nothing is left (true), the time is over or a signal of `enough` arrives.
    /// Sends `again` in each round: a process may have been made since the last one.
    #[inline(never)]
    fn wait_for_all(&self, time: u32, enough: SignalSet, again: i32) -> bool {
        let deadline = sys::clock_ms() + u64::from(time);
        loop {
            let any = self.signal_all(again);
            let gone = gone();
            if gone && !any {
                return true;
            }
            let now = sys::clock_ms();
            if now >= deadline {
                return false;
            }
            // The end of a child sends a signal.
            let limit = if again == 0 && !gone { deadline - now } else { POLL_MS };
            let arrived = sys::wait_signal(blocked(self.ruled), limit).signal;
            if arrived != 0 && signals::contains(enough, arrived) {
                return false;
            }
        }
    }

    /// Sends a signal (0: none) to all that is left; whether there is anything.
    #[inline(never)]
    fn signal_all(&self, which: i32) -> bool {
        if self.log.pid == 1 {
            // Everything in the PID namespace but us, in one step that no fork escapes.
            return sys::kill(-1, which).is_ok();
        }
        if which == signal::KILL {
            // The child's group in one step, too, before its members one by one.
            let _may_be_gone = sys::kill(-self.child, which);
        }
        let Ok(mut processes) = Directory::open(Text::of(c"/proc")) else {
            self.log.note(Level::Warn, Message::NO_PROC, 0);
            return sys::kill(-self.child, which).is_ok();
        };
        let mut any = false;
        while let Some(pid) = processes.next_number() {
            any |= self.signal_descendant(pid.cast_signed(), which);
        }
        any
    }

    #[inline(never)]
    fn signal_descendant(&self, pid: i32, which: i32) -> bool {
        // The number may become another process's at any time: a pidfd is taken first, and only
        // then it is asked whose child it is.
        let pidfd = sys::pidfd_open(pid);
        let ours = pidfd != Err(errno::ESRCH) && self.is_descendant(pid);
        match pidfd {
            Ok(pidfd) => {
                if ours {
                    let _ended = sys::pidfd_send_signal(pidfd, which);
                }
                sys::close(pidfd);
                ours
            }
            Err(_) => ours && sys::kill(pid, which).is_ok(),
        }
    }

    /// Whether the process is alive and comes from us.
    fn is_descendant(&self, pid: i32) -> bool {
        let mut ancestor = parent(pid);
        while ancestor > 1 {
            if ancestor == self.log.pid {
                return true;
            }
            ancestor = parent(ancestor).abs();
        }
        false
    }
}

/// Reaps what has ended; whether no child is left.
#[inline(never)]
fn gone() -> bool {
    loop {
        match sys::wait().pid {
            0 => return false,
            NO_CHILDREN => return true,
            _ => {}
        }
    }
}

/// The parent of a process, negative when the process is no more than a zombie, 0 when it is not
/// known: proc_pid_stat(5).
#[inline(never)]
fn parent(pid: i32) -> i32 {
    let mut room = sys::room::<128>();
    let mut text = Buffer::over(&mut room);
    write(&mut text, Message::STAT, Text::NONE, pid);
    let Ok(fd) = sys::open(text.text(), sys::OPEN_READ) else { return 0 };
    // The pid, the name in parentheses (at most 64 bytes), the state, the parent.
    text.shorten(0);
    let _stays_empty = sys::read(fd, &mut text);
    sys::close(fd);
    parse_stat(text.text())
}

fn parse_stat(text: Text<'_>) -> i32 {
    // The name may hold parentheses of its own: the last one ends it.
    let state = text.behind_last(b')').rest();
    let mut digits = state.rest().rest();
    let mut parent = 0;
    while let Some(digit @ b'0'..=b'9') = digits.next() {
        parent = parent * 10 + i32::from(digit - b'0');
    }
    if matches!(state.first(), b'Z' | b'X') { -parent } else { parent }
}

#[cfg(test)]
mod tests {
    use super::{Text, parent, parse_stat};

    #[test]
    fn a_name_cannot_pretend_to_be_another_field() {
        let parse = |text| parse_stat(Text::of(text));
        assert_eq!(parse(c"12 (sh) S 7 12 "), 7);
        assert_eq!(parse(c"12 (a) Z 99 () S 7 12 "), 7);
        assert_eq!(parse(c"12 (sh) Z 7 12 "), -7);
        for bad in [c"", c"12 (sh", c"12 (sh)", c"12 (sh) S", c"12 (sh) S x "] {
            assert_eq!(parse(bad), 0, "{bad:?}");
        }
    }

    #[test]
    fn my_parent_is_my_parent() {
        let me = std::process::id().cast_signed();
        assert_eq!(parent(me), std::os::unix::process::parent_id().cast_signed());
        assert_eq!(parent(i32::MAX), 0);
    }
}
