//! The life of `tino` once everything is prepared: start the child, wait for signals, pass them
//! on, reap, and start again or end. It sleeps in one system call and wakes for nothing else.

use crate::Tino;
use crate::flags::Id;
use crate::log::Level;
use crate::options::{ALWAYS, Isolation};
use crate::personality::Personality;
use crate::signals::{self, FAULTS, JOB_STOPS, STOPS, signal};
use crate::sys::{self, BY_KERNEL, FOREVER, NO_CHILDREN, SignalSet, Signalled, errno};
use crate::terminal;
use crate::texts::Message;

/// The first wait before the child is started again, in milliseconds; doubled each time.
const FIRST_DELAY_MS: u64 = 100;
/// The longest such wait.
const LONGEST_DELAY_MS: u64 = 60_000;
/// A child that has run so long, in milliseconds, begins with the first wait again.
const STEADY_MS: u64 = 10_000;

/// A time that does not come.
pub const NEVER: u64 = u64::MAX;

impl Tino {
    /// Runs the command to its end and returns the exit code.
    pub fn supervise(&mut self) -> i32 {
        sys::exchange_child_signal(&mut self.child_signal);
        if self.isolation == Isolation::Session {
            self.give_up_terminal();
        }
        let allowed = self.number(Id::Restart);
        let (mut delay, mut restarts) = (FIRST_DELAY_MS, 0);
        loop {
            let started = if allowed == 0 { 0 } else { sys::clock_ms() };
            let code = self.run_child();
            let wanted = allowed == ALWAYS || (code != 0 && restarts < allowed);
            if !wanted || self.asked_to_stop {
                return code;
            }
            let now = sys::clock_ms();
            if now - started >= STEADY_MS {
                delay = FIRST_DELAY_MS;
            }
            self.log.note(Level::Info, Message::STARTING_AGAIN, delay as i32);
            if self.pause_until(now + delay) {
                return code;
            }
            delay = (delay * 2).min(LONGEST_DELAY_MS);
            restarts += 1;
        }
    }

    /// Leaves the terminal to the child's session. From a session's leader, the kernel answers with
    /// HUP and CONT to the whole group: they are not meant for the child.
    fn give_up_terminal(&self) {
        let leader = sys::getsid() == self.log.pid;
        if sys::give_up_terminal().is_ok() && leader {
            let _may_not_have_come = sys::wait_signal(signals::set(signal::HUP), 0);
            let _may_not_have_come = sys::wait_signal(signals::set(signal::CONT), 0);
        }
    }

    #[inline(never)]
    fn run_child(&mut self) -> i32 {
        match self.spawn() {
            Ok(child) => {
                self.child = child;
                self.log.note(Level::Info, Message::SPAWNED, child);
                self.let_go();
                self.start_up.forget();
                while self.child != 0 {
                    self.step(NEVER);
                }
            }
            Err(error) => {
                self.log.note(Level::Fatal, Message::FORK_FAILED, error.number());
                self.code = 1;
            }
        }
        (self.term_at, self.kill_at, self.stop_passed_on) = (NEVER, NEVER, false);
        self.code
    }

    /// Holds on to nothing that somebody may want to unmount or close. Descriptors 0 to 2 stay:
    /// programs write to `/proc/1/fd/1`. A child that may be started again needs it all again.
    fn let_go(&self) {
        if self.number(Id::Restart) == 0 {
            sys::chdir_to_root();
            sys::close_from(3);
        }
    }

    /// Waits for one signal, at most until a deadline or the time `until`, and does what it asks
    /// for.
    fn step(&mut self, until: u64) {
        let next = until.min(self.term_at).min(self.kill_at);
        let limit = if next == NEVER { FOREVER } else { next.saturating_sub(sys::clock_ms()) };
        if self.log.verbosity > Level::Warn as u8 {
            // What was said came from there.
            self.start_up.forget();
        }
        let arrived = sys::wait_signal(blocked(self.ruled), limit);
        match arrived.signal {
            0 => self.time_is_over(),
            signal::CHLD => self.reap(),
            _ => self.arrived(arrived),
        }
    }

    fn time_is_over(&mut self) {
        let now = sys::clock_ms();
        if self.term_at <= now {
            self.deliver(signal::TERM);
        }
        if self.kill_at <= now {
            self.kill();
        }
    }

    /// Reaps all that has ended.
    fn reap(&mut self) {
        loop {
            let ended = sys::wait();
            if matches!(ended.pid, 0 | NO_CHILDREN) {
                return;
            }
            let is_child = ended.pid == self.child;
            if let Some(by) = ended.status.stopped_by() {
                if is_child && !self.stop_passed_on {
                    self.child_stopped(by);
                }
            } else if is_child {
                self.child_ended(ended.status.code());
            } else {
                let level = if self.on(Id::WarnOnReap) { Level::Warn } else { Level::Trace };
                self.log.note(level, Message::REAPED, ended.pid);
            }
        }
    }

