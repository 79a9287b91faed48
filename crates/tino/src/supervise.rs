//! The life of `tino` once everything is prepared: start the child, wait for signals, pass them
//! on, reap, and start again or end. It sleeps in one system call and wakes for nothing else.

use crate::child::{Command, Prepared, spawn};
use crate::flags::Id;
use crate::job;
use crate::log::{Level, Log};
use crate::options::{ALWAYS, Isolation, Options};
use crate::personality::Personality;
use crate::signals::{self, FAULTS, JOB_STOPS, STOPS, signal};
use crate::sweep;
use crate::sys::{self, Descriptor, Errno, SignalSet, Signalled, Status, Text, Waited, errno};

/// The grace time of `--all` when none is given, in milliseconds.
const SWEEP_GRACE_MS: u32 = 500;
/// The first wait before the child is started again, in milliseconds; doubled each time.
const FIRST_DELAY_MS: u64 = 100;
/// The longest such wait.
const LONGEST_DELAY_MS: u64 = 60_000;
/// A child that has run so long, in milliseconds, begins with the first wait again.
const STEADY_MS: u64 = 10_000;

/// Runs the command to its end and returns the exit code.
#[inline(never)]
pub fn supervise(
    options: &Options,
    log: &Log,
    command: &Command,
    ruleset: Option<Descriptor>,
) -> i32 {
    let prepared = Prepared { child_signal: sys::take_child_signal(), ruleset };
    if options.isolation == Isolation::Session {
        give_up_terminal(log);
    }
    let mut supervisor = Supervisor {
        options,
        log,
        child: 0,
        asked_to_stop: false,
        got_term: false,
        stop_passed_on: false,
        term_held: false,
        term_at: None,
        kill_at: None,
    };
    let (mut delay, mut restarts) = (FIRST_DELAY_MS, 0);
    loop {
        let started = if options.restarts > 0 { sys::clock_ms() } else { 0 };
        let code = supervisor.run_child(command, &prepared);
        let wanted = options.restarts == ALWAYS || (code != 0 && restarts < options.restarts);
        if !wanted || supervisor.asked_to_stop {
            return code;
        }
        if sys::clock_ms() - started >= STEADY_MS {
            delay = FIRST_DELAY_MS;
        }
        log.note(Level::Info, c"Starting again in %d ms", delay as i32);
        if supervisor.pause(delay) {
            return code;
        }
        delay = (delay * 2).min(LONGEST_DELAY_MS);
        restarts += 1;
    }
}

/// Leaves the terminal to the child's session. From a session's leader, the kernel answers with
/// HUP and CONT to the whole group: they are not meant for the child.
fn give_up_terminal(log: &Log) {
    let leader = sys::getsid() == log.pid;
    if sys::give_up_terminal().is_ok() && leader {
        for sent in [signal::HUP, signal::CONT] {
            let _may_not_have_come = sys::wait_signal(signals::set(sent), Some(0));
        }
    }
}

struct Supervisor<'a> {
    options: &'a Options,
    log: &'a Log,
    /// The child's pid, 0 when there is none.
    child: i32,
    /// Whether TERM, INT or QUIT has arrived: no more starts.
    asked_to_stop: bool,
    got_term: bool,
    /// Whether the child was stopped through us, and is not to be looked after.
    stop_passed_on: bool,
    /// Whether a TERM has been held back already: only the first one is.
    term_held: bool,
    /// When the TERM that is held back is passed on, in milliseconds of the clock.
    term_at: Option<u64>,
    /// When what still runs is killed.
    kill_at: Option<u64>,
}

