//! `--all`: ends every process that is left, politely first.

use crate::log::{Level, Log};
use crate::signals::{self, STOPS, signal};
use crate::sys::{self, Buffer, SignalSet, Signalled, Text, Waited};

/// Between two looks at processes whose end sends us no signal, in milliseconds.
const POLL_MS: u64 = 10;
/// How long KILL may take, in milliseconds: a process that hangs in the kernel is left behind.
const KILL_MS: u64 = 2_000;

/// Sends TERM to all that is left, waits (taking the signals `waited`) until it is gone or `grace` milliseconds are over, and
/// sends KILL. A stop signal that arrives meanwhile ends the wait. Does not wait for nothing.
#[inline(never)]
pub fn sweep(log: &Log, waited: SignalSet, grace: u32, child: i32) {
    let left = Left { log, waited, child };
    if gone() || !left.signal(signal::TERM) {
        return;
    }
    // A stopped process would not see the TERM before the KILL.
    left.signal(signal::CONT);
    let now = sys::clock_ms();
    if left.wait_until(now + u64::from(grace), STOPS, 0) {
        return;
    }
    log.note(Level::Info, c"Killing what is left", 0);
    if !left.wait_until(sys::clock_ms() + KILL_MS, 0, signal::KILL) {
        log.note(Level::Warn, c"not all processes could be killed", 0);
    }
}

struct Left<'a> {
    log: &'a Log,
    waited: SignalSet,
    child: i32,
}

impl Left<'_> {
    /// Waits until nothing is left (true), the time is over or a signal of `enough` arrives.
    /// Sends `again` in each round: a process may have been made since the last one.
    fn wait_until(&self, deadline: u64, enough: SignalSet, again: i32) -> bool {
        loop {
            let any = self.signal(again);
            if gone() && !any {
                return true;
            }
            let now = sys::clock_ms();
            if now >= deadline {
                return false;
            }
            let limit = if again == 0 && !gone() { deadline - now } else { POLL_MS };
            if let Ok(Signalled { signal, .. }) = sys::wait_signal(self.waited, Some(limit))
                && signals::contains(enough, signal)
            {
                return false;
            }
        }
    }

    /// Sends a signal (0: none) to all that is left; whether there is anything.
    fn signal(&self, which: i32) -> bool {
        if self.log.pid == 1 {
            // Everything in the PID namespace but us, in one step that no fork escapes.
            return sys::kill(-1, which).is_ok();
        }
        if which == signal::KILL {
            // The child's group in one step, too, before its members one by one.
            let _may_be_gone = sys::kill(-self.child, which);
        }
        let Ok(fd) = sys::open(Text::of(c"/proc"), sys::OPEN_DIRECTORY) else {
            self.log.note(Level::Warn, c"no /proc: only the child's process group is ended", 0);
            return sys::kill(-self.child, which).is_ok();
        };
        let mut any = false;
        let mut processes = sys::read_directory(fd);
        while let Some(pid) = processes.next_number() {
            any |= self.signal_descendant(pid, which);
        }
        any
    }

    fn signal_descendant(&self, pid: i32, which: i32) -> bool {
        if !self.is_descendant(pid) {
            return false;
        }
        // The number may have become another process's since: a pidfd is taken, and only then
        // the question asked again.
        match sys::pidfd_open(pid) {
            Ok(pidfd) => {
                let still = self.is_descendant(pid);
                if still {
                    let _ended = sys::pidfd_send_signal(pidfd, which);
                }
                sys::close(pidfd);
                still
            }
            Err(sys::errno::ESRCH) => false,
            Err(_) => sys::kill(pid, which).is_ok(),
        }
    }

    /// Whether the process is alive and comes from us.
    fn is_descendant(&self, pid: i32) -> bool {
        let mut ancestor = pid;
        loop {
            match parent(ancestor) {
                Some((_, alive)) if ancestor == pid && !alive => return false,
                Some((parent, _)) if parent == self.log.pid => return true,
                Some((parent, _)) if parent > 1 => ancestor = parent,
                _ => return false,
            }
        }
    }
}

/// Reaps what has ended; whether no child is left.
fn gone() -> bool {
    loop {
        match sys::wait() {
            Waited::Process(..) => {}
            Waited::Nothing => return false,
            Waited::NoChildren => return true,
        }
    }
}

/// The parent of a process, and whether the process is more than a zombie: proc_pid_stat(5).
#[inline(never)]
fn parent(pid: i32) -> Option<(i32, bool)> {
    let mut memory = [0; 32];
    let mut path = Buffer::over(&mut memory);
    path.append(Text::of(c"/proc/"), 0);
    path.number(pid);
    path.append(Text::of(c"/stat"), 0);
    let fd = sys::open(path.text(), sys::OPEN_READ).ok()?;
    // The pid, the name in parentheses (at most 64 bytes), the state, the parent.
    let mut text = [0; 128];
    let length = sys::read(fd, &mut text).unwrap_or(0);
    sys::close(fd);
    parse_stat(text.get(..length)?)
}

#[inline(never)]
fn parse_stat(text: &[u8]) -> Option<(i32, bool)> {
    // The name may hold parentheses of its own: the last one ends it.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let [_, _, state, _, fields @ ..] = text.get(end..)? else { return None };
    let mut parent = 0;
    for byte in fields {
        match byte {
            b'0'..=b'9' => parent = parent * 10 + i32::from(byte - b'0'),
            b' ' => return Some((parent, !matches!(state, b'Z' | b'X'))),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{parent, parse_stat};

    #[test]
    fn a_name_cannot_pretend_to_be_another_field() {
        assert_eq!(parse_stat(b"12 (sh) S 7 12 "), Some((7, true)));
        assert_eq!(parse_stat(b"12 (a) Z 99 () S 7 12 "), Some((7, true)));
        assert_eq!(parse_stat(b"12 (sh) Z 7 12 "), Some((7, false)));
        for bad in [&b""[..], b"12 (sh", b"12 (sh)", b"12 (sh) S", b"12 (sh) S x "] {
            assert_eq!(parse_stat(bad), None);
        }
    }

    #[test]
    fn my_parent_is_my_parent() {
        let me = std::process::id().cast_signed();
        assert_eq!(parent(me), Some((std::os::unix::process::parent_id().cast_signed(), true)));
    }
}
