//! What `tino` is asked to do: [`Options`], from variables and the command line.

use crate::flags::{Id, Kind};
use crate::packed::Known;
use crate::personality::Personality;
use crate::signals::{self, LAST, signal};
use crate::sys::{Text, Texts};
use crate::value::{Value, position};
use crate::words::{Words, lookup, variables};

/// What becomes of the child when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It stays in the process group of `tino`.
    None,
    /// It leads its own process group.
    ProcessGroup,
    /// It leads its own session, and takes the terminal along.
    Session,
}

/// How often the child may be started again after a failure; [`ALWAYS`] is after a success, too.
type Restarts = u32;

/// Whenever the child ends.
pub const ALWAYS: Restarts = u32::MAX;

/// Everything that can be said in advance. Lists of paths and ports are not kept, for want of a
/// heap: [`crate::landlock`] reads them again where they were written.
pub struct Options {
    /// In whose place.
    pub personality: Personality,
    /// 0 to 4.
    pub verbosity: u8,
    /// What becomes of the child when it starts.
    pub isolation: Isolation,
    /// Whether signals go to the child's process group.
    pub to_group: bool,
    /// Which switches are on, bit n for the option with number n.
    switches: u64,
    /// Which options the command line has.
    pub in_words: u64,
    /// Which options variables have that the command line has not.
    pub in_variables: u64,
    /// The signal to get when the parent dies, or 0.
    pub parent_death_signal: i32,
    /// Milliseconds for which TERM is held back.
    pub term_delay_ms: u32,
    /// Milliseconds to KILL, if it was said.
    pub grace_ms: Option<u32>,
    /// How often the child is started again.
    pub restarts: Restarts,
    /// Signals that a rule names.
    pub ruled: u64,
    /// Exit codes that become 0, a bit each.
    remap: [u64; 4],
    /// What is passed on for a signal, 0 for nothing.
    rewrite: [u8; LAST as usize + 1],
}

impl Options {
    /// What holds when nothing is said.
    #[must_use]
    pub fn new(personality: Personality) -> Options {
        let session = personality == Personality::DumbInit;
        let mut rewrite = [0; LAST as usize + 1];
        for (signal, sent) in rewrite.iter_mut().enumerate() {
            *sent = signal as u8;
        }
        Options {
            personality,
            verbosity: u8::from(personality != Personality::Catatonit),
            isolation: if session { Isolation::Session } else { Isolation::ProcessGroup },
            to_group: session,
            switches: u64::from(personality == Personality::Pause) << Id::Pause as u8,
            in_words: 0,
            in_variables: 0,
            parent_death_signal: 0,
            term_delay_ms: 0,
            grace_ms: None,
            restarts: 0,
            // dumb-init passes on what others leave to the kernel.
            ruled: if session { signals::FAULTS } else { 0 },
            remap: [0; 4],
            rewrite,
        }
    }

    /// Whether the switch is on.
    #[must_use]
    pub const fn on(&self, id: Id) -> bool {
        self.switches & (1 << id as u8) != 0
    }

    /// Whether anything was said of the option, anywhere.
    #[must_use]
    pub const fn was_given(&self, id: Id) -> bool {
        (self.in_words | self.in_variables) & (1 << id as u8) != 0
    }

    /// What is passed on when `signal` arrives, 0 for nothing.
    #[must_use]
    pub fn passed_on(&self, signal: i32) -> i32 {
        self.rewrite.get(signal as usize).copied().map_or(0, i32::from)
    }

    /// The exit code for the child's exit code.
    #[must_use]
    pub fn exit_code(&self, code: i32) -> i32 {
        let bits = self.remap[code as usize / 64 % 4];
        if bits & (1 << (code % 64)) != 0 { 0 } else { code }
    }

    /// Takes the command line in; returns the number of words up to the command.
    pub fn take_words(&mut self, words: Words<'_>) -> Option<usize> {
        words.options(&mut |option, value| {
            self.in_words |= 1 << option.id() as u8;
            self.take(option, value)
        })
    }

