//! `tino`: PID 1 for any container, pod or tiny virtual machine.
//!
//! Starts one program, passes signals on to it, reaps what is orphaned, and ends as the program
//! ends. Kernel calls only: no libc, no heap, no mutable statics; all state is in one [`Tino`] on
//! the stack of [`run`]. It mounts nothing, configures nothing and reads no file but a Landlock
//! profile. `#[inline(never)]` stands where leaving it out makes the program larger; each was
//! measured.
//!
//! The path of a start: [`words`] finds the options on the command line and in the environment,
//! [`options`] takes them in; [`landlock`] prepares the child's restrictions; [`child`] forks and
//! executes; [`supervise`] waits for signals until the child has ended; [`sweep`] ends what is
//! left.

#![cfg_attr(not(test), no_std)]

pub mod child;
pub mod exec;
pub mod expand;
pub mod explain;
pub mod flags;
pub mod interpreter;
pub mod job;
pub mod landlock;
pub mod log;
pub mod manual;
pub mod options;
pub mod packed;
pub mod pause;
pub mod personality;
pub mod rules;
pub mod signals;
pub mod supervise;
pub mod sweep;
pub mod sys;
pub mod terminal;
pub mod texts;
pub mod value;
pub mod words;

use flags::{Id, Ids};
use log::{Level, Log, print_plain};
use options::Isolation;
use personality::Personality;
use rules::Rights;
use signals::FAULTS;
use supervise::NEVER;
use sys::{Descriptor, Disposition, Image, SignalSet, Text, Texts};
use texts::Message;

/// All that is known, on one pointer: what was asked for, and what has become of the child.
///
/// In this order the fields that are used most are within reach of the shortest instructions.
#[repr(C)]
pub struct Tino {
    /// Who speaks.
    pub log: Log,

    /// The child's pid, 0 when there is none.
    pub child: i32,
    /// The exit code of the child, or what it is replaced by, when it has ended.
    pub code: i32,
    /// When the TERM that is held back is passed on, in milliseconds of the clock.
    pub term_at: u64,
    /// When what still runs is killed.
    pub kill_at: u64,
    /// What becomes of the child when it starts.
    pub isolation: Isolation,
    /// Whether TERM, INT or QUIT has arrived: no more starts.
    pub asked_to_stop: bool,
    /// Whether TERM has arrived.
    pub got_term: bool,
    /// Whether the child was stopped through us, and is not to be looked after.
    pub stop_passed_on: bool,
    /// Whether a TERM has been held back already: only the first one is.
    pub term_held: bool,

    /// Something that was to be restricted is not to be had.
    pub lacking: bool,
    /// The rights that Landlock takes away.
    pub rights: Rights,
    /// The Landlock ruleset to be held by.
    pub ruleset: Descriptor,

    /// Which options are on or have a value.
    pub on: Ids,
    /// Of which options anything was said.
    pub given: Ids,
    /// Of which options the command line says anything.
    pub in_words: Ids,
    /// Signals that a rule names.
    pub ruled: SignalSet,
    /// The values of the options that have a number.
    pub numbers: [u32; 4],

    /// The words that `tino` was called with, its own name first.
    pub words: Texts,
    /// The program and its arguments, the last of these words.
    pub command: Texts,
    /// The environment, handed on as it is.
    pub environment: Texts,
    /// The signal mask that `tino` was started with.
    pub mask: SignalSet,
    /// The part of the program that is of no use once the child has started.
    pub start_up: Image,
    /// What the child is to find on SIGCHLD.
    pub child_signal: Disposition,
    /// What is passed on for a signal: 0 for itself, else one more than its number.
    pub rewrite: [u8; 256],
    /// Exit codes of the child that become 0.
    pub forgiven: [bool; 256],
}

/// Runs the program from its arguments and environment to its exit code. `start_up` is not used
/// any more, or rarely, once the child has started.
#[must_use]
pub fn run(words: Texts, environment: Texts, start_up: Image) -> i32 {
    // First of all: whatever arrives from here on waits until it can be passed on.
    let mask = sys::set_mask(supervise::blocked(0));
    let Some(name) = words.get(0) else { return 1 };
    let mut tino = Tino::new(words, environment, mask, start_up);
    tino.stand_in_for(Personality::of(*name));
    tino.run()
}

impl Tino {
    /// What holds when nothing is said.
    #[must_use]
    #[inline]
    pub fn new(words: Texts, environment: Texts, mask: SignalSet, start_up: Image) -> Tino {
        Tino {
            log: Log { pid: sys::getpid(), personality: Personality::Tino, verbosity: 1 },
            child: 0,
            code: 0,
            term_at: NEVER,
            kill_at: NEVER,
            isolation: Isolation::ProcessGroup,
            asked_to_stop: false,
            got_term: false,
            stop_passed_on: false,
            term_held: false,
            lacking: false,
            rights: 0,
            ruleset: sys::NONE,
            on: 0,
            given: 0,
            in_words: 0,
            ruled: 0,
            numbers: [0; 4],
            words,
            command: words,
            environment,
            mask,
            start_up,
            child_signal: Disposition::DEFAULT,
            rewrite: [0; 256],
            forgiven: [false; 256],
        }
    }