    #[inline(never)]
    fn child_ended(&mut self, code: i32) {
        self.log.note(Level::Info, Message::EXITED, code);
        let by_term = code == 128 + signal::TERM || code == 128 + self.passed_on(signal::TERM);
        let success = self.got_term && by_term && self.on(Id::TermSuccess);
        self.code = if success || self.forgiven[code as u8 as usize] { 0 } else { code };
        // dumb-init ends what is left of the child's session as it goes; and a terminal must come
        // back from a group that is gone before another child can have it.
        if self.log.personality == Personality::DumbInit {
            self.pass_on(signal::TERM);
        }
        if self.number(Id::Restart) != 0 && self.isolation == Isolation::ProcessGroup {
            terminal::hand_over(self.child, sys::getpgid());
        }
        if self.on(Id::All) {
            self.sweep();
        }
        self.child = 0;
    }

    fn arrived(&mut self, arrived: Signalled) {
        let which = arrived.signal;
        self.log.note(Level::Debug, Message::RECEIVED, which);
        if which == signal::PIPE && arrived.sender == self.log.pid {
            return; // our own, from a message that nobody reads
        }
        self.asked_to_stop |= signals::contains(STOPS, which);
        self.got_term |= which == signal::TERM;
        if self.child == 0 {
            return; // between two starts
        }
        // In one group with us, the child has what the terminal sends already.
        const BY_TERMINAL: SignalSet = signals::set(signal::INT)
            | signals::set(signal::QUIT)
            | signals::set(signal::TSTP)
            | signals::set(signal::WINCH);
        let has_it = self.isolation == Isolation::None
            && arrived.sender == BY_KERNEL
            && signals::contains(BY_TERMINAL, which);
        let delay = self.number(Id::TermDelayMs);
        if which == signal::TERM && delay > 0 && !self.term_held {
            self.term_held = true;
            self.term_at = sys::clock_ms() + u64::from(delay);
        } else if has_it {
            self.stop_too(which);
        } else {
            self.deliver(which);
        }
    }

    /// Passes a signal on that is due, with all that follows from it.
    #[inline(never)]
    fn deliver(&mut self, which: i32) {
        if which == signal::TERM {
            self.term_at = NEVER;
        }
        if signals::contains(STOPS, which) && self.was_given(Id::GraceMs) {
            if self.kill_at != NEVER {
                return self.kill();
            }
            self.kill_at = sys::clock_ms() + u64::from(self.number(Id::GraceMs));
        }
        if which == signal::CONT {
            self.stop_passed_on = false;
            self.continued();
        }
        self.pass_on(which);
        self.stop_too(which);
    }

    /// Stops with the child, so that the shell that started us sees a stopped job. Whoever sent
    /// the signal can send CONT. PID 1 cannot be stopped; the kernel ignores it then.
    #[inline(never)]
    fn stop_too(&mut self, which: i32) {
        let dumb_or_own = matches!(self.log.personality, Personality::Tino | Personality::DumbInit);
        if dumb_or_own && signals::contains(JOB_STOPS, which) && self.passed_on(which) != 0 {
            self.stop_passed_on = true;
            let _cannot_fail = sys::kill(self.log.pid, signal::STOP);
        }
    }

    #[inline(never)]
    fn pass_on(&self, which: i32) {
        let sent = self.passed_on(which);
        if sent == 0 {
            return self.log.note(Level::Debug, Message::NOT_FORWARDING, which);
        }
        self.log.note(Level::Debug, Message::FORWARDED, sent);
        self.send(sent);
    }

    #[inline(never)]
    fn kill(&mut self) {
        self.kill_at = NEVER;
        self.send(signal::KILL);
    }

    #[inline(never)]
    fn send(&self, sent: i32) {
        let mut result = Err(errno::ESRCH);
        // dumb-init's session is a group, too.
        if self.on(Id::PgroupKill) {
            result = sys::kill(-self.child, sent);
        }
        // A session's group does not exist before the child has made it.
        if result == Err(errno::ESRCH) {
            result = sys::kill(self.child, sent);
        }
        if result != Err(errno::ESRCH) {
            self.log.check(Level::Warn, Message::CANNOT_FORWARD, result);
        }
    }

    /// Waits before the next start, still reaping. Whether a stop signal ended the wait.
    fn pause_until(&mut self, start: u64) -> bool {
        while !self.asked_to_stop && sys::clock_ms() < start {
            self.step(start);
        }
        self.asked_to_stop
    }
}

/// The signals to be blocked and waited for: all but those that the kernel sends for a fault of
/// our own, unless a rule asks for them. Waiting for the others would take them from the kernel.
#[must_use]
pub const fn blocked(ruled: SignalSet) -> SignalSet {
    !(FAULTS & !ruled)
}
