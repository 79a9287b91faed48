//! What `tino` is asked to do: takes in what `words.rs` finds on the command line and in variables.

use crate::Tino;
use crate::flags::{Id, Ids, Kind};
use crate::log::Level;
use crate::packed::Known;
use crate::personality::Personality;
use crate::signals::{self, signal};
use crate::sys::{self, Buffer, Text};
use crate::texts::Message;
use crate::words::lookup;

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

/// The value of `--restart` for whenever the child ends; others are how often it is started again
/// after a failure.
pub const ALWAYS: u32 = u32::MAX;

/// Groups of writable paths.
pub const PRESETS: Text<'static> = Text::of(c"tmp runtime");

/// What is a TCP port.
pub const HIGHEST_PORT: u32 = 65_535;

/// What is an exit code.
const HIGHEST_CODE: u32 = 255;

impl Tino {
    /// Whether the option is on, or has been given a value.
    #[must_use]
    pub const fn on(&self, id: Id) -> bool {
        self.on & id.bit() != 0
    }

    /// Whether anything was said of the option, anywhere.
    #[must_use]
    pub const fn was_given(&self, id: Id) -> bool {
        self.given & id.bit() != 0
    }

    /// The value of one of the options that have a number, 0 if it was not given.
    #[must_use]
    pub const fn number(&self, id: Id) -> u32 {
        self.numbers[id as usize % 4]
    }

    /// What is passed on when `signal` arrives, 0 for nothing.
    #[must_use]
    pub const fn passed_on(&self, signal: i32) -> i32 {
        match self.rewrite[signal as u8 as usize] {
            0 => signal,
            sent => sent as i32 - 1,
        }
    }

    /// Takes one option in; whether it can have that value.
    #[inline(never)]
    pub fn take(&mut self, option: &Known, value: Text<'_>) -> bool {
        self.try_take(option, value).is_some()
    }

    fn try_take(&mut self, option: &Known, value: Text<'_>) -> Option<()> {
        const TARGETS: Ids = Id::PgroupKill.bit() | Id::SingleChild.bit();
        let mut on = true;
        match option.kind {
            Kind::Switch => on = value.truth()?,
            Kind::Count => self.log.verbosity = self.verbosity(value)?,
            Kind::Number => *self.number_mut(option) = value.number(u32::MAX)?,
            Kind::Signal => {
                // tini takes the exact name alone.
                let exact = self.log.personality != Personality::Tini || value.first() == b'S';
                *self.number_mut(option) = signals::parse(value).filter(|_| exact)?.cast_unsigned();
            }
            Kind::Policy => *self.number_mut(option) = restarts(value)?,
            Kind::Codes => self.forgiven[value.number(HIGHEST_CODE)? as u8 as usize] = true,
            Kind::Rules => self.take_rule(value)?,
            Kind::Ports => drop(value.number(HIGHEST_PORT)?),
            Kind::Presets => drop(value.position(PRESETS)?),
            Kind::Paths if value.first() == 0 => return None,
            Kind::Paths => {}
        }
        // -g and -c decide the same: the last one counts.
        let bit = option.id.bit();
        let same = if bit & TARGETS != 0 { TARGETS } else { bit };
        self.given |= same;
        self.on &= !if on { same } else { bit };
        self.on |= if on { bit } else { 0 };
        Some(())
    }

    fn number_mut(&mut self, option: &Known) -> &mut u32 {
        &mut self.numbers[option.id as usize % 4]
    }

    /// A number, or one more than before. dumb-init knows only one step.
    fn verbosity(&self, value: Text<'_>) -> Option<u8> {
        let number = match value.number(u32::MAX) {
            Some(number) => number,
            None if !value.truth()? => 0,
            None if self.log.personality == Personality::DumbInit => 4,
            None => u32::from(self.log.verbosity) + 1,
        };
        Some(number.min(4) as u8)
    }

    /// `S:R`.
    fn take_rule(&mut self, rule: Text<'_>) -> Option<()> {
        let mut room = sys::room::<32>();
        let mut signal = Buffer::over(&mut room);
        signal.append(rule, b':');
        let sent = rule.behind(b':').filter(|_| !signal.is_full())?;
        let signal = signals::parse(signal.text())?;
        let sent = if sent.number(0).is_some() { 0 } else { signals::parse(sent)? };
        self.rewrite[signal as u8 as usize] = sent as u8 + 1;
        self.ruled |= signals::set(signal);
        Some(())
    }

    /// Takes in the variables of tini in any case, those of dumb-init and catatonit in their place.
    pub fn take_variables_of_peers(&mut self) {
        self.take_variable_of_tini(Text::of(c"TINI_SUBREAPER"), const { Known::of(Id::Subreaper) });
        self.take_variable_of_tini(
            Text::of(c"TINI_KILL_PROCESS_GROUP"),
            const { Known::of(Id::PgroupKill) },
        );
        self.take_variable_of_tini(Text::of(c"TINI_VERBOSITY"), const { Known::of(Id::Verbose) });
        let begins = |name, byte| {
            let value = lookup(self.environment, Text::of(name));
            value.is_some_and(|value| byte == 0 || value.first() == byte)
        };
        let debug = match self.log.personality {
            Personality::DumbInit => begins(c"DUMB_INIT_DEBUG", b'1'),
            Personality::Catatonit => begins(c"CATATONIT_DEBUG", 0),
            _ => return,
        };
        if debug {
            self.log.verbosity = 4;
        }
        if self.log.personality == Personality::DumbInit && begins(c"DUMB_INIT_SETSID", b'0') {
            self.take(const { Known::of(Id::SingleChild) }, Text::of(c"on"));
        }
    }

    #[inline(never)]
    fn take_variable_of_tini(&mut self, name: Text<'static>, option: &Known) {
        let Some(value) = lookup(self.environment, name) else { return };
        if self.in_words & option.id.bit() != 0 {
            return;
        }
        // tini's switches count by presence, so an empty value is on; under its own name any
        // value is.
        let present = option.kind == Kind::Switch
            && (value.first() == 0 || self.log.personality == Personality::Tini);
        if !self.take(option, if present { Text::of(c"on") } else { value }) {
            self.log.say(Level::Warn, Message::BAD_VARIABLE, name, 0);
        }
    }

    /// Settles what depends on several options: to be called when all are taken in.
    #[inline(never)]
    pub fn settle(&mut self) {
        let personality = self.log.personality;
        if self.on(Id::SingleChild) {
            self.isolation = Isolation::None;
        } else if personality == Personality::DumbInit {
            self.isolation = Isolation::Session;
        }
        let becomes = match personality {
            // The kernel drops TSTP for a session of its own, where nobody could continue it.
            Personality::DumbInit if self.isolation == Isolation::Session => signal::STOP,
            Personality::Tini | Personality::Catatonit => 0,
            _ => return,
        };
        let mut job_stop =
            if personality == Personality::Tini { signal::TTIN } else { signal::TSTP };
        while job_stop <= signal::TTOU {
            if !signals::contains(self.ruled, job_stop) {
                self.rewrite[job_stop as usize] = becomes as u8 + 1;
            }
            job_stop += 1;
        }
    }
}

/// `no`, `always`, `on-failure` or `on-failure:N`.
#[inline(never)]
fn restarts(value: Text<'_>) -> Option<u32> {
    if let Some(times) = value.after_word(Text::of(c"on-failure:")) {
        return times.number(i32::MAX as u32);
    }
    let policy = value.position(Text::of(c"no always on-failure"))?;
    Some([0, ALWAYS, ALWAYS - 1].get(policy as usize).copied().unwrap_or(0))
}