    /// What holds for a program that is stood in for.
    pub fn stand_in_for(&mut self, personality: Personality) {
        self.log.personality = personality;
        match personality {
            Personality::Pause => self.on = Id::Pause.bit(),
            Personality::Catatonit => self.log.verbosity = 0,
            Personality::DumbInit => {
                self.on = Id::PgroupKill.bit();
                // It passes on what others leave to the kernel.
                self.ruled = FAULTS;
            }
            _ => {}
        }
    }

    #[inline(never)]
    fn run(&mut self) -> i32 {
        let index = self.each_word(Tino::take).filter(|_| !self.version_with_more());
        let Some(index) = index else {
            self.print_usage();
            return if self.log.personality == Personality::Tino { 2 } else { 1 };
        };
        self.in_words = self.given;
        self.take_variables_of_peers();
        self.each_variable(Tino::take);
        self.settle();
        if self.print_what_was_asked() {
            return 0;
        }
        self.command = self.words.from(index);
        if self.log.personality == Personality::Tini {
            self.drop_separator(index);
        }
        let code = self.start();
        if self.on & (Id::Poweroff.bit() | Id::Explain.bit()) == Id::Poweroff.bit() {
            self.power_off();
        }
        code
    }

    /// tini knows its `--version` alone.
    fn version_with_more(&self) -> bool {
        self.log.personality == Personality::Tini
            && self.on(Id::Version)
            && self.words.get(2).is_some()
    }

    #[inline(never)]
    fn print_usage(&self) {
        print_plain(2, Message::USAGES.plus(self.log.personality as u8));
    }

    /// Options that print something and do nothing else; whether there was one.
    fn print_what_was_asked(&self) -> bool {
        let personality = self.log.personality;
        // dumb-init prints everything on standard error, catatonit its help.
        let mut fd = if personality == Personality::DumbInit { 2 } else { 1 };
        let mut message = Message::VERSIONS.plus(personality as u8);
        if self.on(Id::Help) {
            message = Message::USAGES.plus(personality as u8);
            match personality {
                Personality::Tino => {
                    packed::print_help();
                    return true;
                }
                Personality::Catatonit => fd = 2,
                _ => {}
            }
        } else if self.on(Id::License) {
            (fd, message) = (1, Message::LICENCE);
        } else if !self.on(Id::Version) {
            return false;
        }
        print_plain(fd, message);
        true
    }

    fn start(&mut self) -> i32 {
        let pause = self.on(Id::Pause);
        if self.command.get(0).is_none() && !pause && !self.on(Id::Explain) {
            self.log.note(Level::Fatal, Message::NO_PROGRAM, 0);
            self.print_usage();
            return 1;
        }
        if self.on(Id::ExpandEnv)
            && let Err(argument) = expand::expand_all(self.command, self.environment)
        {
            self.log.say(Level::Fatal, Message::CANNOT_EXPAND, *argument, 0);
            return 1;
        }
        if self.on(Id::Explain) {
            self.explain();
            return 0;
        }
        if pause {
            self.adopt_orphans();
            return self.pause();
        }
        if !self.prepare_restrictions() {
            return 1;
        }
        self.adopt_orphans();
        if !self.follow_parent() {
            return 1;
        }
        if self.ruled & FAULTS != 0 {
            sys::set_mask(supervise::blocked(self.ruled));
        }
        self.supervise()
    }

    /// tini's usage has `PROGRAM -- ARGS`: without a `--` before the program, the first `--` among
    /// the words after it is dropped, if only plain words stand before it.
    fn drop_separator(&self, index: usize) {
        let is_separator =
            |word: sys::Word| word.after(Text::of(c"--")).is_some_and(|rest| rest.first() == 0);
        if self.words.get(index - 1).is_some_and(is_separator) {
            return;
        }
        let mut words = self.command;
        while let Some(word) = words.get(0) {
            if word.first() == b'-' && word.rest().first() != 0 {
                if is_separator(word) {
                    words.remove_first();
                }
                return;
            }
            words = words.from(1);
        }
    }

    /// Makes orphans children of this process, where that is not so by itself as it is for PID 1.
    #[inline(never)]
    fn adopt_orphans(&self) {
        let asked = self.on(Id::Subreaper);
        let tini = self.log.personality == Personality::Tini;
        let unasked = self.log.pid != 1 && !self.was_given(Id::Subreaper);
        if asked || (unasked && !tini) {
            self.log.check(Level::Warn, Message::SET_SUBREAPER, sys::set_subreaper());
        } else if tini && self.log.pid != 1 {
            self.log.note(Level::Warn, Message::NOT_REAPER, 0);
        }
    }

    /// Asks the kernel for a signal when the parent dies, if that is wanted.
    fn follow_parent(&self) -> bool {
        let signal = self.number(Id::ParentDeathSignal).cast_signed();
        if signal == 0 {
            return true;
        }
        let parent = sys::getppid();
        if !self.log.check(Level::Fatal, Message::SET_PDEATHSIG, sys::parent_death_signal(signal)) {
            return false;
        }
        // It may have died before it was asked for.
        if sys::getppid() != parent {
            let _nobody_else_could = sys::kill(self.log.pid, signal);
        }
        true
    }

    fn power_off(&self) {
        if self.log.pid != 1 {
            self.log.note(Level::Warn, Message::NOT_PID_1, 0);
            return;
        }
        self.log.check(Level::Fatal, Message::POWER_OFF, sys::power_off());
    }
}