    /// Takes in the variables of options that are not on the command line, and calls `bad` with
    /// each whose value is wrong.
    #[inline(never)]
    pub fn take_variables(&mut self, environment: Texts, bad: &mut dyn FnMut(Text<'static>)) {
        self.take_variables_of_peers(environment, bad);
        variables(
            environment,
            &mut |option, value| {
                let id = option.id();
                self.overruled(id) || {
                    let good = self.take(option, value);
                    self.in_variables |= u64::from(good) << id as u8;
                    good
                }
            },
            bad,
        );
    }

    /// Whether the command line has decided what an option decides. -g and -c decide the same.
    #[must_use]
    #[inline(never)]
    pub const fn overruled(&self, id: Id) -> bool {
        const TARGETS: u64 = 1 << Id::PgroupKill as u8 | 1 << Id::SingleChild as u8;
        let targets = if self.in_words & TARGETS == 0 { 0 } else { TARGETS };
        (self.in_words | targets) & (1 << id as u8) != 0
    }

    /// The variables of tini in any case, those of dumb-init and catatonit in their place.
    fn take_variables_of_peers(&mut self, environment: Texts, bad: &mut dyn FnMut(Text<'static>)) {
        let look = |name| lookup(environment, Value::all(Text::of(name)));
        for (id, name) in [
            (Id::Subreaper, c"TINI_SUBREAPER"),
            (Id::PgroupKill, c"TINI_KILL_PROCESS_GROUP"),
            (Id::Verbose, c"TINI_VERBOSITY"),
        ] {
            let Some(value) = look(name).filter(|_| !self.overruled(id)) else { continue };
            let good = if id == Id::Verbose {
                self.set_verbosity(Some(Value::all(value)))
            } else {
                // tini's switches count by presence, so an empty value is on; under its own name
                // any value is.
                let present = value.first() == 0 || self.personality == Personality::Tini;
                let on = if present { Some(true) } else { Value::all(value).truth() };
                on.map(|on| self.switch(id, on))
            };
            if good.is_none() {
                bad(Text::of(name));
            }
            self.in_variables |= 1 << id as u8;
        }
        let first = |name| look(name).map(Text::first);
        let (debug, session) = match self.personality {
            Personality::DumbInit => {
                (first(c"DUMB_INIT_DEBUG") == Some(b'1'), first(c"DUMB_INIT_SETSID") != Some(b'0'))
            }
            Personality::Catatonit => (first(c"CATATONIT_DEBUG").is_some(), true),
            _ => (false, true),
        };
        if debug {
            self.verbosity = 4;
        }
        if !session {
            self.switch(Id::SingleChild, true);
        }
    }

    /// Takes one option in; whether it can have that value.
    fn take(&mut self, option: Known, value: Option<Value<'static>>) -> bool {
        self.try_take(option, value).is_some()
    }

    #[inline(never)]
    fn try_take(&mut self, option: Known, given: Option<Value<'static>>) -> Option<()> {
        let value = given.unwrap_or(Value::NONE);
        match option.kind() {
            Kind::Switch => {
                let on = given.map_or(Some(true), Value::truth)?;
                self.switch(option.id(), on);
            }
            Kind::Count => self.set_verbosity(given)?,
            Kind::Number => {
                let number = value.number(i32::MAX as u32)?;
                if option.id() == Id::GraceMs {
                    self.grace_ms = Some(number);
                } else {
                    self.term_delay_ms = number;
                }
            }
            Kind::Signal => {
                // tini takes the exact name alone.
                let exact = self.personality != Personality::Tini || value.first() == b'S';
                self.parent_death_signal = signals::parse(value).filter(|_| exact)?;
            }
            Kind::Policy => self.restarts = restarts(value)?,
            Kind::Codes => {
                let code = value.number(255)? as usize;
                self.remap[code / 64] |= 1 << (code % 64);
            }
            Kind::Rules => self.rule(value)?,
            Kind::Ports => return value.number(65535).map(drop),
            Kind::Presets => return position(value, Text::of(c"tmp runtime")).map(drop),
            Kind::Paths => return (!value.is_empty()).then_some(()),
        }
        Some(())
    }

    fn set_verbosity(&mut self, given: Option<Value<'static>>) -> Option<()> {
        self.verbosity = match given {
            // dumb-init knows only one step.
            None if self.personality == Personality::DumbInit => 4,
            None => self.verbosity.saturating_add(1),
            Some(value) => value.number(u32::MAX)?.min(4) as u8,
        };
        Some(())
    }

    fn switch(&mut self, id: Id, on: bool) {
        let bit = 1 << id as u8;
        self.switches = if on { self.switches | bit } else { self.switches & !bit };
        if id == Id::PgroupKill {
            self.to_group = on;
            if on && self.isolation == Isolation::None {
                self.isolation = Isolation::ProcessGroup;
            }
        } else if id == Id::SingleChild && on {
            self.to_group = false;
            self.isolation = Isolation::None;
        }
    }

    /// `S:R`.
    fn rule(&mut self, rule: Value<'static>) -> Option<()> {
        let signal = signals::parse(Value { text: rule.text, end: b':' })?;
        let mut sent = rule;
        while !matches!(sent.first(), b':' | 0) {
            sent = sent.rest();
        }
        let sent = sent.rest();
        let sent = if sent.number(0).is_some() { 0 } else { signals::parse(sent)? };
        self.rewrite[signal as usize % (LAST as usize + 1)] = sent as u8;
        self.ruled |= signals::set(signal);
        Some(())
    }

    /// Settles what depends on several options: to be called when all are taken in.
    pub fn settle(&mut self) {
        let becomes = match self.personality {
            // The kernel drops TSTP for a session of its own, where nobody could continue it.
            _ if self.isolation == Isolation::Session => signal::STOP,
            Personality::Tini | Personality::Catatonit => 0,
            _ => return,
        };
        for job_stop in signal::TSTP..=signal::TTOU {
            let tini = job_stop == signal::TSTP && self.personality == Personality::Tini;
            if !signals::contains(self.ruled, job_stop) && !tini {
                self.rewrite[job_stop as usize] = becomes as u8;
            }
        }
    }
}

/// `no`, `always`, `on-failure` or `on-failure:N`.
fn restarts(value: Value<'static>) -> Option<Restarts> {
    let policy = Value { text: value.text, end: b':' };
    let times = policy.next_part().map(|times| Value::all(times.text));
    match (position(policy, Text::of(c"no always on-failure"))?, times) {
        (0, None) => Some(0),
        (1, None) => Some(ALWAYS),
        (2, None) => Some(ALWAYS - 1),
        (2, Some(times)) => times.number(i32::MAX as u32),
        _ => None,
    }
}