impl Supervisor<'_> {
    fn run_child(&mut self, command: &Command, prepared: &Prepared) -> i32 {
        let code = match spawn(self.options, self.log, command, prepared) {
            Ok(child) => {
                self.child = child;
                self.log.note(Level::Info, c"Spawned child process with PID %d", child);
                self.let_go();
                self.wait_for_child()
            }
            Err(errno) => {
                self.log.note(Level::Fatal, c"fork failed: %e", errno.number());
                1
            }
        };
        self.end_group();
        if self.options.on(Id::All) {
            let grace = self.options.grace_ms.unwrap_or(SWEEP_GRACE_MS);
            sweep::sweep(self.log, blocked(self.options.ruled), grace, self.child);
        }
        (self.child, self.term_at, self.kill_at, self.stop_passed_on) = (0, None, None, false);
        code
    }

    /// Holds on to nothing that somebody may want to unmount or close. Descriptors 0 to 2 stay:
    /// programs write to `/proc/1/fd/1`. A child that may be started again needs it all again.
    fn let_go(&self) {
        if self.options.restarts == 0 {
            let _stays_where_it_is = sys::chdir(Text::of(c"/"));
            sys::close_from(3);
        }
    }

    /// dumb-init ends what is left of the child's session as it goes; and a terminal must come
    /// back from a group that is gone before another child can have it.
    fn end_group(&mut self) {
        if self.options.personality == Personality::DumbInit {
            self.pass_on(signal::TERM);
        }
        if self.options.restarts > 0 && self.options.isolation == Isolation::ProcessGroup {
            job::take_back_terminal(self.child);
        }
    }

    fn wait_for_child(&mut self) -> i32 {
        loop {
            match self.wait() {
                Ok(Signalled { signal: signal::CHLD, .. }) => {
                    if let Some(code) = self.reap() {
                        return code;
                    }
                }
                Ok(arrived) => self.arrived(arrived),
                Err(errno::EAGAIN) => self.time_is_over(),
                Err(_) => {}
            }
        }
    }

    /// Waits for any signal, or for the next deadline.
    #[inline(never)]
    fn wait(&self) -> Result<Signalled, Errno> {
        let deadline = match (self.term_at, self.kill_at) {
            (Some(term), Some(kill)) => Some(term.min(kill)),
            (term, kill) => term.or(kill),
        };
        let limit = deadline.map(|at| at.saturating_sub(sys::clock_ms()));
        sys::wait_signal(blocked(self.options.ruled), limit)
    }

    fn time_is_over(&mut self) {
        let now = sys::clock_ms();
        if self.term_at.is_some_and(|at| at <= now) {
            self.term_at = None;
            self.deliver(signal::TERM);
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill();
        }
    }

    /// Reaps all that has ended; the exit code if the child is among it.
    fn reap(&mut self) -> Option<i32> {
        let mut code = None;
        loop {
            match sys::wait() {
                Waited::Process(pid, Status::Stopped(by)) => {
                    if pid == self.child && !self.stop_passed_on {
                        job::child_stopped(self.options, pid, by);
                    }
                }
                Waited::Process(pid, status) if pid == self.child => {
                    code = Some(self.ended(status));
                }
                Waited::Process(pid, _) => self.reaped_orphan(pid),
                Waited::Nothing | Waited::NoChildren => return code,
            }
        }
    }

    fn reaped_orphan(&self, pid: i32) {
        let warn = self.options.on(Id::WarnOnReap);
        let level = if warn { Level::Warn } else { Level::Trace };
        self.log.note(level, c"Reaped zombie process with pid=%d", pid);
    }

    #[inline(never)]
    fn ended(&self, status: Status) -> i32 {
        let code = match status {
            Status::Exited(code) => code,
            Status::Killed(by) | Status::Stopped(by) => 128 + by,
        };
        self.log.note(Level::Info, c"Main child exited (with status '%d')", code);
        let by_term =
            code == 128 + signal::TERM || code == 128 + self.options.passed_on(signal::TERM);
        if self.got_term && by_term && self.options.on(Id::TermSuccess) {
            return 0;
        }
        self.options.exit_code(code)
    }

    fn arrived(&mut self, arrived: Signalled) {
        let Signalled { signal: which, by_kernel, sender } = arrived;
        self.log.note(Level::Debug, c"Received signal %d", which);
        if which == signal::PIPE && sender == self.log.pid {
            return; // our own, from a message that nobody reads
        }
        // In one group with us, the child has what the terminal sends already.
        const BY_TERMINAL: SignalSet = signals::set(signal::INT)
            | signals::set(signal::QUIT)
            | signals::set(signal::TSTP)
            | signals::set(signal::WINCH);
        let has_it = self.options.isolation == Isolation::None
            && by_kernel
            && signals::contains(BY_TERMINAL, which);
        self.note(which);
        if which == signal::TERM && self.options.term_delay_ms > 0 && !self.term_held {
            self.term_held = true;
            self.term_at = Some(sys::clock_ms() + u64::from(self.options.term_delay_ms));
        } else if has_it {
            self.stop_too(which);
        } else {
            self.deliver(which);
        }
    }

    fn note(&mut self, which: i32) {
        self.asked_to_stop |= signals::contains(STOPS, which);
        self.got_term |= which == signal::TERM;
    }

    /// Passes a signal on that is due, with all that follows from it.
    fn deliver(&mut self, which: i32) {
        if which == signal::TERM {
            self.term_at = None;
        }
        if signals::contains(STOPS, which)
            && let Some(grace) = self.options.grace_ms
        {
            if self.kill_at.is_some() {
                return self.kill();
            }
            self.kill_at = Some(sys::clock_ms() + u64::from(grace));
        }
        if which == signal::CONT {
            self.stop_passed_on = false;
            job::continued(self.options, self.child);
        }
        self.pass_on(which);
        self.stop_too(which);
    }

    /// Stops with the child, so that the shell that started us sees a stopped job. Whoever sent
    /// the signal can send CONT. PID 1 cannot be stopped; the kernel ignores it then.
    fn stop_too(&mut self, which: i32) {
        let dumb_or_own =
            matches!(self.options.personality, Personality::Tino | Personality::DumbInit);
        if dumb_or_own && signals::contains(JOB_STOPS, which) && self.options.passed_on(which) != 0
        {
            self.stop_passed_on = true;
            let _cannot_fail = sys::kill(self.log.pid, signal::STOP);
        }
    }

    fn pass_on(&self, which: i32) {
        let sent = self.options.passed_on(which);
        if sent == 0 {
            return self.log.note(Level::Debug, c"Not forwarding signal %d", which);
        }
        self.log.note(Level::Debug, c"Forwarded signal %d", sent);
        self.send(sent);
    }

    fn kill(&mut self) {
        self.kill_at = None;
        self.send(signal::KILL);
    }

    fn send(&self, sent: i32) {
        if self.child == 0 {
            return;
        }
        let mut result = Err(errno::ESRCH);
        if self.options.to_group {
            result = sys::kill(-self.child, sent);
        }
        // A session's group does not exist before the child has made it.
        if result == Err(errno::ESRCH) {
            result = sys::kill(self.child, sent);
        }
        match result {
            Ok(()) | Err(errno::ESRCH) => {}
            Err(error) => {
                self.log.note(Level::Warn, c"cannot forward a signal: %e", error.number());
            }
        }
    }

    /// Waits before the next start, still reaping. Whether a stop signal ended the wait.
    fn pause(&mut self, delay: u64) -> bool {
        let until = sys::clock_ms() + delay;
        loop {
            let now = sys::clock_ms();
            if now >= until || self.asked_to_stop {
                return self.asked_to_stop;
            }
            match sys::wait_signal(blocked(self.options.ruled), Some(until - now)) {
                Ok(Signalled { signal: signal::CHLD, .. }) => {
                    let _no_child = self.reap();
                }
                Ok(arrived) => self.note(arrived.signal),
                Err(_) => {}
            }
        }
    }
}

/// The signals to be blocked and waited for: all but those that the kernel sends for a fault of
/// our own, unless a rule asks for them. Waiting for the others would take them from the kernel.
#[must_use]
pub const fn blocked(ruled: SignalSet) -> SignalSet {
    !(FAULTS & !ruled)
}
